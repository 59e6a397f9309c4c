"""Cases that nobody meets, times that cannot be had, ladders that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from sla_monitor.calendars.rules import Calendar, NeverOpen, add_working, working_between
from sla_monitor.policies.lint.finding import Finding, Path, error, warning
from sla_monitor.policies.rules import (
    BREACHED,
    NOTHING,
    About,
    Appointed,
    ByHours,
    Policy,
    Promise,
    Target,
    Wall,
    When,
    Working,
)
from sla_monitor.policies.vocabulary import Vocabulary

YEAR: Final = timedelta(days=366)


def lint_calendars(policy: Policy, calendars: Mapping[str, Calendar], now: datetime) -> Iterator[Finding]:
    """What is wrong with the calendars a policy counts by."""
    named: list[tuple[Path, str]] = [(("calendar",), policy.calendar)]
    named += [(("regional", region), name) for region, name in policy.regional.items()]
    for path, name in named:
        if name not in calendars:
            yield error("unknown_calendar", *path, calendar=name, known=", ".join(sorted(calendars)))
        elif working_between(calendars[name], now, now + YEAR) <= NOTHING:
            yield error("never_open", *path, calendar=name)


def lint_targets(
    number: int,
    promise: Promise,
    vocabulary: Vocabulary,
    calendars: Mapping[str, Calendar],
    now: datetime,
) -> Iterator[Finding]:
    """What is wrong with the cases and the ladder of the promise at place `number`."""
    here: Path = ("promises", number)
    for place, case in enumerate(promise.cases):
        path: Path = (*here, "cases", place)
        yield from lint_when((*path, "when"), case.when, promise.about, vocabulary)
        if any(_includes(earlier.when, case.when) for earlier in promise.cases[:place]):
            yield error("unreachable_case", *path)
        yield from _target((*path, "target"), case.target, promise, vocabulary)
        yield from _working((*path, "target"), case.target, calendars, now)
    yield from _ladder(here, promise)


def _includes(wider: When, narrower: When) -> bool:
    """Whether what meets the second meets the first, too."""
    return all(name in narrower and {*narrower[name]} <= {*values} for name, values in wider.items())


def lint_when(path: Path, when: When, about: About, vocabulary: Vocabulary) -> Iterator[Finding]:
    """What is wrong with the facts a case asks for."""
    told = vocabulary.facts[about]
    for fact, values in when.items():
        if fact not in told:
            known = ", ".join(sorted(told))
            yield error("unknown_fact", *path, fact, about=about, fact=fact, known=known)
            continue
        possible = told[fact]
        if possible is None:
            continue
        for value in values:
            if value not in possible:
                known = ", ".join(sorted(map(str, possible)))
                yield error("impossible_value", *path, fact, fact=fact, value=value, known=known)


def _target(path: Path, target: Target, promise: Promise, vocabulary: Vocabulary) -> Iterator[Finding]:
    match target:
        case ByHours(in_hours=None, out_of_hours=None):
            yield error("promises_nothing", *path)
        case ByHours(carry=True, in_hours=in_hours) if not isinstance(in_hours, Wall):
            yield warning("carry_of_nothing", *path, "carry")
        case Appointed(fact=fact) if fact not in vocabulary.facts[promise.about]:
            known = ", ".join(sorted(vocabulary.facts[promise.about]))
            yield error("unknown_fact", *path, "fact", about=promise.about, fact=fact, known=known)


def _working(
    path: Path, target: Target, calendars: Mapping[str, Calendar], now: datetime
) -> Iterator[Finding]:
    for part, length in _worked(target):
        for name, calendar in sorted(calendars.items()):
            if not _is_worked_off(calendar, now, length):
                hours = round(length / timedelta(hours=1), 2)
                yield error("unreachable_target", *path, *part, calendar=name, hours=hours)


def _worked(target: Target) -> Iterator[tuple[Path, timedelta]]:
    """The parts of a target that are counted in working time."""
    match target:
        case Working(length=length):
            yield (), length
        case ByHours(in_hours=Wall(length=length), carry=True):
            yield ("in_hours",), length
        case ByHours():
            for name in ("in_hours", "out_of_hours"):
                if isinstance(chosen := getattr(target, name), Working):
                    yield (name,), chosen.length


def _is_worked_off(calendar: Calendar, now: datetime, length: timedelta) -> bool:
    try:
        return add_working(calendar, now, length) <= now + YEAR
    except NeverOpen:
        return False


def _ladder(here: Path, promise: Promise) -> Iterator[Finding]:
    if not any(step.at == BREACHED for step in promise.ladder):
        yield warning("nobody_is_told", *here, "ladder", promise=promise.code)
    shortest = min((_shortest(case.target) for case in promise.cases), default=YEAR)
    for place, (before, step) in enumerate(pairwise(promise.ladder), start=1):
        apart = shortest * (step.at - before.at) / BREACHED + timedelta(minutes=step.minutes_after)
        if apart < timedelta(seconds=1):
            seconds = round(shortest.total_seconds(), 3)
            facts = {"seconds": seconds, "before": before.at, "at": step.at}
            yield warning("unreachable_step", *here, "ladder", place, **facts)


def _shortest(target: Target) -> timedelta:
    """The least that a target gives; what depends on the calendar is long enough for any ladder."""
    match target:
        case Wall(length=length) | Working(length=length):
            return length
        case ByHours():
            given = (each for each in (target.in_hours, target.out_of_hours) if each is not None)
            return min(map(_shortest, given), default=YEAR)
        case _:
            return YEAR
