"""What customers are told of the policy and of the calendars in force: pure, and nothing else of them.

Only the promises named here are made to customers; what a house promises to itself, or to some customers
by other facts than channel, severity and distance, is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final, TypeVar

from sla_monitor.calendars.rules import ExceptionalDay, Window
from sla_monitor.calendars.versions import Content, is_confirmed, provenances
from sla_monitor.policies.rules import (
    Appointed,
    AtCustomersWish,
    ByHours,
    Case,
    Policy,
    Promise,
    Simple,
    Target,
    Wall,
    Working,
)

CHANNELS: Final = ("email", "web_chat", "web_form", "social", "sms")
"""By which customers write; other systems are no customers."""
SEVERITIES: Final = ("urgent", "important", "general")
HORIZON: Final = timedelta(days=366)
_LOOK_BACK: Final = timedelta(days=15)  # a holiday that goes on began before today
S = TypeVar("S", Simple, Simple | None)
_TOLD: Final = frozenset({"announced", "statutory"})
"""Where the name of a free day is public from; what a person called it may be meant for the house."""


@dataclass(frozen=True, slots=True)
class Times:
    """How much time is promised in working hours, and how much outside of them; None is nothing."""

    inside: Simple | None
    outside: Simple | None

    @property
    def always(self) -> bool:
        """Whether the hour makes no difference."""
        return self.inside == self.outside


@dataclass(frozen=True, slots=True)
class Reply:
    """By when those who write on `channels` hear from a person; without severities it is for all."""

    channels: tuple[str, ...]
    severities: tuple[str, ...]
    times: Times


@dataclass(frozen=True, slots=True)
class Grade:
    """What is promised for a problem of one severity; `far` is None where distance makes no difference."""

    severity: str
    near: Times | None
    far: Times | None
    visit: Times | None
    progress: Times | None
    solved: Times | None

    def __bool__(self) -> bool:
        return any((self.near, self.far, self.visit, self.progress, self.solved))


@dataclass(frozen=True, slots=True)
class Promised:
    """All that customers are promised.

    grace   how much later than agreed a visit may begin; None where nothing is promised about it
    wishes  whether the time until a later visit that the customer wished does not count
    """

    picked_up: Times | None
    called_back: Times | None
    replies: tuple[Reply, ...]
    grades: tuple[Grade, ...]
    grace: timedelta | None
    wishes: bool


def promised(policy: Policy) -> Promised:
    """What `policy` promises to every customer."""
    on_site = _public(policy, "on_site")
    return Promised(
        picked_up=_times(_public(policy, "answer_call"), {}),
        called_back=_times(_public(policy, "return_call"), {}),
        replies=tuple(_replies(_public(policy, "first_reply"))),
        grades=tuple(grade for severity in SEVERITIES if (grade := _grade(policy, severity))),
        grace=_grace(_public(policy, "appointment_kept")),
        wishes=bool(on_site and any(isinstance(each, AtCustomersWish) for each in on_site.pauses)),
    )


def _public(policy: Policy, code: str) -> Promise | None:
    found = policy.promise(code)
    return found if found and found.enabled else None


def _grade(policy: Policy, severity: str) -> Grade:
    def of(code: str, **facts: bool) -> Times | None:
        return _times(_public(policy, code), {"severity": severity, **facts})

    near, far = of("on_site", same_city=True), of("on_site", same_city=False)
    return Grade(
        severity=severity,
        near=near,
        far=None if far == near else far,
        visit=of("visit_agreed"),
        progress=of("progress"),
        solved=of("resolution"),
    )


def _replies(promise: Promise | None) -> Iterator[Reply]:
    severities = SEVERITIES if promise and "severity" in promise.asks else ("",)
    found: dict[Times, list[tuple[str, str]]] = {}
    for channel in CHANNELS:
        for severity in severities:
            times = _times(promise, {"channel": channel} | ({"severity": severity} if severity else {}))
            if times is not None:
                found.setdefault(times, []).append((severity, channel))
    for times, pairs in found.items():
        by_channels: dict[tuple[str, ...], list[str]] = {}
        for severity in severities:
            channels = tuple(channel for its, channel in pairs if its == severity)
            by_channels.setdefault(channels, []).append(severity)
        for channels, its in by_channels.items():
            if channels:
                yield Reply(channels, () if len(its) == len(severities) else tuple(its), times)


def _times(promise: Promise | None, facts: Mapping[str, Any]) -> Times | None:
    case = _case(promise, facts) if promise else None
    times = _hours(case.target) if case else None
    return times if times and (times.inside or times.outside) else None


def _case(promise: Promise, facts: Mapping[str, Any]) -> Case | None:
    """The case for everybody with these facts: one that asks for more is made to some only."""
    return next(
        (
            case
            for case in promise.cases
            if case.when.keys() <= facts.keys()
            and all(facts[name] in values for name, values in case.when.items())
        ),
        None,
    )


def _hours(target: Target) -> Times | None:
    match target:
        case Appointed():
            return None
        case ByHours(in_hours=Wall(length=length), carry=True):
            return Times(Working(length=length, requirement=_NONE), _plainly(target.out_of_hours))
        case ByHours():
            return Times(_plainly(target.in_hours), _plainly(target.out_of_hours))
        case _:
            return Times(_plainly(target), _plainly(target))


_NONE: Final = "-"


def _plainly(times: S) -> S:
    """Without the row that asks for it: promises that say the same are one to customers."""
    return times.model_copy(update={"requirement": _NONE}) if times is not None else times


def _grace(promise: Promise | None) -> timedelta | None:
    case = _case(promise, {}) if promise else None
    return case.target.grace if case and isinstance(case.target, Appointed) else None


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Weekdays in a row (0 is Monday) with the same working hours; without windows nobody works."""

    first: int
    last: int
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Free:
    """Days in a row on which nobody works, holidays among them; the names that are public."""

    first: date
    last: date
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Worked:
    """A day that is worked otherwise than its weekday."""

    day: date
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Office:
    """When a house works, from a day on for a year.

    regions    those it is for; none is everywhere else
    make_up    days that are worked although their weekday is free
    shorter    days with other hours than their weekday
    uncertain  years whose holidays may still change
    """

    regions: tuple[str, ...]
    zone: str
    week: tuple[Weekdays, ...]
    free: tuple[Free, ...]
    make_up: tuple[Worked, ...]
    shorter: tuple[Worked, ...]
    uncertain: tuple[int, ...]


