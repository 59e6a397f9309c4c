"""Verdicts held to what the tables can keep, whatever a provider, or somebody with its secret, writes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Final

from intake.channels.contract import Announced, Arrived, CallTold, DeliveryTold, Noticed, Opted, Verdict
from intake.channels.input import is_blank
from intake.channels.lenient import LOST, storable
from intake.requests.rules import Normalised

LONGEST_ID: Final = 200  # characters; an entry of an index has to hold it
_LONGEST_NAME: Final = 200
_LONGEST_DETAIL: Final = 1000


def held(verdict: Verdict) -> Verdict:
    """The same, with texts that can be stored and names that can be indexed."""
    match verdict:
        case Arrived():
            return Arrived(_message(verdict.message))
        case Opted():
            return replace(verdict, message=_message(verdict.message))
        case Announced():
            return Announced(named(verdict.of), storable(verdict.token)[:LONGEST_ID])
        case DeliveryTold():
            detail = storable(verdict.detail)[:_LONGEST_DETAIL]
            return replace(verdict, external_id=named(verdict.external_id), detail=detail)
        case CallTold() | Noticed():
            return replace(verdict, external_id=named(verdict.external_id))


def is_nameless(verdict: Verdict) -> bool:
    """Whether it has no name of its own: all that came without one would be taken for the same."""
    if isinstance(verdict, Announced):
        return False
    name = verdict.message.external_id if isinstance(verdict, Arrived | Opted) else verdict.external_id
    return is_blank(name)


def named(id: str) -> str:
    """An identifier as it is; of one that is too long, how it begins and a digest of all of it."""
    clean = storable(id)
    if len(clean.encode()) <= LONGEST_ID:
        return clean
    return f"{clean[:60]}:sha256:{hashlib.sha256(id.encode(errors='surrogatepass')).hexdigest()}"


def _told_apart(message: Normalised) -> str:
    """An id of which a character was lost might be another message's: what it says is part of it then."""
    if LOST not in (id := storable(message.external_id)):
        return id
    return f"{id}:{hashlib.sha256(message.raw).hexdigest()[:32]}"


def _message(message: Normalised) -> Normalised:
    return replace(
        message,
        external_id=named(_told_apart(message)),
        identities=tuple(replace(each, value=named(each.value)) for each in message.identities),
        name=storable(message.name)[:_LONGEST_NAME] or "—",
        text=storable(message.text),
        title=storable(message.title),
        answers=tuple(map(named, message.answers)),
        address=None if message.address is None else named(message.address),
        session=None if message.session is None else named(message.session),
    )
