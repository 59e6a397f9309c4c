"""When a company works, and arithmetic on that time: exact, in any zone, across any change of its clocks.

A calendar is a week of windows and the days that differ from it: holidays without a window, make-up
working days (调休) with windows of their own. Instants are aware datetimes; results are UTC.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Final, Literal
from zoneinfo import ZoneInfo

from shared.errors import AftercareError

DAY: Final = 86_400  # seconds
_NOTHING: Final = timedelta(0)
_ONE_DAY: Final = timedelta(days=1)
# An amount that is not worked off within so many years has no end anybody would wait for.
_FARTHEST: Final = 200


class NeverOpen(AftercareError):
    """The calendar has no working time; give at least one day of its week a window."""


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


@dataclass(frozen=True, slots=True)
class ExceptionalDay:
    """A day that differs from its weekday, and where that is known from.

    provenance  "announced" by the authorities, or "statutory": by law, with changes still to be announced
    """

    day: date
    windows: tuple[Window, ...]
    name: str
    provenance: Literal["announced", "statutory"]


@dataclass(frozen=True, eq=False)
class Calendar:
    """Working time of one place: a week (Monday first), and the days that differ from it."""

    zone: str
    week: tuple[tuple[Window, ...], ...]
    days: Mapping[date, tuple[Window, ...]] = field(default_factory=dict)
    _years: dict[int, _Year] = field(default_factory=dict, init=False, repr=False)

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
    """The open intervals of one local year, clipped to it, with prefix sums of their lengths."""

    begins: datetime
    ends: datetime
    opened: list[datetime]
    closed: list[datetime]
    before: list[timedelta]
    total: timedelta

    def worked(self, instant: datetime) -> timedelta:
        """Working time from the beginning of the year to `instant`."""
        at = bisect_right(self.opened, instant) - 1
        if at < 0:
            return _NOTHING
        return self.before[at] + (min(instant, self.closed[at]) - self.opened[at])

    def reach(self, amount: timedelta) -> datetime:
        """The first instant at which `amount` (more than nothing, at most `total`) has been worked."""
        at = bisect_right(self.before, amount) - 1
        if self.before[at] == amount:
            at -= 1  # the evening before, not the morning after
        return self.opened[at] + (amount - self.before[at])


def _year(calendar: Calendar, number: int) -> _Year:
    known = calendar._years.get(number)
    if known is None:
        known = calendar._years[number] = _make_year(calendar, number)
    return known


def _make_year(calendar: Calendar, number: int) -> _Year:
    begins = instant_of(calendar, date(number, 1, 1))
    ends = instant_of(calendar, date(number + 1, 1, 1))
    opened: list[datetime] = []
    closed: list[datetime] = []
    day = date(number, 1, 1) - _ONE_DAY  # whose night shift runs into this year
    while day.year <= number:
        for each in calendar.windows_on(day):
            opens = max(instant_of(calendar, day, each.opens), begins)
            closes = min(instant_of(calendar, day, each.closes), ends)
            if opens >= closes:
                continue  # last year's, or skipped by the clocks
            if closed and opens <= closed[-1]:
                closed[-1] = max(closed[-1], closes)
            else:
                opened.append(opens)
                closed.append(closes)
        day += _ONE_DAY
    before, total = [], _NOTHING
    for opens, closes in zip(opened, closed, strict=True):
        before.append(total)
        total += closes - opens
    return _Year(begins, ends, opened, closed, before, total)


def _year_of(calendar: Calendar, instant: datetime) -> int:
    return calendar.local(instant).year


def is_open(calendar: Calendar, instant: datetime) -> bool:
    """Whether `instant` is working time; the moment of closing is not."""
    year = _year(calendar, _year_of(calendar, instant))
    at = bisect_right(year.opened, instant) - 1
    return at >= 0 and instant < year.closed[at]


def working_between(calendar: Calendar, begins: datetime, ends: datetime) -> timedelta:
    """Working time from one instant to another that is not earlier."""
    first, last = _year_of(calendar, begins), _year_of(calendar, ends)
    whole = sum((_year(calendar, number).total for number in range(first, last)), _NOTHING)
    return whole + _year(calendar, last).worked(ends) - _year(calendar, first).worked(begins)


def add_working(calendar: Calendar, begins: datetime, amount: timedelta) -> datetime:
    """The first instant at which `amount` of working time has passed since `begins`; `NeverOpen` if none."""
    if amount <= _NOTHING:
        return begins.astimezone(UTC)
    number = _year_of(calendar, begins)
    amount += _year(calendar, number).worked(begins)
    for ahead in range(_FARTHEST):
        year = _year(calendar, number + ahead)
        if amount <= year.total:
            return year.reach(amount)
        amount -= year.total
    raise NeverOpen


def next_working_day(calendar: Calendar, instant: datetime, *, strict: bool = False) -> date:
    """The next day whose work begins after `instant`; with `strict` a later day than that of `instant`."""
    day = calendar.local(instant).date() + (_ONE_DAY if strict else _NOTHING)
    for _ in range(366 * _FARTHEST):
        windows = calendar.windows_on(day)
        if windows and instant_of(calendar, day, windows[0].opens) > instant:
            return day
        day += _ONE_DAY
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