def office(content: Content, regions: Sequence[str], today: date) -> Office:
    """The working hours of a calendar in the year that begins `today`."""
    last = today + HORIZON
    ahead = [each for each in content.days if today <= each.day <= last and each.windows]
    known = provenances(content.days)
    return Office(
        regions=tuple(regions),
        zone=content.zone,
        week=tuple(_week(content.week)),
        free=tuple(_free(content, today, last)),
        make_up=tuple(Worked(each.day, each.windows) for each in ahead if not _usual(content, each.day)),
        shorter=tuple(
            Worked(each.day, each.windows)
            for each in ahead
            if _usual(content, each.day) not in ((), each.windows)
        ),
        uncertain=tuple(year for year in range(today.year, last.year + 1) if not is_confirmed(known, year)),
    )


def _usual(content: Content, day: date) -> tuple[Window, ...]:
    return content.week[day.weekday()]


def _week(week: Sequence[tuple[Window, ...]]) -> Iterator[Weekdays]:
    for windows, days in groupby(range(7), key=lambda day: week[day]):
        numbers = list(days)
        yield Weekdays(numbers[0], numbers[-1], windows)


def _free(content: Content, today: date, last: date) -> Iterator[Free]:
    """Runs of days without work that hold a day which is free out of turn, weekends around it included."""
    special = {each.day: each for each in content.days}
    days = [today - _LOOK_BACK + timedelta(days=n) for n in range((last - today + _LOOK_BACK).days + 1)]

    def is_free(day: date) -> bool:
        return not (special[day].windows if day in special else _usual(content, day))

    for free, run in groupby(days, key=is_free):
        found = list(run)
        holidays = [special[day] for day in found if day in special]
        if free and holidays and found[-1] >= today:
            yield Free(found[0], found[-1], tuple(dict.fromkeys(_names(holidays))))


def _names(days: Sequence[ExceptionalDay]) -> Iterator[str]:
    for each in days:
        if each.provenance in _TOLD:
            yield from (name for part in each.name.split(";") if (name := _without_exchange(part)))


def _without_exchange(name: str) -> str:
    """劳动节（补假） is part of 劳动节; a day off in exchange for another has no name."""
    plain = name.partition("（")[0].strip()
    return "" if plain == "休息日" else plain
