"""What happened to a ticket, a request or a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

Facts: TypeAlias = Mapping[str, Any]
SubjectKind = Literal["ticket", "request", "call"]
_EPISODE_ENDS: Final = frozenset({"dispatch.ticket_closed", "dispatch.ticket_cancelled"})
# What a person says here about a subject of others; in its history it is an event like theirs.
PAUSED: Final = "sla.promises_paused"
RESUMED: Final = "sla.promises_resumed"
SAID_HERE: Final = (PAUSED, RESUMED)


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a subject as the fold sees it; `kind` is its type without the version."""

    id: UUID
    kind: str
    sequence: int
    at: datetime
    facts: Facts


def in_order(history: Sequence[Happening]) -> list[Happening]:
    """Each event once, in the order things happened.

    By time before version: what an engineer did without a network is told late, with a later version.
    """
    unique = {each.id: each if each.at.tzinfo is UTC else _in_utc(each) for each in history}
    return sorted(unique.values(), key=lambda each: (each.at, each.sequence, each.id))


def standing(ordered: Sequence[Happening]) -> list[Happening]:
    """A history in order, without what was taken back later: requests that were split were never one."""
    kept: list[Happening] = []
    for each in ordered:
        if (taken_back := _taken_back(each)) is not None:
            kept = [one for one in kept if one.kind != taken_back]
        kept.append(each)
    return kept


def _taken_back(event: Happening) -> str | None:
    """What was no such thing, as `event` tells."""
    if event.kind == "intake.request_split":
        return "intake.request_merged"
    if event.kind == "intake.request_reopened" and event.facts.get("mistaken"):
        return "intake.request_closed"
    return None


def _in_utc(event: Happening) -> Happening:
    """Local times cannot be added to: an hour later may be shown as the same time again."""
    return replace(event, at=event.at.astimezone(UTC))


def episodes(ordered: Sequence[Happening]) -> dict[int, list[Happening]]:
    """The runs of a ticket up to each end; an event that names no episode belongs to the current one."""
    found: dict[int, list[Happening]] = {}
    current = 1
    for each in ordered:
        named = each.facts.get("episode")
        current = named if isinstance(named, int) and named else current
        found.setdefault(current, []).append(each)
        if each.kind in _EPISODE_ENDS:
            current += 1
    return found


@dataclass(frozen=True, slots=True)
class Subject:
    """What the board and the alerts say of a subject beside its clocks; None while it is not known."""

    kind: SubjectKind
    title: str | None
    region: str | None
    severity: str | None
    product_line: str | None
    customer_level: str | None
    owner_id: UUID | None
    first_at: datetime
    team: str | None = None
    """The service centre that has the work."""
    channel: str | None = None
    """How it came in; of a ticket only its request knows."""
    request_id: UUID | None = None
    """The request it belongs to, so that a customer's matter is one however many records it has."""


def describe(history: Sequence[Happening]) -> Subject:
    """The newest of each fact in a history of at least one event."""
    ordered = in_order(history)
    known: dict[str, Any] = {}
    for each in ordered:
        known |= {name: value for name, value in each.facts.items() if value is not None}
    # The engineer is asked, the owner is accountable; whoever is accountable is told (R24).
    owner = known.get("owner_id") or known.get("engineer_id")
    return Subject(
        kind=_kind(ordered),
        title=known.get("title"),
        region=known.get("region"),
        severity=known.get("severity"),
        product_line=known.get("product_line"),
        customer_level=known.get("customer_level"),
        owner_id=UUID(owner) if owner else None,
        first_at=ordered[0].at,
        team=known.get("centre"),
        channel=_channel(ordered),
        request_id=UUID(request) if (request := known.get("request_id")) else None,
    )


def _channel(ordered: Sequence[Happening]) -> str | None:
    """The one it came in by: an answer may take another."""
    if _kind(ordered) == "call":
        return "phone"
    return next((each.facts["channel"] for each in ordered if "channel" in each.facts), None)


def _kind(ordered: Sequence[Happening]) -> SubjectKind:
    """What its owner's events say; what is said here may be said of anything."""
    return kind_of(next((each.kind for each in ordered if each.kind not in SAID_HERE), ordered[0].kind))


def known_facts(history: Sequence[Happening]) -> Facts:
    """What the events have told, as it was told first; the severity as it was told last."""
    known: dict[str, Any] = {}
    for each in in_order(history):
        told = {name: value for name, value in each.facts.items() if value is not None}
        known = {**told, **known, **({"severity": told["severity"]} if "severity" in told else {})}
    return known


def kind_of(event: str) -> SubjectKind:
    owner, _, name = event.partition(".")
    if owner == "dispatch":
        return "ticket"
    return "call" if name.startswith("call_") else "request"
