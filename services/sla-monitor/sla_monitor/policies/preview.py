"""What a policy would promise to somebody, before it is promised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks.rules import Clock, Happening, Interval, evaluate, explain
from sla_monitor.clocks.rules.history import Facts
from sla_monitor.policies.rules import BREACHED, About, Policy, Promise, Step


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A promise, and the clock it would start; None where it promises nothing to such a subject at that time.

    intervals  the arithmetic of the deadline
    steps      whom the ladder would tell, and when
    """

    promise: Promise
    clock: Clock | None
    intervals: tuple[Interval, ...] = ()
    steps: tuple[tuple[Step, datetime], ...] = ()


def foresee(
    policy: Policy, calendar: Calendar, about: About, start: datetime, facts: Facts
) -> tuple[Foreseen, ...]:
    """Each promise about such a subject, if what starts it happened at `start` with these facts."""
    return tuple(
        _foresee(policy, each, calendar, start, facts) for each in policy.enabled if each.about == about
    )


def _foresee(policy: Policy, promise: Promise, calendar: Calendar, start: datetime, facts: Facts) -> Foreseen:
    alone = policy.model_copy(update={"promises": (promise,)})
    started = Happening(UUID(int=1), promise.starts[0], 1, start, facts)
    clock = next(iter(evaluate(alone, calendar, [started])), None)
    if clock is None:
        return Foreseen(promise, None)
    pieces = explain(calendar, clock.measure, clock.started_at, clock.deadline, clock.pauses)
    return Foreseen(promise, clock, pieces, tuple(_steps(promise, clock)))


def _steps(promise: Promise, clock: Clock) -> Iterator[tuple[Step, datetime]]:
    reached = dict(clock.warnings)
    for step in promise.ladder:
        if step.at == BREACHED:
            yield step, clock.deadline + timedelta(minutes=step.minutes_after)
        elif step.at in reached:
            yield step, reached[step.at]
