"""Web chat: the JSON of the backend of a chat on a page of ours, signed by Standard Webhooks.

    {"session_id": "…", "message_id": "…", "text": "…", "customer": {"id": "…", "name": "…"}}

`customer` may also tell phone and email; `sent_at` is seconds since 1970. What is said in one session is one
request until nobody has said anything for a day; `message_id` is the message's own within its session.
Source of the signature: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from intake.channels.contract import (
    Account,
    Arrived,
    Channel,
    Incoming,
    NotGenuine,
    SignedTooLongAgo,
    Verdict,
    told_at,
)
from intake.channels.input import NotBlank
from intake.channels.recent import lately
from intake.requests.rules import Identity, Normalised, email_identity, phone_identity, title_of
from shared.http.problem import InvalidInput, describe

_HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
_LONGEST_SIGNATURES: Final = 4096
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200), NotBlank]


class _Told(BaseModel):
    model_config = ConfigDict(strict=True)


class _Customer(_Told):
    id: _Name
    name: str = ""
    phone: str = ""
    email: str = ""


class _Message(_Told):
    session_id: _Name
    message_id: _Name
    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000), NotBlank]
    customer: _Customer
    sent_at: int | None = Field(default=None, ge=0, le=4_102_444_800)


def verify(incoming: Incoming, account: Account) -> None:
    """HMAC-SHA256 over id, timestamp and raw body, lately; one of several signatures has to fit."""
    id, timestamp, signatures = (incoming.headers.get(name, "") for name in _HEADERS)
    key = _key(account.secrets["secret"])
    if not (key and id):
        raise NotGenuine(channel=account.channel)
    signed = f"{id}.{timestamp}.".encode() + incoming.body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
    sent = signatures[:_LONGEST_SIGNATURES].encode().split(b" ")
    if not any(hmac.compare_digest(each, expected) for each in sent):
        raise NotGenuine(channel=account.channel)
    if not lately(timestamp, incoming.received_at):
        raise SignedTooLongAgo(channel=account.channel)


def _key(secret: str) -> bytes:
    """Nothing of what is no base64."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return b""


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """One call is one message. Whoever calls is a program of the house, and is told what is wrong with it."""
    said = incoming.json()
    try:
        message = _Message.model_validate(said)
    except ValidationError as error:
        faults = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise InvalidInput(errors=describe(faults, said)) from None
    return [Arrived(_normalised(message, incoming, account))]


def _normalised(said: _Message, incoming: Incoming, account: Account) -> Normalised:
    now = incoming.received_at
    return Normalised(
        channel="web_chat",
        door=account.channel,
        account=account.place,
        external_id=f"{said.session_id}:{said.message_id}",
        identities=_identities(said.customer, account),
        name=said.customer.name.strip() or "—",
        text=said.text,
        title=title_of("", said.text),
        received_at=now if said.sent_at is None else told_at(said.sent_at, now),
        raw=incoming.body,
        content_type="application/json",
        region=account.region,
        city=account.city,
        product_line=account.product_line,
        address=said.session_id,
        session=f"{account.place}:{said.session_id}",
    )


def _identities(customer: _Customer, account: Account) -> tuple[Identity, ...]:
    """What other channels know too, and what this chat calls them."""
    own = Identity("external", f"{account.place}:{customer.id}")
    known = (email_identity(customer.email), phone_identity(customer.phone))
    return (*(each for each in known if each), own)


channel = Channel(name="chat", secrets=("secret",), verify=verify, parse=parse)
