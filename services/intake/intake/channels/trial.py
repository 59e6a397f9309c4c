"""What intake would make of what a channel sends: for those who write adapters. Pure, and changes nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from intake.calls.routes import CallTold as PhoneCall
from intake.calls.routes import taken_down
from intake.channels.contract import (
    Account,
    Announced,
    Arrived,
    CallTold,
    DeliveryTold,
    Incoming,
    NotGenuine,
    Opted,
    Unreadable,
    Verdict,
)
from intake.channels.held import held
from intake.channels.input import NewRequest
from intake.channels.mail.arrival import Came, normalised, wish_of_mail
from intake.channels.mail.parser import parse as parse_mail
from intake.channels.providers import chat
from intake.channels.registry import channel_of, doors
from intake.channels.routes import LARGEST_MAIL, normalise
from intake.optouts.rules import wished
from intake.requests.rules import Normalised, own_words
from shared.clock import uuid7
from shared.errors import AftercareError
from shared.http import strict
from shared.http.problem import InvalidInput
from shared.http.wording import wording

OWN: Final = ("email", "phone", "web_form", "webhook")
"""Channels with a door of our own making, beside those of providers."""

_UNSIGNED: Final = ("email", "phone", "web_form")  # their senders show a token, which no body carries
_OTHER_EAST_ASIAN: Final = ("HIRAGANA", "KATAKANA", "HANGUL")

M = TypeVar("M", bound=BaseModel)
Made = Literal["request", "status", "event", "duplicate", "refused"]


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one message; one call may hold many."""

    verdict: Made
    reason: str = ""
    genuine: bool = True
    external_id: str | None = None
    automatic: str | None = None
    message: Normalised | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """As the command prints it."""
        told: dict[str, Any] = {"verdict": self.verdict, "reason": self.reason or None}
        told |= {"external_id": self.external_id, "automatic": self.automatic}
        return told | (_said(self.message) if self.message else {})


@dataclass(slots=True)
class Trial:
    """Many calls of one account of a channel; what was there before is a duplicate.

    secrets  what the account is set up with; without any, no signature is checked
    """

    channel: str
    secrets: Mapping[str, str]
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def missing(self) -> list[str]:
        """Which secrets are needed to check a signature and were not given. Raises `NoSuchChannel`."""
        if self.channel in _UNSIGNED or not self.secrets:
            return []
        needed = ("secret",) if self.channel == "webhook" else channel_of(self.channel).secrets
        return [each for each in needed if each not in self.secrets]

    @property
    def verified(self) -> bool:
        return bool(self.secrets) and self.channel not in _UNSIGNED

    def look(self, incoming: Incoming) -> list[Line]:
        """What would be made of one call."""
        try:
            return [self._known(each) for each in self._lines(incoming)]
        except Unreadable:
            return [Line("event", "unreadable")]  # kept whole, and answered as stored
        except InvalidInput as refusal:
            faults: Any = refusal.data["errors"]
            return [Line("refused", "; ".join(f"{each['pointer']}: {each['detail']}" for each in faults))]
        except NotGenuine as refusal:
            return [Line("refused", str(refusal), genuine=False)]
        except AftercareError as refusal:
            return [Line("refused", str(refusal))]
        except ValidationError as refusal:
            return [Line("refused", "; ".join(_fault(each) for each in refusal.errors()))]
        except KeyError as missing:
            return [Line("refused", f"this is sealed: give --secret {missing.args[0]}=…")]

    def _known(self, line: Line) -> Line:
        """One request has one id; of a message or a call more than one thing may be told."""
        if line.external_id is None:
            return line
        told = (line.external_id, "" if line.verdict == "request" else line.reason)
        if told in self._seen:
            return Line("duplicate", "the same external id came before", external_id=line.external_id)
        self._seen.add(told)
        return line

    def _lines(self, incoming: Incoming) -> Iterator[Line]:
        match self.channel:
            case "email":
                yield _mail(incoming)
            case "phone":
                yield _call(_model(PhoneCall, incoming), incoming)
            case "web_form" | "webhook":
                yield self._form(incoming)
            case _:
                yield from self._provider(incoming)

    def _form(self, incoming: Incoming) -> Line:
        if self.channel == "webhook" and self.verified:
            chat.verify(incoming, Account("webhook", "trial", self.secrets))
        new = _model(NewRequest, incoming)
        if self.channel == "webhook":
            id = incoming.headers.get("webhook-id") or None
            new = new.model_copy(update={"channel": "webhook", "external_id": id, "occurred_at": None})
        told = new.external_id
        message = normalise(new, "trial", incoming.body, incoming.received_at)
        return Line("request", external_id=told, message=message)

    def _provider(self, incoming: Incoming) -> Iterator[Line]:
        kind = channel_of(self.channel)
        account = Account(self.channel, "trial", self.secrets)
        if len(incoming.body) > kind.largest:
            yield Line("refused", f"more than {kind.largest} bytes")
            return
        if self.verified:
            kind.verify(incoming, account)
        for each in kind.parse(incoming, account):
            yield _line(held(wished(each)))


