"""What a version of a calendar says, what is wrong with it, and how it differs from the one before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, Protocol, TypeAlias, TypeVar
from zoneinfo import available_timezones

from sla_monitor.calendars.rules import DAY, Calendar, ExceptionalDay, Provenance, Window

Windows: TypeAlias = tuple[Window, ...]
Path: TypeAlias = tuple[str | int, ...]
DayKind = Literal["work", "off", "holiday", "make_up", "other_hours"]

# A promise may take 366 days of working time: at an hour a week it ends before anybody stops counting.
LEAST_WEEK: Final = 3600  # seconds
MOST_DAYS: Final = 2000  # about sixty years of holidays
# An event may state an instant up to a minute ahead, and a transaction that counts by the version before
# may still be open: whatever begins later than this finds the new one.
SOONEST: Final = timedelta(seconds=90)
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9999


@dataclass(frozen=True, slots=True)
class Content:
    """A week (Monday first), the days that differ from it in their order, and where they are known from."""

    zone: str
    week: tuple[Windows, ...]
    days: tuple[ExceptionalDay, ...]
    source: str

    def calendar(self) -> Calendar:
        """To count by; it must have no faults."""
        return Calendar(self.zone, self.week, {each.day: each.windows for each in self.days})

    def usual_hours(self, day: date) -> Windows:
        """When `day` is worked if it is worked: as its weekday, else as the first day of the week that is."""
        return self.week[day.weekday()] or next(windows for windows in self.week if windows)

    def in_year(self, year: int) -> dict[date, ExceptionalDay]:
        """The days of a year that differ from the week."""
        return {each.day: each for each in self.days if each.day.year == year}


@dataclass(frozen=True, slots=True)
class Version:
    """A published version; `made_by` is None for the one that shipped."""

    calendar: str
    version: int
    valid_from: datetime
    content: Content
    digest: str
    made_at: datetime
    made_by: str | None


class _Valid(Protocol):
    @property
    def valid_from(self) -> datetime: ...


V = TypeVar("V", bound=_Valid)


def in_force(versions: Sequence[V], instant: datetime) -> V:
    """Of versions in their order, the one that counts at `instant`; before all of them the first."""
    return next((each for each in reversed(versions) if each.valid_from <= instant), versions[0])


def effective_from(asked: datetime | None, now: datetime) -> datetime | None:
    """When a version published now may take effect; None where the past was asked for.

    What has begun keeps its version, so that no deadline moves.
    """
    soonest = now + SOONEST
    if asked is None:
        return soonest
    return None if asked < now else max(asked, soonest)


# What is wrong with it.


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where: the path within the content."""

    path: Path
    code: str
    detail: str


def faults(content: Content) -> list[Fault]:
    """Everything that keeps `content` from being published; nothing, when it can be counted by."""
    found = [*_zone_faults(content.zone), *_week_faults(content.week)]
    seen: set[date] = set()
    for at, each in enumerate(content.days):
        if each.day in seen:
            found.append(Fault(("days", at, "day"), "day_twice", "This day stands twice"))
        seen.add(each.day)
        found += _window_faults(("days", at, "windows"), each.windows)
    return found


def _zone_faults(zone: str) -> Iterator[Fault]:
    if zone not in _zones():
        yield Fault(("zone",), "unknown_zone", "No time zone has this name; names are like Asia/Shanghai")


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _week_faults(week: Sequence[Windows]) -> Iterator[Fault]:
    for at, windows in enumerate(week):
        yield from _window_faults(("week", at), windows)
    for at, (before, after) in enumerate(pairwise((*week, week[0]))):
        if before and after and before[-1].closes - DAY > after[0].opens:
            place = ("week", (at + 1) % 7, 0)
            yield Fault(place, "windows_overlap", "The shift of the day before is still going on")
    if sum(each.closes - each.opens for windows in week for each in windows) < LEAST_WEEK:
        yield Fault(("week",), "never_open", "A week must have an hour of working time at least")


