"""What is held for whom: all of a requisition or nothing, first come first served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

HOLD: Final = timedelta(days=7)
"""How long parts wait for the engineer before others may have them."""

Shelf = tuple[str, str]
"""A warehouse and a part number."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One requisition: so many pieces of each part, from one warehouse (None where the centre has none)."""

    id: UUID
    warehouse: str | None
    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Held:
    """Everything is there and is held."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Short:
    """Something is missing, so nothing is held: half a repair helps nobody and blocks others."""

    wanted: Wanted
    missing: Mapping[str, int]


def reserve(requisitions: Sequence[Wanted], available: Mapping[Shelf, int]) -> list[Held | Short]:
    """Decide for each requisition in turn, what was held before counting against what comes after (R73)."""
    left = dict(available)
    decisions: list[Held | Short] = []
    for wanted in requisitions:
        missing = {
            part: quantity - have
            for part, quantity in wanted.lines.items()
            if (have := left.get((wanted.warehouse or "", part), 0)) < quantity
        }
        if missing:
            decisions.append(Short(wanted, missing))
            continue
        for part, quantity in wanted.lines.items():
            left[wanted.warehouse or "", part] -= quantity
        decisions.append(Held(wanted))
    return decisions


def held_pieces(decisions: Sequence[Held | Short]) -> dict[Shelf, int]:
    """How many pieces of each part in each warehouse the decisions hold, together."""
    pieces: dict[Shelf, int] = {}
    for decision in decisions:
        if isinstance(decision, Held):
            for part, quantity in decision.wanted.lines.items():
                shelf = (decision.wanted.warehouse or "", part)
                pieces[shelf] = pieces.get(shelf, 0) + quantity
    return pieces
