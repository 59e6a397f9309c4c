"""When a company works, and arithmetic on that time: exact, in any zone, across any change of its clocks.

A calendar is a week of windows and the days that differ from it: holidays without a window, make-up
working days (调休) with windows of their own. Instants are aware datetimes; results are UTC.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Final, Literal
from zoneinfo import ZoneInfo

from shared.errors import AftercareError

DAY: Final = 86_400  # seconds
_NOTHING: Final = timedelta(0)
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
# An amount that is not worked off within so many years has no end anybody would wait for.
_FARTHEST: Final = 200
# Years of all calendars together that are kept, about 50 KiB each; in use are two or three of a calendar.
_KEPT: Final = 512


class NeverOpen(AftercareError):
    """The calendar has no working time, or too little; give at least one day of its week a window."""


class MalformedWindow(AftercareError):
    """A window opens within its day, closes at most 24 hours later, and none overlaps the one before it."""


class MalformedWeek(AftercareError):
    """A week has seven days, Monday first."""


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds after the midnight that begins its day; one that crosses midnight closes beyond 86 400."""

    opens: int
    closes: int


def window(opens: time, closes: time) -> Window:
    """From one wall-clock time to another; to the next day's where `closes` is not later."""
    first, last = _seconds(opens), _seconds(closes)
    return Window(first, last if last > first else last + DAY)


def _seconds(moment: time) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second


Provenance = Literal["announced", "statutory", "entered", "imported"]


@dataclass(frozen=True, slots=True)
class ExceptionalDay:
    """A day that differs from its weekday, and where that is known from.

    provenance  "announced" by the authorities, "statutory": by law, with changes still to be announced,
                "entered" by a person, or "imported" from a file
    """

    day: date
    windows: tuple[Window, ...]
    name: str
    provenance: Provenance


