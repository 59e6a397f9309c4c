"""`evaluate`: the one pure function from a subject's history to its clocks.

Live it runs on each event; the dossier, repair and what-if replay call the same. It may be given the
history in any order and with repetitions; the same facts give the same clocks to the microsecond.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sla_monitor.calendars.rules import Calendar, add_working, open_between, working_between
from sla_monitor.policies.rules import (
    Allowance,
    AtCustomersWish,
    Case,
    Measure,
    PauseRule,
    Policy,
    Promise,
    Waiting,
    allow,
)

Outcome = Literal["running", "met", "breached", "cancelled"]
Facts = Mapping[str, Any]
REGRADED = "regraded"
_EPISODE_ENDS = "dispatch.ticket_closed"


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a subject as the fold sees it; `kind` is its type without the version."""

    id: UUID
    kind: str
    sequence: int
    at: datetime
    facts: Facts


@dataclass(frozen=True, slots=True)
class Pause:
    """Time that does not count; `ends` is None while nobody knows."""

    begins: datetime
    ends: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Clock:
    """One promise to one subject.

    occurrence  the episode, or the version of the subject at the start, where a promise is made repeatedly
    deadline    while the clock stands: where it would be if it went on now
    standing    in a pause without a known end, so that no instant can be waited for
    warnings    (percent of the time, instant)
    stopped_at  when it was kept, or when it ended otherwise
    reason      the event that ended it, or `regraded`
    """

    promise: str
    occurrence: int
    requirement: str
    rule: str
    measure: Measure
    severity: str | None
    started_at: datetime
    deadline: datetime
    standing: bool
    warnings: tuple[tuple[int, datetime], ...]
    pauses: tuple[Pause, ...]
    outcome: Outcome
    stopped_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A piece of a clock's time: counted, or not, and why."""

    begins: datetime
    ends: datetime | None
    counted: bool
    why: str


def in_order(history: Sequence[Happening]) -> list[Happening]:
    """Each event once, in the order things happened.

    By time before version: what an engineer did without a network is told late, with a later version.
    """
    unique = {each.id: each for each in history}
    return sorted(unique.values(), key=lambda each: (each.at, each.sequence, each.id))


def evaluate(
    policy: Policy, calendar: Calendar, history: Sequence[Happening], now: datetime | None = None
) -> tuple[Clock, ...]:
    """The clocks of one subject. Without `now`, what has not ended is running, whatever its deadline."""
    ordered = in_order(history)
    clocks = []
    for promise in policy.promises:
        for occurrence, events in _spans(promise, ordered):
            clock = _clock(promise, calendar, occurrence, events)
            if clock is not None:
                clocks.append(_judged(clock, now))
    return tuple(sorted(clocks, key=lambda clock: (clock.started_at, clock.promise, clock.occurrence)))


def _judged(clock: Clock, now: datetime | None) -> Clock:
    late = now is not None and clock.outcome == "running" and not clock.standing and now > clock.deadline
    return replace(clock, outcome="breached") if late else clock


# Which part of the history a promise looks at.


def _spans(promise: Promise, ordered: Sequence[Happening]) -> Iterator[tuple[int, Sequence[Happening]]]:
    match promise.per:
        case "subject":
            yield 1, ordered
        case "episode":
            yield from _episodes(ordered).items()
        case "start":
            starts = [at for at, each in enumerate(ordered) if each.kind in promise.starts]
            for here, following in zip(starts, [*starts[1:], len(ordered)], strict=True):
                yield ordered[here].sequence, ordered[here : following + 1]


def _episodes(ordered: Sequence[Happening]) -> dict[int, list[Happening]]:
    episodes: dict[int, list[Happening]] = {}
    current = 1
    for each in ordered:
        current = each.facts.get("episode") or current
        episodes.setdefault(current, []).append(each)
        if each.kind == _EPISODE_ENDS:
            current += 1
    return episodes


def _start(promise: Promise, events: Sequence[Happening]) -> int | None:
    for at, each in enumerate(events):
        if each.kind in promise.unless:
            return None
        if each.kind in promise.starts:
            return at
    return None


# One clock.


def _clock(
    promise: Promise, calendar: Calendar, occurrence: int, events: Sequence[Happening]
) -> Clock | None:
    at = _start(promise, events)
    if at is None:
        return None
    start, after = events[at], events[at + 1 :]
    end = next((n for n, each in enumerate(after) if each.kind in (*promise.stops, *promise.cancels)), None)
    until_end = after if end is None else after[:end]
    fit = _fit(promise, start, after if promise.regrades_past else until_end)
    allowance = allow(fit.case.target, calendar, start.at) if fit else None
    if fit is None or allowance is None:
        return None
    if fit.withdrawn_at is not None:
        ending = _Ending(fit.withdrawn_at, REGRADED, kept=False)
        until_end = [each for each in until_end if each.at < fit.withdrawn_at]
    elif end is not None:
        ending = _Ending(after[end].at, after[end].kind, kept=after[end].kind in promise.stops)
    else:
        ending = None
    timeline = _Timeline(calendar, start.at, allowance)
    pauses = _pauses(promise.pauses, until_end, timeline)
    if ending is not None:
        pauses = tuple(_cut(pause, ending.at) for pause in pauses)
    deadline, standing = timeline.reach(allowance.amount, pauses)
    warned = [
        (percent, *timeline.reach(allowance.amount * percent / 100, pauses)) for percent in promise.warns
    ]
    return Clock(
        promise=promise.code,
        occurrence=occurrence,
        requirement=fit.case.requirement,
        rule=allowance.rule,
        measure=allowance.measure,
        severity=fit.severity,
        started_at=start.at,
        deadline=deadline,
        standing=standing,
        warnings=tuple((percent, instant) for percent, instant, unknown in warned if not unknown),
        pauses=pauses,
        outcome=_outcome(ending, deadline),
        stopped_at=ending.at if ending else None,
        reason=ending.by if ending else None,
    )


