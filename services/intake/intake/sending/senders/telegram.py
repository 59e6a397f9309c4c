"""Telegram's Bot API: sendMessage.

Source: https://core.telegram.org/bots/api#sendmessage and #making-requests
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from intake.channels.contract import Account
from intake.sending.contract import Answered, HttpCall, Outgoing, Sender, Sent, base, posted, told, trouble

_API: Final = "https://api.telegram.org"
_LONGEST: Final = 4096  # characters


def compose(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    """Plain text, so that nothing in it is taken for markup."""
    url = f"{base(account, _API)}/bot{account.secrets['bot_token']}/sendMessage"
    return posted(url, {"chat_id": outgoing.address, "text": outgoing.text})


def read(status: int, headers: Mapping[str, str], body: bytes) -> Answered:
    """The id of a message is its chat's and its own, as the door writes those that come in."""
    said = told(body)
    if status == 200 and said.get("ok") is True:
        result = said.get("result") or {}
        return Sent(f"{result.get('chat', {}).get('id')}:{result.get('message_id')}")
    wait = (said.get("parameters") or {}).get("retry_after")
    if isinstance(wait, int):
        headers = {**headers, "retry-after": str(max(0, int(timedelta(seconds=wait).total_seconds())))}
    return trouble(status, headers, str(said.get("description", "")))


senders = (Sender(channel="telegram", needs=("bot_token",), compose=compose, read=read, longest=_LONGEST),)