@dataclass(frozen=True, eq=False)
class Calendar:
    """Working time of one place: a week (Monday first), and the days that differ from it.

    Two of them are never equal: what is worked out about one is kept for as long as it is used.
    """

    zone: str
    week: tuple[tuple[Window, ...], ...]
    days: Mapping[date, tuple[Window, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.week) != 7:
            raise MalformedWeek
        if not any(self.week):
            raise NeverOpen
        for windows in (*self.week, *self.days.values()):
            _check(windows)

    @cached_property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def windows_on(self, day: date) -> tuple[Window, ...]:
        """Those that open on `day`."""
        return self.days.get(day, self.week[day.weekday()])

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(self.tz)


def _check(windows: Sequence[Window]) -> None:
    closed = 0
    for each in windows:
        if not (closed <= each.opens < DAY and each.opens < each.closes <= each.opens + DAY):
            raise MalformedWindow
        closed = each.closes


def instant_of(calendar: Calendar, day: date, seconds: int = 0) -> datetime:
    """The first instant at which the clocks show that time of `day`, or have passed it where they skip it.

    So a window that opens at 02:30 opens at 03:00 on the night in which clocks go from 02:00 to 03:00, and
    at the first of the two 02:30 on the night in which they go back.
    """
    zone = calendar.tz
    shown = datetime.combine(day, time.min) + timedelta(seconds=seconds)
    instant = shown.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == shown:
        return instant
    return _put_forward(zone, shown.replace(tzinfo=zone, fold=1).astimezone(UTC), instant)


def _put_forward(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The instant between the two at which the clocks of `zone` were put forward."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


@dataclass(frozen=True, slots=True)
class _Year:
    """The open intervals of one local year, clipped to it, with prefix sums of their lengths.

    days    those that have working time, and
    starts  when the work of each begins
    """

    opened: list[datetime]
    closed: list[datetime]
    before: list[timedelta]
    total: timedelta
    days: list[date]
    starts: list[datetime]

    def worked(self, instant: datetime) -> timedelta:
        """Working time from the beginning of the year to `instant`."""
        at = bisect_right(self.opened, instant) - 1
        if at < 0:
            return _NOTHING
        return self.before[at] + (min(instant, self.closed[at]) - self.opened[at])

    def reach(self, amount: timedelta) -> datetime:
        """The first instant at which `amount` (more than nothing, at most `total`) has been worked."""
        at = bisect_left(self.before, amount) - 1  # of equals the evening before, not the morning after
        return self.opened[at] + (amount - self.before[at])


@lru_cache(maxsize=_KEPT)
def _year(calendar: Calendar, number: int) -> _Year:
    begins, ends = _new_year(calendar, number), _new_year(calendar, number + 1)
    year = _Year([], [], [], _NOTHING, [], [])
    for day in _days_of(number):
        for each in calendar.windows_on(day):
            opens = max(_instant(calendar, day, each.opens), begins)
            closes = min(_instant(calendar, day, each.closes), ends)
            if opens >= closes:
                continue  # last year's, or skipped by the clocks
            if day.year == number and year.days[-1:] != [day]:
                year.days.append(day)
                year.starts.append(opens)
            if year.closed and opens <= year.closed[-1]:
                year.closed[-1] = max(year.closed[-1], closes)
            else:
                year.opened.append(opens)
                year.closed.append(closes)
    total = _NOTHING
    for opens, closes in zip(year.opened, year.closed, strict=True):
        year.before.append(total)
        total += closes - opens
    return replace(year, total=total)


def _days_of(number: int) -> Iterator[date]:
    """The days of a year, after the one before, whose night shift runs into it."""
    last = date(number, 12, 31).toordinal()
    for ordinal in range(max(1, date(number, 1, 1).toordinal() - 1), last + 1):
        yield date.fromordinal(ordinal)


def _new_year(calendar: Calendar, number: int) -> datetime:
    return instant_of(calendar, date(number, 1, 1)) if number <= MAXYEAR else _END_OF_TIME


def _instant(calendar: Calendar, day: date, seconds: int) -> datetime:
    try:
        return instant_of(calendar, day, seconds)
    except OverflowError:  # the last night of the year 9999
        return _END_OF_TIME


def _year_of(calendar: Calendar, instant: datetime) -> int:
    try:
        return calendar.local(instant).year
    except OverflowError:
        return MAXYEAR


class _Sums:
    """Working time up to each New Year of a calendar, as far as it was asked for: a number a year.

    They are one tuple that is replaced as a whole, so that threads may ask at the same time.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._kept: tuple[int, tuple[timedelta, ...]] | None = None

    def up_to(self, *years: int) -> list[timedelta]:
        """From one and the same beginning up to each of `years`."""
        first, before = self._over(min(years), max(years))
        return [before[number - first] for number in years]

    def year_of(self, since: int, amount: timedelta) -> tuple[int, timedelta]:
        """The year in which `amount`, counted from New Year of `since`, is reached, and how far in it."""
        first, before = self._over(since, since)
        wanted = before[since - first] + amount
        while before[-1] < wanted:
            known = first + len(before) - 1
            if known > min(since + _FARTHEST, MAXYEAR):
                raise NeverOpen
            first, before = self._over(first, known + 1)
        at = bisect_left(before, wanted) - 1
        return first + at, wanted - before[at]

    def _over(self, first: int, last: int) -> tuple[int, tuple[timedelta, ...]]:
        start, before = self._kept or (first, (_NOTHING,))
        if first < start:
            start, before = first, (_NOTHING,)
        missing = range(start + len(before) - 1, last)
        if missing:
            totals = (_year(self._calendar, number).total for number in missing)
            before = (*before[:-1], *accumulate(totals, initial=before[-1]))
        self._kept = start, before
        return start, before


@lru_cache(maxsize=_KEPT)
def _sums(calendar: Calendar) -> _Sums:
    return _Sums(calendar)


def is_open(calendar: Calendar, instant: datetime) -> bool:
    """Whether `instant` is working time; the moment of closing is not."""
    year = _year(calendar, _year_of(calendar, instant))
    at = bisect_right(year.opened, instant) - 1
    return at >= 0 and instant < year.closed[at]


def working_between(calendar: Calendar, begins: datetime, ends: datetime) -> timedelta:
    """Working time from one instant to another that is not earlier."""
    first, last = _year_of(calendar, begins), _year_of(calendar, ends)
    whole, until = _sums(calendar).up_to(first, last)
    return until - whole + _year(calendar, last).worked(ends) - _year(calendar, first).worked(begins)


def add_working(calendar: Calendar, begins: datetime, amount: timedelta) -> datetime:
    """The first instant at which `amount` of working time has passed since `begins`; `NeverOpen` if none."""
    if amount <= _NOTHING:
        return begins.astimezone(UTC)
    number = _year_of(calendar, begins)
    amount += _year(calendar, number).worked(begins)
    number, rest = _sums(calendar).year_of(number, amount)
    return _year(calendar, number).reach(rest)


def next_working_day(calendar: Calendar, instant: datetime, *, strict: bool = False) -> date:
    """The next day whose work begins after `instant`; with `strict` a later day than that of `instant`.

    `NeverOpen` where none is left.
    """
    first = _year_of(calendar, instant)
    for number in range(first, min(first + _FARTHEST, MAXYEAR) + 1):
        year = _year(calendar, number)
        at = bisect_right(year.starts, instant)
        if strict:
            at = max(at, bisect_right(year.days, calendar.local(instant).date()))
        if at < len(year.days):
            return year.days[at]
    raise NeverOpen


def instant_on(calendar: Calendar, day: date, moment: time) -> datetime:
    """The instant at which clocks there show `moment` on `day`."""
    return instant_of(calendar, day, _seconds(moment))


def open_between(calendar: Calendar, begins: datetime, ends: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The open intervals from one instant to another, clipped to them; one that crosses New Year is two."""
    for number in range(_year_of(calendar, begins), _year_of(calendar, ends) + 1):
        year = _year(calendar, number)
        at = max(0, bisect_right(year.opened, begins) - 1)
        for opens, closes in zip(year.opened[at:], year.closed[at:], strict=True):
            if opens >= ends:
                break
            if closes > begins:
                yield max(opens, begins), min(closes, ends)