def names() -> list[str]:
    """The channels that can be tried."""
    return sorted({*OWN, *doors()})


def language(text: str) -> str:
    """By script: zh for Han without Japanese or Korean letters, en for Latin, else other."""
    letters = [unicodedata.name(each, "").partition(" ")[0] for each in text if each.isalpha()]
    if not letters or any(each in _OTHER_EAST_ASIAN for each in letters):
        return "other"
    if letters.count("CJK") * 5 >= len(letters):  # product names and the like are Latin everywhere
        return "zh"
    return "en" if letters.count("LATIN") * 2 > len(letters) else "other"


def incoming_of(
    body: bytes, headers: Mapping[str, str], url: str, query: Mapping[str, str], at: datetime
) -> Incoming:
    """A call as it would have come in."""
    return Incoming("POST", url, {name.lower(): value for name, value in headers.items()}, query, body, at)


def _line(verdict: Verdict) -> Line:
    match verdict:
        case Arrived(message=message):
            return Line("request", external_id=message.external_id, message=message)
        case Opted(message=message):
            return Line("event", "opt_out" if verdict.out else "opt_in", external_id=message.external_id)
        case Announced():
            return Line("event", f"announced: {verdict.of or 'whatever there is'} is fetched")
        case DeliveryTold():
            return Line(
                "status", f"{verdict.state} {verdict.detail}".strip(), external_id=verdict.external_id
            )
        case CallTold():
            return Line("event", f"call {verdict.event}", external_id=verdict.external_id)
        case _:
            return Line("event", verdict.kind, external_id=verdict.external_id)


def _mail(incoming: Incoming) -> Line:
    if not incoming.body or len(incoming.body) > LARGEST_MAIL:
        return Line("refused", f"not between 1 and {LARGEST_MAIL} bytes")
    mail = parse_mail(incoming.body)
    if mail.automatic:
        return Line("event", "no person wrote this", external_id=mail.external_id, automatic=mail.automatic)
    message = normalised(mail, incoming.body, Came("trial", incoming.received_at))
    if (wish := wish_of_mail(mail)) is not None:
        return Line("event", "opt_out" if wish else "opt_in", external_id=mail.external_id)
    return Line("request", external_id=mail.external_id, message=message)


def _call(told: PhoneCall, incoming: Incoming) -> Line:
    if told.request is None:
        return Line("event", f"call {told.event}", external_id=told.call_id)
    message = taken_down(told, told.request, uuid7(), incoming.received_at, incoming.body)
    return Line("request", external_id=told.call_id, message=message)


def _model(model: type[M], incoming: Incoming) -> M:
    return model.model_validate(strict.parse(incoming.body))


def _fault(error: Any) -> str:
    return f"{strict.pointer(error['loc'])}: {wording(error)}"


def _said(message: Normalised) -> dict[str, Any]:
    senders: Sequence[dict[str, str]] = [{"kind": each.kind, "id": each.value} for each in message.identities]
    return {
        "channel": message.channel,
        "sender": senders[0],
        "also_known_as": senders[1:],
        "subject": message.title,
        "text": message.text,
        "language": language(own_words(message.text)),
        "attachments": [{"name": each.name, "size": len(each.content)} for each in message.attachments],
        "thread": {"session": message.session, "answers": list(message.answers)},
    }
