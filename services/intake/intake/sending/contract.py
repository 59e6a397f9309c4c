"""What a sender is: a value that knows how its provider wants to be asked, and what its answers mean.

One file in `sending/senders/` holds one such value. `compose` and `read` are pure: what is to be said and an
account in, a call out; an answer in, what became of it out. The lanes (`sending/lanes.py`) do the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from intake.channels.contract import Account

MOST_READ: Final = 64 * 1024
"""Bytes of a provider's answer."""

Why = Literal[
    "no_address",
    "no_account",
    "no_sender",
    "not_set_up",
    "too_old",
    "unknown_template",
    "window_over",
    "too_long",
    "refused",
    "unreachable",
    "busy",
    "uncertain",
    "given_up",
    "person",
    "unwanted",
]
"""Why a message is where it is; pages have words for each."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way to a customer.

    id, round   the same at every attempt, so that a receiver may drop what it has; a person who lets it be
                sent again begins a new round
    text        what the customer reads, its link absolute
    subject     what the request is about
    thread      ids of the mails before, the oldest first
    replies_to  id of the mail of the customer's that it answers
    token       proves which request a mail belongs to, see `intake.messages.threads`
    message_id  of the mail, the same at each attempt of a round
    heard_at    when the customer last wrote from this address
    callback    where the provider may tell what became of it; empty where it could not reach us
    automatic   `auto-replied` or `auto-generated` (RFC 3834) where nobody wrote this for this customer
    """

    id: UUID
    round: int
    request_id: UUID
    address: str
    text: str
    subject: str
    made_at: datetime
    thread: tuple[str, ...] = ()
    replies_to: str = ""
    heard_at: datetime | None = None
    reference: str = ""
    message_id: str = ""
    token: str = ""
    callback: str = ""
    automatic: str = ""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One call of a provider; who made it knows what is secret in it."""

    url: str = field(repr=False)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Sent:
    """It is with the provider, who knows it by this id."""

    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never be taken as it is; a person looks."""

    detail: str
    why: Why = "refused"


@dataclass(frozen=True, slots=True)
class Later:
    """It surely was not taken, and may be another time, after `after` at the earliest."""

    detail: str
    after: timedelta | None = None
    why: Why = "busy"


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Nobody can say whether it was taken."""

    detail: str


@dataclass(frozen=True, slots=True)
class Renew:
    """The ticket we showed is no longer good: get another one and ask again."""

    detail: str


Outcome = Sent | Refused | Later | Uncertain
Answered = Outcome | Renew


@dataclass(frozen=True, slots=True)
class Ticket:
    """How some providers want it: a short-lived token first, got with the account's secrets.

    compose  the call that gets one
    read     the token and how long it is good for, in seconds; None and why, where there is none
    """

    compose: Callable[[Account], HttpCall]
    read: Callable[[int, bytes], tuple[str, int] | Refused | Later]


@dataclass(frozen=True, slots=True)
class Sender:
    """One provider's way out.

    channel          of the accounts it sends for, see `intake.channels`
    needs            the secrets without which an account cannot send
    one_of, options  secrets of which one is needed, and others it may have
    compose          the call; the token is empty where there is no `ticket`
    read             status, headers (lower case) and body into what became of it
    drops_duplicates whether the receiver knows a message again, so that it may be repeated after a crash
    longest          characters of a text, or bytes of it in UTF-8
    window           for how long after a customer wrote from an address it may be answered; None is for ever
    """

    channel: str
    needs: tuple[str, ...]
    compose: Callable[[Outgoing, Account, str], HttpCall]
    read: Callable[[int, Mapping[str, str], bytes], Answered]
    drops_duplicates: bool = False
    window: Callable[[str], timedelta | None] = lambda address: None
    ticket: Ticket | None = None
    one_of: tuple[str, ...] = ()
    options: tuple[str, ...] = ("api_url",)
    longest: int | None = None
    in_bytes: bool = False


def told(body: bytes) -> Mapping[str, Any]:
    """A provider's JSON object; empty when it is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def asked_to_wait(headers: Mapping[str, str]) -> timedelta | None:
    """What Retry-After asks for in seconds, at most a day."""
    asked = headers.get("retry-after", "")
    if not (asked.isascii() and asked.isdigit() and len(asked) < 7):
        return None
    return min(timedelta(seconds=int(asked)), timedelta(days=1))


def trouble(status: int, headers: Mapping[str, str], detail: str) -> Later | Refused:
    """What any status but success means: outages pass, what is wrong with the call itself does not."""
    said = f"{status} {detail}".strip()
    if status in (401, 408, 425, 429) or status >= 500:  # 401: somebody mends the account
        return Later(said, asked_to_wait(headers))
    return Refused(said)


def posted(url: str, content: Any, headers: Mapping[str, str] | None = None) -> HttpCall:
    """A call with a JSON body."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return HttpCall(url, body, {"content-type": "application/json", **(headers or {})})


def base(account: Account, usual: str) -> str:
    """Where the provider's API is: its own address, or one that the account names (`api_url`)."""
    return account.secrets.get("api_url", usual).rstrip("/")
