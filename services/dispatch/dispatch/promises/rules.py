"""What is promised about a ticket and by when; sla-monitor counts, this says what matters next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from shared.events.sla import (
    ClockAmended,
    ClockBreached,
    ClockCancelled,
    ClockMet,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockWarned,
)
from shared.i18n import N_

Standing = Literal["running", "paused", "met", "breached", "cancelled"]
OPEN: Final[tuple[Standing, ...]] = ("running", "paused", "breached")
"""Somebody may still owe it: what was missed is owed until it is done."""
Told: TypeAlias = (
    ClockStarted | ClockWarned | ClockMet | ClockBreached | ClockPaused | ClockResumed | ClockCancelled
    | ClockAmended
)  # fmt: skip

_STANDING: Final[Mapping[type[Told], Standing]] = {
    ClockStarted: "running",
    ClockWarned: "running",
    ClockMet: "met",
    ClockBreached: "breached",
    ClockPaused: "paused",
    ClockResumed: "running",
    ClockCancelled: "cancelled",
}
NAMES: Final[Mapping[str, str]] = {
    "answer_call": N_("Answer the call"),
    "return_call": N_("Call back"),
    "first_reply": N_("First reply"),
    "accept": N_("Accept the task"),
    "on_site": N_("Arrive on site"),
    "visit_agreed": N_("Agree on a visit"),
    "appointment_kept": N_("Keep the appointment"),
    "resolution": N_("Solve the problem"),
    "leadership_acknowledged": N_("Leadership knows"),
    "progress": N_("Tell how it goes"),
}
"""As the board of promises calls them; one that the house made up itself is called by its code."""
DONE_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "accept": (
        "assignment_accepted", "assignment_declined", "assignment_withdrawn", "ticket_assigned", "taken_away",
    ),
    "on_site": ("engineer_arrived",),
    "visit_agreed": ("visit_agreed",),
    "appointment_kept": ("engineer_arrived", "ticket_progressed", "visit_agreed", "ticket_resolved"),
    "leadership_acknowledged": ("leadership_acknowledged",),
    "progress": ("customer_informed", "ticket_resolved"),
}  # fmt: skip
"""What does late what was promised, in a ticket's history: of what was missed nothing more is told."""
ENDED_BY: Final = ("ticket_closed", "ticket_cancelled")
"""What ends them all."""


def standing_of(told: Told) -> Standing:
    """How a clock stands after an event about it."""
    if isinstance(told, ClockAmended):
        return "paused" if told.outcome == "running" and told.paused else told.outcome
    return _STANDING[type(told)]


def name_of(code: str) -> str:
    """The name of a promise, to be translated."""
    return NAMES.get(code, code)


@dataclass(frozen=True, slots=True)
class Clock:
    """One promise that is owed still; `stands` while its time does not count."""

    code: str
    due_at: datetime
    stands: bool = False

    @property
    def name(self) -> str:
        """To be translated."""
        return name_of(self.code)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """What is owed about a ticket, the earliest first.

    By name an instant, which may lie behind us: None when it is not promised, met, cancelled or standing.
    """

    clocks: tuple[Clock, ...] = ()

    @property
    def on_site(self) -> datetime | None:
        return self._due("on_site")

    @property
    def visit_agreed(self) -> datetime | None:
        return self._due("visit_agreed")

    @property
    def resolution(self) -> datetime | None:
        return self._due("resolution")

    @property
    def next(self) -> tuple[str, datetime] | None:
        """The earliest that runs: its clock's code, and by when."""
        return next(((each.code, each.due_at) for each in self.clocks if not each.stands), None)

    @property
    def name(self) -> str | None:
        """Of what is shown, to be translated: what runs and comes next, else what stands still."""
        return name_of(self.next[0]) if self.next else name_of(self.standing) if self.standing else None

    @property
    def standing(self) -> str | None:
        """The code of what stands still where nothing runs, the first that would be due."""
        return self.clocks[0].code if self.clocks and self.next is None else None

    def _due(self, code: str) -> datetime | None:
        found = (each.due_at for each in self.clocks if each.code == code and not each.stands)
        return next(found, None)


NOTHING_PROMISED: Final = Deadlines()
