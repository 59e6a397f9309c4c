"""`evaluate`: the one pure function from a subject's history to its clocks.

Live it runs on each event; the dossier, repair and what-if replay call the same. It may be given the
history in any order and with repetitions: the same facts give the same clocks, to the microsecond.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal

from sla_monitor.calendars.rules import Calendar, NeverOpen
from sla_monitor.clocks.rules.history import Happening, episodes, in_order, standing
from sla_monitor.clocks.rules.timeline import Pause, Timeline, pauses_in
from sla_monitor.policies.rules import Case, Measure, Policy, Promise, allow

Outcome = Literal["running", "met", "breached", "cancelled"]
REGRADED: Final = "regraded"
_REGRADES: Final = "dispatch.ticket_regraded"
_BY_PLACE: Final = frozenset({"same_city"})


@dataclass(frozen=True, slots=True)
class Clock:
    """One promise to one subject.

    occurrence  the episode, or the subject's version at the start, where a promise is made repeatedly
    deadline    while the clock stands: where it would be if it went on at once
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
    allowance: timedelta
    severity: str | None
    started_at: datetime
    deadline: datetime
    standing: bool
    warnings: tuple[tuple[int, datetime], ...]
    pauses: tuple[Pause, ...]
    outcome: Outcome
    stopped_at: datetime | None = None
    reason: str | None = None


def evaluate(
    policy: Policy, calendar: Calendar, history: Sequence[Happening], now: datetime | None = None
) -> tuple[Clock, ...]:
    """The clocks of one subject. Without `now`, what has not ended is running, whatever its deadline."""
    ordered = standing(in_order(history))
    clocks = [
        _judged(clock, now)
        for promise in policy.enabled
        for occurrence, events in _spans(promise, ordered)
        if (clock := _clock(promise, calendar, occurrence, events, ordered)) is not None
    ]
    return tuple(sorted(clocks, key=lambda clock: (clock.started_at, clock.promise, clock.occurrence)))


def _judged(clock: Clock, now: datetime | None) -> Clock:
    late = now is not None and clock.outcome == "running" and not clock.standing and now > clock.deadline
    return replace(clock, outcome="breached") if late else clock


def _spans(promise: Promise, ordered: Sequence[Happening]) -> Iterator[tuple[int, Sequence[Happening]]]:
    """Which parts of the history a promise looks at, each by itself."""
    match promise.per:
        case "subject":
            yield 1, ordered
        case "episode":
            yield from episodes(ordered).items()
        case "start":
            starts = [at for at, each in enumerate(ordered) if each.kind in promise.starts]
            for here, following in pairwise([*starts, len(ordered)]):
                yield ordered[here].sequence, ordered[here : following + 1]


def _clock(
    promise: Promise,
    calendar: Calendar,
    occurrence: int,
    events: Sequence[Happening],
    ordered: Sequence[Happening],
) -> Clock | None:
    at = _start(promise, events)
    if at is None:
        return None
    start, after = _informed(promise, events[at], ordered), events[at + 1 :]
    ending, before = _ending(promise, after)
    seen = after if promise.regrades_past else before
    start = _moved(promise, start, seen)
    fit = _fit(promise, start, seen)
    if fit is None:
        return None
    try:
        return _timed(promise, calendar, occurrence, start, fit, ending, before)
    except NeverOpen:
        return None  # the linter refuses what asks for more working time than there is; hours may go later


def _timed(
    promise: Promise,
    calendar: Calendar,
    occurrence: int,
    start: Happening,
    fit: _Fit,
    ending: _Ending | None,
    before: Sequence[Happening],
) -> Clock | None:
    allowance = allow(fit.case.target, calendar, start.at, start.facts)
    if allowance is None:
        return None
    if fit.withdrawal is not None:
        ending, before = fit.withdrawal, [each for each in before if each.at < fit.withdrawal.at]
    timeline = Timeline(calendar, start.at, allowance)
    pauses = pauses_in(before, promise, timeline, ending.at if ending else None)
    deadline, standing = timeline.deadline(pauses)
    warnings = [(share, *timeline.reach(allowance.amount * share / 100, pauses)) for share in promise.warns]
    return Clock(
        promise=promise.code,
        occurrence=occurrence,
        requirement=allowance.requirement,
        rule=allowance.rule,
        measure=allowance.measure,
        allowance=allowance.amount,
        severity=fit.severity,
        started_at=start.at,
        deadline=deadline,
        standing=standing,
        warnings=tuple((share, instant) for share, instant, unknown in warnings if not unknown),
        pauses=pauses,
        outcome=_outcome(ending, deadline),
        stopped_at=ending.at if ending else None,
        reason=ending.by if ending else None,
    )


def _informed(promise: Promise, start: Happening, ordered: Sequence[Happening]) -> Happening:
    """The start with what the cases ask for and earlier events have told."""
    unsaid = promise.asks - start.facts.keys()
    if not unsaid:
        return start
    known: dict[str, Any] = {}
    for each in ordered[: ordered.index(start)]:
        known |= {name: each.facts[name] for name in unsaid if each.facts.get(name) is not None}
    return replace(start, facts={**known, **start.facts})


def _moved(promise: Promise, start: Happening, after: Sequence[Happening]) -> Happening:
    """The start as if the place had been known then: a correction holds for the past (decision 18).

    What depends on the place is what is told first from the last correction on.
    """
    corrected = [at for at, each in enumerate(after) if each.kind == _REGRADES and "city" in each.facts]
    if not corrected:
        return start
    known: dict[str, Any] = {}
    for each in after[corrected[-1] :]:
        told = {name: each.facts[name] for name in _BY_PLACE & promise.asks & each.facts.keys()}
        known = {**told, **known}
    return replace(start, facts={**start.facts, **known})


def _start(promise: Promise, events: Sequence[Happening]) -> int | None:
    for at, each in enumerate(events):
        if each.kind in promise.unless:
            return None
        if each.kind in promise.starts:
            return at
    return None


@dataclass(frozen=True, slots=True)
class _Ending:
    at: datetime
    by: str
    kept: bool = False


def _ending(promise: Promise, after: Sequence[Happening]) -> tuple[_Ending | None, Sequence[Happening]]:
    """How the clock ended, and what happened before that."""
    for at, each in enumerate(after):
        if each.kind in promise.stops or each.kind in promise.cancels:
            return _Ending(each.at, each.kind, kept=each.kind in promise.stops), after[:at]
    return None, after


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
    withdrawal: _Ending | None


def _fit(promise: Promise, start: Happening, after: Sequence[Happening]) -> _Fit | None:
    """The case for the last severity, from the start on (decision 18).

    Where none is for it, the one before holds until the re-grading withdraws the promise.
    """
    grades = [(start.at, start.facts.get("severity"))]
    for each in after:
        severity = each.facts.get("severity")
        if severity is not None and severity != grades[-1][1]:
            grades.append((each.at, severity))
    withdrawal = None
    for since, severity in reversed(grades):
        case = promise.case_for({**start.facts, "severity": severity})
        if case is not None:
            return _Fit(case, severity, withdrawal)
        withdrawal = _Ending(since, REGRADED)
    return None
