"""Another system, or the backend of a chat, gets what its customers are told.

Signed as https://www.standardwebhooks.com says.

`webhook-id` is the message's own and stays the same at every attempt: a receiver that keeps the ids it has
seen gets each message once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from math import floor
from typing import Final

from standardwebhooks.webhooks import Webhook

from intake.channels.contract import Account
from intake.sending.contract import Answered, HttpCall, Outgoing, Sender, Sent, trouble
from shared.clock import clock

TYPE: Final = "intake.message.v1"


def compose(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    """What is said about which request; `external_id` is what that system called it when it came in."""
    data = {"external_id": outgoing.reference, "automatic": bool(outgoing.automatic)}
    return _signed(outgoing, account, account.secrets["signing_secret"], data)


def compose_chat(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    """What is said in which session of a chat; signed with the secret that its backend signs with."""
    data = {"session_id": outgoing.address, "automatic": bool(outgoing.automatic)}
    return _signed(outgoing, account, account.secrets["secret"], data)


def _signed(outgoing: Outgoing, account: Account, secret: str, data: Mapping[str, object]) -> HttpCall:
    ids = {"message_id": str(outgoing.id), "request_id": str(outgoing.request_id)}
    said = {
        "type": TYPE,
        "timestamp": outgoing.made_at.isoformat(),
        "data": {**ids, **data, "text": outgoing.text},
    }
    content = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    now = clock.now()
    headers = {
        "content-type": "application/json",
        "webhook-id": str(outgoing.id),
        "webhook-timestamp": str(floor(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(str(outgoing.id), now, content),
    }
    return HttpCall(account.secrets["url"], content.encode(), headers)


def read(status: int, headers: Mapping[str, str], body: bytes) -> Answered:
    return Sent() if 200 <= status < 300 else trouble(status, headers, "")


_SYSTEM: Final = Sender(
    channel="webhook",
    needs=("url", "signing_secret"),
    compose=compose,
    read=read,
    drops_duplicates=True,
    options=(),
)
senders = (_SYSTEM, replace(_SYSTEM, channel="chat", needs=("secret", "url"), compose=compose_chat))
