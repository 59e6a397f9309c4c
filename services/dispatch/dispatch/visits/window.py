"""When a visit can be: not before the parts are there, at the time that was agreed, until the promise is due.

A window is the instants at which somebody may come, its ends with it. Where no instant is left, each pair of
limits that leaves none is named: any set of such limits that leaves none has such a pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from dispatch.promises.rules import Deadlines, name_of
from shared.i18n import N_, gettext
from shared.i18n.language import current_language

Earliest = Literal["now", "parts", "visit"]
Latest = Literal["visit", "promise"]

WORDS: Final[Mapping[tuple[Earliest, Latest], str]] = {
    ("now", "visit"): N_("The agreed visit ended {until}."),
    ("now", "promise"): N_("“{promise}” was due {until}: whoever comes now is late."),
    ("parts", "visit"): N_("The parts are expected {since}, after the agreed visit ends {until}."),
    ("parts", "promise"): N_("The parts are expected {since}, after “{promise}” is due {until}."),
    ("visit", "promise"): N_("The agreed visit begins {since}, after “{promise}” is due {until}."),
}
"""Which limit fights which. A visit that ends before it begins is refused when it is agreed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What limits a visit; None is no limit.

    now          nobody comes earlier, where that is asked
    parts_at     the parts that the work needs are there
    appointment  agreed with the customer, from when to when
    due_at       the promise `promise` (a clock's code) runs out
    """

    now: datetime | None = None
    parts_at: datetime | None = None
    appointment: tuple[datetime, datetime] | None = None
    due_at: datetime | None = None
    promise: str = ""

    def earliest(self) -> Iterator[tuple[Earliest, datetime]]:
        if self.now is not None:
            yield "now", self.now
        if self.parts_at is not None:
            yield "parts", self.parts_at
        if self.appointment is not None:
            yield "visit", self.appointment[0]

    def latest(self) -> Iterator[tuple[Latest, datetime]]:
        if self.appointment is not None:
            yield "visit", self.appointment[1]
        if self.due_at is not None:
            yield "promise", self.due_at


@dataclass(frozen=True, slots=True)
class Fight:
    """Two limits that leave no instant: nobody may come before `since`, nor after `until`."""

    earliest: Earliest
    since: datetime
    latest: Latest
    until: datetime
    promise: str = ""

    def said(self) -> str:
        """In the reader's language."""
        written = current_language().moment
        return gettext(WORDS[self.earliest, self.latest]).format(
            since=written(self.since), until=written(self.until), promise=gettext(name_of(self.promise))
        )


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when somebody may come, both with it; None is no end on that side."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class NoWindow:
    """No instant is left, and why."""

    fights: tuple[Fight, ...]


def window_of(limits: Limits) -> Window | NoWindow:
    """When somebody may come."""
    fights = tuple(fights_of(limits))
    if fights:
        return NoWindow(fights)
    since = max((at for _, at in limits.earliest()), default=None)
    until = min((at for _, at in limits.latest()), default=None)
    return Window(since, until)


def fights_of(limits: Limits) -> Iterator[Fight]:
    """Each pair of limits that leaves no instant."""
    for earliest, since in limits.earliest():
        for latest, until in limits.latest():
            if since > until:
                yield Fight(earliest, since, latest, until, limits.promise if latest == "promise" else "")


def limits_of(
    owed: Deadlines,
    parts_at: datetime | None,
    appointment: tuple[datetime, datetime] | None,
    now: datetime | None = None,
) -> Limits:
    """The limits of a ticket's visit: until somebody has to be on site, else until it has to be solved.

    A promise that stands still is none.
    """
    code = "on_site" if owed.on_site else "resolution"
    return Limits(now, parts_at, appointment, owed.on_site or owed.resolution, code)
