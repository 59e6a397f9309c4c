"""Time that counts and time that does not: pauses, deadlines, and the arithmetic as a proof."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sla_monitor.calendars.rules import Calendar, add_working, open_between, working_between
from sla_monitor.clocks.rules.history import PAUSED, SAID_HERE, Happening
from sla_monitor.policies.rules import (
    Allowance,
    AtCustomersWish,
    Measure,
    Promise,
    Waiting,
    instant_in,
)


@dataclass(frozen=True, slots=True)
class Pause:
    """Time that does not count; `ends` is None while nobody knows.

    by    the person who said so, by hand; None where an event did
    note  what they said beside the reason
    """

    begins: datetime
    ends: datetime | None
    reason: str
    by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A piece of a clock's time: counted, or not, and why; of a pause by hand, who said so and what."""

    begins: datetime
    ends: datetime | None
    counted: bool
    why: str
    by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where a clock's time is counted from, and how much of it by which measure."""

    calendar: Calendar
    start: datetime
    allowance: Allowance

    def deadline(self, pauses: Sequence[Pause]) -> tuple[datetime, bool]:
        """See `reach`."""
        return self.reach(self.allowance.amount, pauses)

    def reach(self, amount: timedelta, pauses: Sequence[Pause]) -> tuple[datetime, bool]:
        """When `amount` has been counted; and whether nobody knows, because the clock stands before it.

        Then the instant is where it would be reached if the clock had gone on at once.
        """
        cursor = self.start
        for begins, ends in _merged(pauses):
            free = self._between(cursor, begins)
            if amount <= free:
                break
            amount -= free
            if ends is None:
                return self._add(begins, amount), True
            cursor = ends
        return self._add(cursor, amount), False

    def _between(self, begins: datetime, ends: datetime) -> timedelta:
        if self.allowance.measure == "wall":
            return ends - begins
        return working_between(self.calendar, begins, ends)

    def _add(self, begins: datetime, amount: timedelta) -> datetime:
        if self.allowance.measure == "wall":
            return begins + amount
        return add_working(self.calendar, begins, amount)


def _merged(pauses: Sequence[Pause]) -> Iterator[tuple[datetime, datetime | None]]:
    """The paused time in order and without overlaps."""
    pending: tuple[datetime, datetime | None] | None = None
    for pause in sorted(pauses, key=lambda each: each.begins):
        if pending is None:
            pending = pause.begins, pause.ends
        elif pending[1] is None or pause.begins <= pending[1]:
            ends = None if pending[1] is None or pause.ends is None else max(pending[1], pause.ends)
            pending = pending[0], ends
        else:
            yield pending
            pending = pause.begins, pause.ends
    if pending is not None:
        yield pending


def pauses_in(
    events: Sequence[Happening], promise: Promise, timeline: Timeline, ended: datetime | None
) -> tuple[Pause, ...]:
    """The pauses of a clock in the events before it ended."""
    pauses: list[Pause] = []
    for each in events:
        if each.kind in SAID_HERE:
            _by_hand(promise, each, pauses)
            continue
        for rule in promise.pauses:
            match rule:
                case Waiting():
                    _wait(rule, each, pauses)
                case AtCustomersWish() if each.kind == rule.agreed:
                    _wish(rule, each, pauses, timeline)
    # Whatever lasted until the clock ended is over; an end that was known before stays where it was.
    return tuple(replace(each, ends=ended) if each.ends is None else each for each in pauses)


def _wait(rule: Waiting, event: Happening, pauses: list[Pause]) -> None:
    waits = [
        at
        for at, each in enumerate(pauses)
        if each.reason == rule.reason and each.ends is None and each.by is None
    ]
    if event.kind in rule.begins and rule.is_about(event.facts) and not waits:
        pauses.append(Pause(event.at, None, rule.reason))
    elif event.kind in rule.ends and waits:
        pauses[waits[0]] = replace(pauses[waits[0]], ends=event.at)


def _wish(rule: AtCustomersWish, event: Happening, pauses: list[Pause], timeline: Timeline) -> None:
    # Another agreement takes the place of the one before it.
    pauses[:] = [
        _cut(each, event.at) if each.reason == rule.reason and each.by is None else each for each in pauses
    ]
    starts_at = instant_in(event.facts, "starts_at")
    if starts_at is None or not event.facts.get("at_customers_wish"):
        return
    # Who stands by hand has the time that is left, and not the instant at which it would have been over.
    deadline, _ = timeline.deadline([_over(each, event.at) if each.by else each for each in pauses])
    if event.at < deadline < starts_at:
        pauses.append(Pause(event.at, starts_at, rule.reason))


def _by_hand(promise: Promise, event: Happening, pauses: list[Pause]) -> None:
    """What a person said last holds: until when it stands and why, or that it counts again."""
    if not promise.by_hand or event.facts.get("promise") not in (None, promise.code):
        return
    pauses[:] = [_cut(each, event.at) if each.by is not None else each for each in pauses]
    if event.kind == PAUSED:
        facts = event.facts
        ends = instant_in(facts, "until")
        if ends is None or ends > event.at:
            pauses.append(
                Pause(event.at, ends, facts["pause_reason"], facts["paused_by"], facts["pause_note"])
            )


def _over(pause: Pause, at: datetime) -> Pause:
    return replace(pause, ends=at) if pause.ends is None else pause


def _cut(pause: Pause, at: datetime) -> Pause:
    if pause.ends is not None and pause.ends <= at:
        return pause
    return replace(pause, ends=max(at, pause.begins))


def explain(
    calendar: Calendar,
    measure: Measure,
    started_at: datetime,
    until: datetime,
    pauses: Sequence[Pause],
) -> tuple[Interval, ...]:
    """Every piece of time from `started_at` to `until`, and why it counts or not."""
    pieces: list[Interval] = []
    cursor = started_at
    for pause in sorted(pauses, key=lambda each: each.begins):
        if pause.begins >= until:
            break
        begins = max(pause.begins, cursor)
        pieces += _counted(calendar, measure, cursor, begins)
        if pause.ends is None:
            return (*pieces, Interval(begins, None, False, pause.reason, pause.by, pause.note))
        cursor = max(pause.ends, begins)
        if cursor > begins:
            pieces.append(Interval(begins, cursor, False, pause.reason, pause.by, pause.note))
    return (*pieces, *_counted(calendar, measure, cursor, until))


def _counted(calendar: Calendar, measure: Measure, begins: datetime, ends: datetime) -> Iterator[Interval]:
    if begins >= ends:
        return
    if measure == "wall":
        yield Interval(begins, ends, True, "wall_clock")
        return
    for opens, closes in open_between(calendar, begins, ends):
        if begins < opens:
            yield Interval(begins, opens, False, "outside_working_hours")
        yield Interval(opens, closes, True, "working_time")
        begins = closes
    if begins < ends:
        yield Interval(begins, ends, False, "outside_working_hours")
