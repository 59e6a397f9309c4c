"""How far a request has come, in steps that customers understand (R27)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.i18n import N_

LINGERS: Final = timedelta(days=90)
"""So long after its end a request can still be looked at by its link."""
LONGEST_TEXT: Final = 5_000


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its sentence (marked with `N_`), whether it is done, and when where that is known."""

    text: str
    done: bool
    at: datetime | None = None


def steps(
    received_at: datetime, answered_at: datetime | None, has_ticket: bool, closed_at: datetime | None
) -> Sequence[Step]:
    """From what came in to its end, in order; a step that was passed over counts as done at the end."""
    ended = closed_at is not None
    return (
        Step(N_("We received your request."), True, received_at),
        Step(N_("Somebody answered you."), answered_at is not None or ended, answered_at),
        Step(N_("A ticket is open, and one person answers for it."), has_ticket or ended),
        Step(N_("It is finished."), ended, closed_at),
    )


def may_look(closed_at: datetime | None, now: datetime) -> bool:
    return closed_at is None or now < closed_at + LINGERS
