"""Tickets and requests drawn from a seed: when they pause and end, and what has to come of their promises.

The oracle is arithmetic of its own on what was recorded: it knows nothing of policies, calendars and folds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from shared.clock import uuid7
from shared.events import Payload
from shared.events.dispatch import (
    EngineerArrived,
    ResultRejected,
    TicketAssigned,
    TicketClosed,
    TicketResolved,
)
from shared.events.intake import RequestAnswered, RequestRegistered
from shared.events.terms import Severity, Site

What = Literal["begins", "pauses", "goes on", "kept", "closed"]

ENGINEER, CUSTOMER, REQUEST = UUID(int=1), UUID(int=2), UUID(int=3)
SITE: Final = Site(region="east", city="shanghai")
SECOND: Final = timedelta(seconds=1)
LENGTHS: Final[dict[Severity, timedelta]] = {
    "urgent": 3 * SECOND,
    "important": 5 * SECOND,
    "general": 8 * SECOND,
}
ANSWER_WITHIN: Final = 4 * SECOND
WARNED_AT: Final = 50  # percent
PAUSED: Final = 1.5  # seconds

_SEVERITIES: Final[tuple[Severity, ...]] = ("urgent", "important", "general")


def _within(length: timedelta) -> dict[str, Any]:
    return {"kind": "wall", "length": length.total_seconds(), "requirement": "R54"}


def _kind(event: type[Payload]) -> str:
    return event.type.rpartition(".")[0]


POLICY: Final[dict[str, Any]] = {
    "calendar": "cn",
    "promises": [
        {
            "code": "arrive",
            "about": "ticket",
            "per": "episode",
            "starts": [_kind(TicketAssigned)],
            "stops": [_kind(EngineerArrived)],
            "cancels": [_kind(TicketClosed)],
            "pauses": [
                {
                    "kind": "waiting",
                    "begins": [_kind(TicketResolved)],
                    "ends": [_kind(ResultRejected)],
                    "reason": "awaiting_acceptance",
                }
            ],
            "cases": [
                {"when": {"severity": [severity]}, "target": _within(length)}
                for severity, length in LENGTHS.items()
            ],
            "warns": [WARNED_AT],
        },
        {
            "code": "answer",
            "about": "request",
            "per": "subject",
            "starts": [_kind(RequestRegistered)],
            "stops": [_kind(RequestAnswered)],
            "cases": [{"target": _within(ANSWER_WITHIN)}],
            "warns": [WARNED_AT],
        },
    ],
}
"""Promises of seconds, as sla-monitor stores them."""


@dataclass(frozen=True, order=True)
class Act:
    """Something that happens so many seconds after its matter began, and is told `later`."""

    at: float
    what: What
    later: float = 0.0


@dataclass
class Matter:
    """A ticket (of `severity`) or a request (of none), what is to happen, and when it did.

    prompt  nothing is recorded after the fact, of which no watermark could know
    """

    id: UUID
    severity: Severity | None
    acts: Sequence[Act]
    happened: dict[What, datetime] = field(default_factory=dict)

    @property
    def producer(self) -> str:
        return "dispatch" if self.severity else "intake"

    @property
    def length(self) -> timedelta:
        return LENGTHS[self.severity] if self.severity else ANSWER_WITHIN

    @property
    def prompt(self) -> bool:
        return not any(act.later for act in self.acts)

    def payload(self, what: What) -> Payload:
        """As its owner tells of it."""
        if self.severity is None:
            return _ANSWERED if what == "kept" else _REGISTERED
        return _told(self.severity)[what]

    @property
    def deadline(self) -> datetime:
        due = self.happened["begins"] + self.length
        paused, on = self.happened.get("pauses"), self.happened.get("goes on")
        return due + (on - paused) if paused and on and paused < due else due

    @property
    def ended(self) -> datetime | None:
        return self.happened.get("kept") or self.happened.get("closed")

    @property
    def outcome(self) -> str:
        """Long after everything that can happen."""
        if self.ended is None or self.ended > self.deadline:
            return "breached"
        return "met" if "kept" in self.happened else "cancelled"


def draw_matters(seed: int) -> Iterator[Matter]:
    """One after the other, without end; how they end is drawn, most of it close to the deadline."""
    chance = random.Random(f"{seed}/matters")
    while True:
        severity = chance.choice(_SEVERITIES) if chance.random() < 0.7 else None
        yield Matter(uuid7(), severity, tuple(_acts(chance, severity)))


def _acts(chance: random.Random, severity: Severity | None) -> Iterator[Act]:
    due = (LENGTHS[severity] if severity else ANSWER_WITHIN).total_seconds()
    yield Act(0.0, "begins")
    if severity and chance.random() < 0.2:
        pause = chance.uniform(0.1, 0.4) * due
        yield Act(pause, "pauses")
        yield Act(pause + PAUSED, "goes on")
        due += PAUSED
    yield from _ending(chance, due, is_ticket=severity is not None)


def _ending(chance: random.Random, due: float, *, is_ticket: bool) -> Iterator[Act]:
    """Never, early, just in time, just too late, closed, or in time and told afterwards."""
    match chance.choices(range(6), weights=(25, 20, 25, 15, 5, 10))[0]:
        case 1:
            yield Act(chance.uniform(0.6, 0.8) * due, "kept")
        case 2:
            yield Act(due - chance.uniform(0.05, 0.4), "kept")
        case 3:
            yield Act(due + chance.uniform(0.05, 2.0), "kept")
        case 4:
            yield Act(chance.uniform(0.6, 0.8) * due, "closed" if is_ticket else "kept")
        case 5:
            yield Act(due - chance.uniform(0.1, 0.4), "kept", later=chance.uniform(1.0, 3.0))


_REGISTERED: Final = RequestRegistered(
    channel="web_form", customer_id=CUSTOMER, kind="fault", severity="general", site=SITE, title="It stands"
)
_ANSWERED: Final = RequestAnswered(channel="web_form", by=ENGINEER)


def _told(severity: Severity) -> dict[What, Payload]:
    return {
        "begins": TicketAssigned(
            request_id=REQUEST, engineer_id=ENGINEER, tier="senior", severity=severity, centre="SH1",
            same_city=True, site=SITE,
        ),
        "pauses": TicketResolved(
            request_id=REQUEST, customer_id=CUSTOMER, engineer_id=ENGINEER, episode=1
        ),
        "goes on": ResultRejected(episode=1, reason="It still leaks"),
        "kept": EngineerArrived(engineer_id=ENGINEER),
        "closed": TicketClosed(
            request_id=REQUEST, customer_id=CUSTOMER, engineer_id=ENGINEER, reason="accepted",
            severity=severity, site=SITE, episode=1,
        ),
    }  # fmt: skip