def _window_faults(place: Path, windows: Windows) -> Iterator[Fault]:
    closed = 0
    for at, each in enumerate(windows):
        if not (0 <= each.opens < DAY and each.opens < each.closes <= each.opens + DAY):
            detail = "A window opens within its day and closes at most 24 hours later"
            yield Fault((*place, at), "window_malformed", detail)
        elif each.opens < closed:
            yield Fault((*place, at), "windows_overlap", "This window begins before the one before it ends")
        closed = max(closed, each.closes)


# Which years it is sure of.


def provenances(days: Iterable[ExceptionalDay]) -> dict[int, set[Provenance]]:
    """Where the days of each year are known from."""
    found: dict[int, set[Provenance]] = {}
    for each in days:
        found.setdefault(each.day.year, set()).add(each.provenance)
    return found


def is_confirmed(known: Mapping[int, Collection[Provenance]], year: int) -> bool:
    """Whether the holidays of `year` are sure: there are some, and none is still to be announced.

    known  where the days of each year are known from; a calendar without any has nothing to be confirmed
    """
    return not known or (bool(known.get(year)) and "statutory" not in known[year])


# What a day is.


def kind_of(content: Content, day: date, exception: ExceptionalDay | None) -> DayKind:
    """How `day`, with what is known to differ about it, looks beside its weekday."""
    usual = bool(content.week[day.weekday()])
    if exception is None:
        return "work" if usual else "off"
    if not exception.windows:
        return "holiday"
    return "other_hours" if usual else "make_up"


# How it becomes another one.


@dataclass(frozen=True, slots=True)
class Override:
    """What a person says about a day: nobody works, it is worked, or it is as its weekday is."""

    day: date
    is_: Literal["off", "work", "usual"]
    name: str = ""


def override(content: Content, overrides: Iterable[Override]) -> Content:
    """`content` with days as a person entered them; the last word about a day counts."""
    days = {each.day: each for each in content.days}
    for each in overrides:
        if each.is_ == "usual":
            days.pop(each.day, None)
        else:
            windows = content.usual_hours(each.day) if each.is_ == "work" else ()
            days[each.day] = ExceptionalDay(each.day, windows, each.name, "entered")
    return with_days(content, days.values())


def based_on(
    content: Content, known: Sequence[ExceptionalDay], years: range, source: str, *, instead: bool
) -> Content:
    """`content` with the days of `years` as they are `known` elsewhere; what a person entered stays.

    instead  whether the other days of those years go
    """
    fresh = {each.day: each for each in known if each.day.year in years}
    kept = [
        each
        for each in content.days
        if each.provenance == "entered" or not (each.day.year in years if instead else each.day in fresh)
    ]
    entered = {each.day for each in kept}
    added = [each for day, each in fresh.items() if day not in entered]
    return replace(with_days(content, [*kept, *added]), source=source)


def confirm(content: Content, year: int) -> Content:
    """`content` after the days of `year` have been announced as they stand there."""
    return with_days(
        content,
        (
            replace(each, provenance="announced")
            if each.day.year == year and each.provenance == "statutory"
            else each
            for each in content.days
        ),
    )


def with_days(content: Content, days: Iterable[ExceptionalDay]) -> Content:
    """`content` with other days, in their order."""
    return replace(content, days=tuple(sorted(days, key=lambda each: each.day)))


# How it differs.


@dataclass(frozen=True, slots=True)
class DayChange:
    """A day before and after; None where it is as its weekday."""

    day: date
    before: ExceptionalDay | None
    after: ExceptionalDay | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What another version changes; `hours` has the weekdays whose windows differ, as numbers."""

    zone: tuple[str, str] | None
    hours: Mapping[int, tuple[Windows, Windows]]
    days: tuple[DayChange, ...]

    def __bool__(self) -> bool:
        return bool(self.zone or self.hours or self.days)


def compare(before: Content, after: Content) -> Difference:
    """What `after` changes about `before`."""
    old, new = ({each.day: each for each in content.days} for content in (before, after))
    return Difference(
        zone=(before.zone, after.zone) if before.zone != after.zone else None,
        hours={
            at: (was, becomes)
            for at, (was, becomes) in enumerate(zip(before.week, after.week, strict=True))
            if was != becomes
        },
        days=tuple(
            DayChange(day, old.get(day), new.get(day))
            for day in sorted({*old, *new})
            if old.get(day) != new.get(day)
        ),
    )