@dataclass(frozen=True, slots=True)
class _Ending:
    at: datetime
    by: str
    kept: bool


def _outcome(ending: _Ending | None, deadline: datetime) -> Outcome:
    """By comparing instants, never by what was still open when somebody looked."""
    if ending is None:
        return "running"
    if ending.by == REGRADED:
        return "cancelled"
    if ending.at > deadline:
        return "breached"
    return "met" if ending.kept else "cancelled"


@dataclass(frozen=True, slots=True)
class _Fit:
    case: Case
    severity: str | None
    withdrawn_at: datetime | None = None


def _fit(promise: Promise, start: Happening, after: Sequence[Happening]) -> _Fit | None:
    """The case for the last severity, from the start on (decision 18); else the one that it ended."""
    grades = [(start.at, start.facts.get("severity"))]
    for each in after:
        severity = each.facts.get("severity")
        if severity is not None and severity != grades[-1][1]:
            grades.append((each.at, severity))
    withdrawn_at = None
    for since, severity in reversed(grades):
        case = promise.case_for({**start.facts, "severity": severity})
        if case is not None:
            return _Fit(case, severity, withdrawn_at)
        withdrawn_at = since
    return None


# Time that counts, and time that does not.


def _pauses(
    rules: Sequence[PauseRule], events: Sequence[Happening], timeline: _Timeline
) -> tuple[Pause, ...]:
    pauses: list[Pause] = []
    for each in events:
        for rule in rules:
            match rule:
                case Waiting():
                    _wait(rule, each, pauses)
                case AtCustomersWish() if each.kind == rule.agreed:
                    _wish(rule, each, pauses, timeline)
    return tuple(pauses)


def _wait(rule: Waiting, event: Happening, pauses: list[Pause]) -> None:
    current = next(
        (n for n, each in enumerate(pauses) if each.reason == rule.reason and each.ends is None), None
    )
    if event.kind in rule.begins and current is None:
        pauses.append(Pause(event.at, None, rule.reason))
    elif event.kind in rule.ends and current is not None:
        pauses[current] = replace(pauses[current], ends=event.at)


def _wish(rule: AtCustomersWish, event: Happening, pauses: list[Pause], timeline: _Timeline) -> None:
    """Another agreement takes the place of the one before it."""
    pauses[:] = [_cut(each, event.at) if each.reason == rule.reason else each for each in pauses]
    starts_at = datetime.fromisoformat(event.facts["starts_at"])
    deadline, _ = timeline.reach(timeline.allowance.amount, pauses)
    if event.facts.get("at_customers_wish") and event.at < deadline < starts_at:
        pauses.append(Pause(event.at, starts_at, rule.reason))


def _cut(pause: Pause, at: datetime) -> Pause:
    return (
        pause if pause.ends is not None and pause.ends <= at else replace(pause, ends=max(at, pause.begins))
    )


@dataclass(frozen=True, slots=True)
class _Timeline:
    """Where a clock's time is counted from, and by which measure."""

    calendar: Calendar
    start: datetime
    allowance: Allowance

    def reach(self, amount: timedelta, pauses: Sequence[Pause]) -> tuple[datetime, bool]:
        """When `amount` has been counted; and whether that is unknown, because the clock stands before it."""
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
    """The paused time without overlaps, in order."""
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


# The arithmetic as a proof.


def explain(clock: Clock, calendar: Calendar) -> tuple[Interval, ...]:
    """Every piece of time from the start to the end or the deadline, whichever is later, and why it counts."""
    until = max(clock.deadline, clock.stopped_at or clock.deadline)
    pieces: list[Interval] = []
    cursor = clock.started_at
    for pause in sorted(clock.pauses, key=lambda each: each.begins):
        begins = min(max(pause.begins, cursor), until)
        pieces += _counted(clock, calendar, cursor, begins)
        if pause.ends is None:
            return (*pieces, Interval(begins, None, False, pause.reason))
        ends = max(pause.ends, begins)
        if ends > begins:
            pieces.append(Interval(begins, ends, False, pause.reason))
        cursor = ends
    return (*pieces, *_counted(clock, calendar, cursor, until))


def _counted(clock: Clock, calendar: Calendar, begins: datetime, ends: datetime) -> Iterator[Interval]:
    if begins >= ends:
        return
    if clock.measure == "wall":
        yield Interval(begins, ends, True, "wall_clock")
        return
    for opens, closes in open_between(calendar, begins, ends):
        if begins < opens:
            yield Interval(begins, opens, False, "outside_working_hours")
        yield Interval(opens, closes, True, "working_time")
        begins = closes
    if begins < ends:
        yield Interval(begins, ends, False, "outside_working_hours")
