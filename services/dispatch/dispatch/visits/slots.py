"""When an engineer could come: pure, from what is known of their time, their way and the promise.

A slot lies within the engineer's work, meets no leave and no visit that is agreed, leaves the time to travel
from the visit before and to the one after, and is not before the parts that the work needs. Slots after the
deadline are slots too, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dispatch.assignment.policy import Travel
from dispatch.assignment.ways import Spot, way
from dispatch.organisation.roster import Hours, Interval, day_of, joined

GRID: Final = timedelta(minutes=30)
"""Slots begin on the half hour: people remember those."""
NOTICE: Final = timedelta(hours=1)
"""Nobody is offered what begins sooner."""
AHEAD: Final = timedelta(days=45)
LONGEST: Final = timedelta(hours=8)
"""Longer work takes several visits."""
USUAL: Final = Hours(begins="08:00", ends="20:00")
"""When customers are visited by engineers without a shift, and by those who are on call outside of theirs."""
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stop:
    """Another visit of the engineer."""

    begins: datetime
    ends: datetime
    spot: Spot


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that could be agreed; `after_promise` where somebody is owed an earlier one."""

    starts_at: datetime
    ends_at: datetime
    after_promise: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What the slots of one ticket and one engineer are made from; intervals are in order of time.

    reach     when the engineer can be there at the earliest: now, and the way
    since     not before: some notice, and the parts' arrival
    length    of the visit
    working   when the engineer is at work; None is always
    offered   the part of that in which customers are visited
    away      approved leave
    stops     other visits, agreed or going on
    spot      where the visit is
    deadline  by when somebody has to be there; None where nothing of the kind is promised
    """

    reach: datetime
    since: datetime
    until: datetime
    length: timedelta
    working: Sequence[Interval] | None
    offered: Sequence[Interval]
    away: Sequence[Interval]
    stops: Sequence[Stop]
    spot: Spot
    travel: Travel
    deadline: datetime | None = None

    def next(self, limit: int, since: datetime | None = None) -> list[Slot]:
        """The next free slots, none of which overlaps another."""
        found: list[Slot] = []
        first = self.since if since is None else max(self.since, since)
        for begins, ends in self._free():
            at = _on_grid(max(begins, first))
            while len(found) < limit and at + self._lasting <= ends and at <= self.until:
                later = self._blocked_until(at, at + self._lasting)
                if later is None:
                    found.append(self._slot(at))
                    later = at + self._lasting
                at = _on_grid(later)
        return found

    def slot_at(self, starts_at: datetime) -> Slot | None:
        """The slot that begins at `starts_at`; None where there is none (any more)."""
        if starts_at != _on_grid(starts_at) or not self.since <= starts_at <= self.until:
            return None
        ends_at = starts_at + self._lasting
        within = any(begins <= starts_at and ends_at <= ends for begins, ends in self._free())
        return self._slot(starts_at) if within and self._blocked_until(starts_at, ends_at) is None else None

    def is_free(self, begins: datetime, ends: datetime) -> bool:
        """Whether the engineer could keep an appointment that was made for somebody else."""
        at_work = self.working is None or any(
            since <= begins and ends <= until for since, until in self.working
        )
        there = not any(since < ends and until > begins for since, until in self.away)
        return begins >= self.reach and at_work and there and self._blocked_until(begins, ends) is None

    @property
    def _lasting(self) -> timedelta:
        """Never longer than the engineer ever has in one piece: the rest is another visit."""
        return min(
            self.length, LONGEST, max((ends - begins for begins, ends in self.offered), default=LONGEST)
        )

    def _slot(self, at: datetime) -> Slot:
        at = at.astimezone(UTC)
        return Slot(at, at + self._lasting, self.deadline is not None and at > self.deadline)

    def _free(self) -> Iterator[Interval]:
        for begins, ends in self.offered:
            yield from without((begins, ends), self.away)

    def _blocked_until(self, begins: datetime, ends: datetime) -> datetime | None:
        """Until when a visit from `begins` to `ends` cannot begin; None where it can be."""
        met = [stop.ends for stop in self.stops if stop.begins < ends and stop.ends > begins]
        if met:
            return max(met)
        before = max((stop for stop in self.stops if stop.ends <= begins), key=_end, default=None)
        if before and begins < (there := before.ends + way(before.spot, self.spot, self.travel)):
            return there
        after = min((stop for stop in self.stops if stop.begins >= ends), key=_begin, default=None)
        if after and after.begins < ends + way(self.spot, after.spot, self.travel):
            return after.ends
        return None


def _end(stop: Stop) -> datetime:
    return stop.ends


def _begin(stop: Stop) -> datetime:
    return stop.begins


def without(interval: Interval, taken: Sequence[Interval]) -> Iterator[Interval]:
    """What is left of an interval."""
    begins, ends = interval
    for since, until in taken:
        if since < ends and until > begins:
            if begins < since:
                yield begins, since
            begins = max(begins, until)
    if begins < ends:
        yield begins, ends


def visiting_hours(
    shift: Sequence[Interval] | None, on_call: Sequence[Interval], since: datetime, until: datetime
) -> tuple[Interval, ...]:
    """When customers are visited: in the shift; without one, and on call, in the usual hours only."""
    day, usual = day_of(since), list[Interval]()
    while day <= day_of(until):
        usual.append(USUAL.on(day))
        day += timedelta(days=1)
    if shift is None:
        return tuple(usual)
    called = (
        (max(begins, opens), min(ends, closes))
        for begins, ends in on_call
        for opens, closes in usual
        if begins < closes and ends > opens
    )
    return joined([*shift, *called])


def _on_grid(instant: datetime) -> datetime:
    """The first place of the grid that is not before `instant`."""
    return instant + (_EPOCH - instant) % GRID
