"""What is held for whom: all of a requisition or nothing, who asked first comes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from parts.stock.rules import Shelf

LATEST: Final = timedelta(days=365)
"""Whoever names a later day has mistyped the year."""
HOLD: Final = timedelta(days=7)
"""How long parts wait for the engineer before others may have them."""

State = Literal["short", "held", "used", "released"]
OPEN: Final[tuple[State, ...]] = ("held", "short")
"""Somebody still waits for the parts."""


@dataclass(frozen=True, slots=True)
class Requisition:
    """What an engineer asked for in one go, and what became of it.

    ticket_version  the ticket's when it asked
    warehouse       None where the engineer's centre has none
    lines           pieces by part number
    expected_at     when what is short will be there, where somebody said so
    """

    id: UUID
    ticket_id: UUID
    ticket_version: int
    engineer_id: UUID
    warehouse: str | None
    lines: Mapping[str, int]
    state: State = "short"
    held_until: datetime | None = None
    version: int = 0
    expected_at: datetime | None = None

    def pieces(self) -> dict[Shelf, int]:
        """Pieces by shelf; no warehouse is one where nothing lies."""
        return {Shelf(self.warehouse or "", part): quantity for part, quantity in self.lines.items()}


@dataclass(frozen=True, slots=True)
class Held:
    """Everything is there and is held."""

    requisition: Requisition


@dataclass(frozen=True, slots=True)
class Short:
    """Something is missing, so nothing is held: half a repair helps nobody and blocks others."""

    requisition: Requisition
    missing: Mapping[str, int]


def reserve(
    requisitions: Iterable[Requisition], available: Mapping[Shelf, int], now: datetime
) -> list[Held | Short]:
    """Decide for each in turn, what is held for one counting against those after it (R73)."""
    left = dict(available)
    decisions: list[Held | Short] = []
    for requisition in requisitions:
        pieces = requisition.pieces()
        missing = {
            shelf.part_number: quantity - left.get(shelf, 0)
            for shelf, quantity in pieces.items()
            if left.get(shelf, 0) < quantity
        }
        if missing:
            decisions.append(Short(_next(requisition, "short"), missing))
            continue
        for shelf, quantity in pieces.items():
            left[shelf] -= quantity
        decisions.append(Held(_next(requisition, "held", now + HOLD)))
    return decisions


def use(requisition: Requisition) -> Requisition:
    """The parts are built in, all or some of them."""
    return _next(requisition, "used")


def expect(requisition: Requisition, expected_at: datetime) -> Requisition:
    """Somebody knows when what is short will be there."""
    return replace(requisition, expected_at=expected_at, version=requisition.version + 1)


def left(requisition: Requisition, used: Mapping[str, int]) -> dict[str, int]:
    """What comes back when so many pieces of each part were built in."""
    rest = {part: held - used.get(part, 0) for part, held in requisition.lines.items()}
    return {part: pieces for part, pieces in rest.items() if pieces}


def release(requisition: Requisition) -> Requisition:
    """The parts are for others; it asked for them in vain if it was short."""
    return _next(requisition, "released")


def is_over(requisition: Requisition, closed: Mapping[UUID, int]) -> bool:
    """Whether its ticket was closed after it asked; `closed` has the version of each ticket's newest close.

    Versions, not arrival: a close may be told before what it ends, and long after the ticket reopened.
    """
    return requisition.ticket_version < closed.get(requisition.ticket_id, 0)


def _next(requisition: Requisition, state: State, held_until: datetime | None = None) -> Requisition:
    version = requisition.version + 1
    return replace(requisition, state=state, held_until=held_until, version=version, expected_at=None)


def in_order(requisitions: Iterable[Requisition]) -> Sequence[Requisition]:
    """The oldest first: their ids carry the time they were asked at."""
    return sorted(requisitions, key=lambda requisition: requisition.id)
