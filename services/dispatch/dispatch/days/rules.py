"""An engineer's day: the visits that are agreed, the other work around them, and the ways between.

What is agreed with a customer stands as it is, and what has begun stands as it happened. The other tickets
are put between, one after the other, by insertion:

1. What is due first is placed first; of what is due at the same time, what is nearest to the service centre.
2. Each goes where it is late by the least, then where it costs the least way, then as early as it can be.
3. What was placed is not moved any more; what fits nowhere is left over, and why is told.

Work and the way to it lie within working time; the way to an agreed visit may lie outside of it. The way is
the straight line made longer, at the speed of the assignment policy, in whole minutes; the first begins at
the service centre, and the way back is not planned. No plan is the best there could be, but the same stops
always make the same plan.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from operator import itemgetter
from typing import Final, Literal
from uuid import UUID

from dispatch.assignment.policy import Policy, Travel
from dispatch.assignment.ways import Spot, way
from dispatch.organisation.roster import Interval, joined
from shared.events.terms import PersonId
from shared.i18n import ZONE

BlockKind = Literal["travel", "visit", "work", "free", "away"]
Because = Literal["waits", "collides", "away", "too_long", "parts_come_later", "no_time"]
"""Why something has no place in a day.

waits             for the customer, for parts, for somebody else
collides          there is an agreed visit, or other work that has begun, at that time
away              whose day it is has leave, or does not work on that day
too_long          there is no stretch of working time as long as the work and the way to it
parts_come_later  not on that day, or too late on it
no_time           everything else
"""

_MINUTE: Final = timedelta(minutes=1)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Worker:
    """Whose day it is.

    start    where the day begins: the service centre
    working  shifts and duty on call, in order; None is always
    leave    approved, in order
    since    nothing new begins before; None where the whole day lies ahead
    """

    id: PersonId
    start: Spot
    working: Sequence[Interval] | None = None
    leave: Sequence[Interval] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Something to do somewhere.

    length      of the work, where no time is agreed
    agreed      the time agreed with the customer
    taken       when it was done, or has been under way and will be for about, whatever was agreed
    set_out     when somebody left for it, while they are on the way
    arrive_by, done_by, agree_by  deadlines of the arrival, the end and agreeing a time; None: no promise
    not_before  when the parts it needs will be there, where that is known
    waits       nothing can be done now
    """

    ticket_id: UUID
    spot: Spot
    length: timedelta
    agreed: Interval | None = None
    taken: Interval | None = None
    set_out: datetime | None = None
    arrive_by: datetime | None = None
    done_by: datetime | None = None
    agree_by: datetime | None = None
    not_before: datetime | None = None
    waits: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may be put anywhere."""
        return self.agreed is None and self.taken is None and self.set_out is None

    @property
    def due(self) -> datetime:
        """What presses first."""
        return min((each for each in (self.arrive_by, self.done_by, self.agree_by) if each), default=_NEVER)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a day.

    late_by  how much later than agreed or promised somebody arrives or is done; None where they keep to it
    """

    kind: BlockKind
    starts_at: datetime
    ends_at: datetime
    ticket_id: UUID | None = None
    late_by: timedelta | None = None


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What has no place in a day, and why."""

    ticket_id: UUID
    because: Because


@dataclass(frozen=True, slots=True)
class Day:
    """A day from midnight to midnight without gaps; a visit that reaches beyond is there as a whole."""

    person_id: PersonId
    date: date
    blocks: tuple[Block, ...]
    left_over: tuple[LeftOver, ...] = ()


def plan_day(person: Worker, day: date, stops: Iterable[Stop], policy: Policy) -> Day:
    """The day of `person` with all of `stops`: each is one block, or left over."""
    return _Plan(person, day, policy.travel).made_of(stops)


def plan_ahead(days: Sequence[tuple[Worker, date, Sequence[Stop]]], policy: Policy) -> Day:
    """The last of `days` that follow each other: what is left over on one is open on the next."""
    carried: list[Stop] = []
    for person, day, stops in days:
        given = [*carried, *stops]
        planned = plan_day(person, day, given, policy)
        left = {each.ticket_id for each in planned.left_over}
        carried = [each for each in given if each.ticket_id in left and each.is_open]
    return planned


def bounds(day: date) -> Interval:
    """From midnight to midnight, Asia/Shanghai."""
    begins = datetime.combine(day, time(), ZONE)
    return begins.astimezone(UTC), (begins + timedelta(days=1)).astimezone(UTC)


def without(intervals: Iterable[Interval], taken: Sequence[Interval]) -> tuple[Interval, ...]:
    """`intervals` but for what of them lies in `taken`, in order."""
    left: list[Interval] = []
    for begins, ends in joined([*intervals]):
        for taken_from, taken_to in joined([*taken]):
            if taken_from < ends and taken_to > begins:
                if taken_from > begins:
                    left.append((begins, taken_from))
                begins = max(begins, taken_to)
        if begins < ends:
            left.append((begins, ends))
    return tuple(left)


@dataclass(frozen=True, slots=True, order=True)
class _Placed:
    """A stop with its time."""

    begins: datetime
    ends: datetime
    key: UUID
    stop: Stop = field(compare=False)


@dataclass(frozen=True, slots=True, order=True)
class _Choice:
    """A place for a stop: the least is the best."""

    late: timedelta
    detour: timedelta
    begins: datetime


class _Plan:
    def __init__(self, person: Worker, day: date, travel: Travel) -> None:
        self._person, self._date, self._travel = person, day, travel
        self._begins, self._ends = bounds(day)
        self._since = max(person.since or self._begins, self._begins)
        self._open = self._working_time()
        self._route: list[_Placed] = []
        self._ways: dict[tuple[Spot, Spot], timedelta] = {}

    def _working_time(self) -> tuple[Interval, ...]:
        """When work may be, in order."""
        working = self._person.working
        stretches = [(self._begins, self._ends)] if working is None else working
        within = [(max(one, self._begins), min(other, self._ends)) for one, other in stretches]
        return without(
            [(one.astimezone(UTC), other.astimezone(UTC)) for one, other in within if one < other],
            self._person.leave,
        )

    def made_of(self, stops: Iterable[Stop]) -> Day:
        stops = [*stops]
        left: list[LeftOver] = []
        agreed = [(each.agreed, each.ticket_id, each) for each in stops if each.agreed and not each.taken]
        for (begins, ends), _, stop in sorted(agreed, key=itemgetter(0, 1)):
            if not self._fixed(stop, begins, ends):
                left.append(LeftOver(stop.ticket_id, "collides"))
        for stop, (begins, ends) in self._in_order([each for each in stops if each.taken or not each.agreed]):
            if not self._fixed(stop, *self._cut(begins, ends)):
                left.append(LeftOver(stop.ticket_id, "collides"))
        for stop in sorted((each for each in stops if each.is_open), key=self._pressing):
            if because := self._fitted(stop):
                left.append(LeftOver(stop.ticket_id, because))
        return Day(self._person.id, self._date, tuple(self._blocks()), tuple(left))

    def _way(self, one: Spot, other: Spot) -> timedelta:
        """In whole minutes, never too few."""
        if (one, other) not in self._ways:
            self._ways[one, other] = ceil(way(one, other, self._travel) / _MINUTE) * _MINUTE
        return self._ways[one, other]

    def _in_order(self, stops: Sequence[Stop]) -> list[tuple[Stop, Interval]]:
        """What of it has begun, with its time; who is on the way arrives when they can."""
        timed = []
        for stop in stops:
            if stop.taken is None and stop.set_out is not None:
                arrives = max(stop.set_out + self._way(self._person.start, stop.spot), self._since)
                timed.append((stop, (arrives, arrives + stop.length)))
            elif stop.taken is not None:
                timed.append((stop, stop.taken))
        return sorted(timed, key=lambda each: (each[1], each[0].ticket_id))

    def _cut(self, begins: datetime, ends: datetime) -> Interval:
        """What is left of the time of something that has begun, beside what stands already; maybe nothing."""
        if begins < self._begins:
            begins = self._open[0][0] if self._open else self._begins
        for each in self._route:
            if each.begins <= begins < each.ends:
                begins = each.ends
            elif begins < each.begins:
                ends = min(ends, each.begins)
        return begins, ends

    def _fixed(self, stop: Stop, begins: datetime, ends: datetime) -> bool:
        """Whether it could stand at its time; two agreed visits at once could not."""
        if begins >= ends or any(each.begins < ends and begins < each.ends for each in self._route):
            return False
        self._place(stop, begins, ends)
        return True

    def _place(self, stop: Stop, begins: datetime, ends: datetime) -> None:
        insort(self._route, _Placed(begins, ends, stop.ticket_id, stop))

    def _pressing(self, stop: Stop) -> tuple[datetime, timedelta, UUID]:
        return stop.due, self._way(self._person.start, stop.spot), stop.ticket_id

    def _fitted(self, stop: Stop) -> Because | None:
        """Put it where it fits best; why not, where it fits nowhere."""
        if stop.waits:
            return "waits"
        best = min(self._choices(stop), default=None)
        if best is None:
            return self._why_not(stop)
        self._place(stop, best.begins, best.begins + stop.length)
        return None

    def _choices(self, stop: Stop) -> Iterator[_Choice]:
        """The earliest time in each gap that is long enough."""
        for index in range(len(self._route) + 1):
            before = self._route[index - 1] if index else None
            after = self._route[index] if index < len(self._route) else None
            here = before.stop.spot if before else self._person.start
            there = self._way(here, stop.spot)
            onward = self._way(stop.spot, after.stop.spot) if after else timedelta()
            earliest = max(before.ends, self._since) if before else self._since
            if stop.not_before is not None:
                earliest = max(earliest, stop.not_before - there)
            begins = self._first(earliest, there, stop.length, self._latest(after, onward))
            if begins is not None:
                straight = self._way(here, after.stop.spot) if after else timedelta()
                late = _late(stop, begins, begins + stop.length)
                yield _Choice(late, there + onward - straight, begins)

    def _first(
        self, earliest: datetime, there: timedelta, length: timedelta, latest: datetime
    ) -> datetime | None:
        for begins, ends in self._open:
            at = max(begins, earliest) + there
            if at + length <= min(ends, latest):
                return at
        return None

    def _latest(self, after: _Placed | None, onward: timedelta) -> datetime:
        """Until when work must be done for what comes after it to stay where it is."""
        if after is None:
            return self._ends
        if after.stop.set_out is not None:
            return min(after.stop.set_out, after.begins)
        latest = after.begins - onward
        if after.stop.is_open:
            within = next(begins for begins, ends in self._open if begins <= after.begins < ends)
            return latest if latest >= within else self._begins
        return latest

    def _why_not(self, stop: Stop) -> Because:
        if not self._open:
            return "away"
        needed = self._way(self._person.start, stop.spot) + stop.length
        if all(ends - begins < needed for begins, ends in self._open):
            return "too_long"
        if stop.not_before is not None and stop.not_before + stop.length > self._open[-1][1]:
            return "parts_come_later"
        return "no_time"

    def _blocks(self) -> Iterator[Block]:
        busy = [*self._busy()]
        taken = [(each.starts_at, each.ends_at) for each in busy]
        idle = without([(self._begins, self._ends)], taken)
        free = [Block("free", *each) for each in without(self._open, taken)]
        away = [Block("away", *each) for each in without(idle, self._open)]
        yield from sorted([*busy, *free, *away], key=lambda each: each.starts_at)

    def _busy(self) -> Iterator[Block]:
        here, left_at = self._person.start, None
        for each in self._route:
            stop = each.stop
            takes = self._way(here, stop.spot)
            leaves = self._leaves(each, takes, left_at)
            arrives = min(leaves + takes, each.begins)
            if leaves < arrives:
                yield Block("travel", leaves, arrives, stop.ticket_id)
            kind: BlockKind = "visit" if stop.agreed else "work"
            late = self._late(each, leaves + takes) or None
            yield Block(kind, each.begins, each.ends, stop.ticket_id, late)
            here, left_at = stop.spot, each.ends

    def _leaves(self, each: _Placed, takes: timedelta, left_at: datetime | None) -> datetime:
        """As late as one can to be there in time, but not before the work before it is done."""
        just_in_time = each.begins - takes
        if each.stop.set_out is not None:
            just_in_time = each.stop.set_out
        elif each.stop.taken is None:
            just_in_time = max(just_in_time, self._person.since or just_in_time)
        return max(just_in_time, left_at or just_in_time)

    def _late(self, each: _Placed, there_at: datetime) -> timedelta:
        stop = each.stop
        if stop.taken is not None:
            return _late(replace(stop, arrive_by=None), each.begins, each.ends)
        if stop.set_out is not None:
            there_at = max(there_at, self._since)
        delay = max(there_at - each.begins, timedelta()) if stop.agreed else timedelta()
        return max(delay, _late(stop, each.begins + delay, each.ends + delay))


def _late(stop: Stop, arrives: datetime, ends: datetime) -> timedelta:
    """By how much what was promised is missed; nothing where it is kept."""
    over = [arrives - stop.arrive_by] if stop.arrive_by else []
    over += [ends - stop.done_by] if stop.done_by else []
    return max([timedelta(), *over])
