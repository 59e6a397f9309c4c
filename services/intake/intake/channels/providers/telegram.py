"""Telegram's Bot API: updates posted by webhook, with a secret of ours in a header.

Source: https://core.telegram.org/bots/api#setwebhook and #update
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError

from intake.channels.contract import (
    Account,
    Arrived,
    Channel,
    Incoming,
    NotGenuine,
    Noticed,
    Unreadable,
    Verdict,
    told_at,
)
from intake.requests.rules import Identity, Normalised, title_of

_HEADER: Final = "x-telegram-bot-api-secret-token"
_OTHERS: Final = ("edited_message", "message_reaction", "callback_query", "my_chat_member", "channel_post")


class _Person(BaseModel):
    id: int
    first_name: str = ""
    last_name: str = ""


class _Chat(BaseModel):
    id: int


class _Message(BaseModel):
    message_id: int
    date: int = Field(ge=0, le=4_102_444_800)
    chat: _Chat
    sender: _Person | None = Field(default=None, alias="from")
    text: str = ""
    caption: str = ""


class _Update(BaseModel):
    update_id: int
    message: dict[str, Any] | None = None


def verify(incoming: Incoming, account: Account) -> None:
    """The secret that was given to setWebhook comes back with each update."""
    sent = incoming.headers.get(_HEADER, "")
    if not hmac.compare_digest(sent.encode(), account.secrets["secret_token"].encode()):
        raise NotGenuine(channel="Telegram")


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """One update is one thing: a message, or what is kept and asks for nothing."""
    told = incoming.json()
    try:
        update = _Update.model_validate(told)
        if update.message is None:
            kind = next((each for each in _OTHERS if each in told), "unknown")
            return [Noticed(kind, f"update:{update.update_id}", incoming.body)]
        return [Arrived(_message(_Message.model_validate(update.message), incoming, account))]
    except ValidationError:
        raise Unreadable from None


def _message(message: _Message, incoming: Incoming, account: Account) -> Normalised:
    text = message.text or message.caption
    who = message.sender or _Person(id=message.chat.id)
    return Normalised(
        channel="social",
        door=account.channel,
        account=account.place,
        external_id=f"{message.chat.id}:{message.message_id}",
        identities=(Identity("external", f"{account.place}:{who.id}"),),
        name=f"{who.first_name} {who.last_name}".strip() or "—",
        text=text,
        title=title_of("", text),
        received_at=told_at(message.date, incoming.received_at),
        raw=incoming.body,
        content_type="application/json",
        region=account.region,
        city=account.city,
        product_line=account.product_line,
        address=str(message.chat.id),
        session=f"{account.place}:{message.chat.id}",
    )


channel = Channel(
    name="telegram", secrets=("secret_token",), optional=("bot_token",), verify=verify, parse=parse
)
