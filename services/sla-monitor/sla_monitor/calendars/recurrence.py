"""On which days something recurs: the rules of iCalendar (RFC 5545, 3.3.10) for entries that last whole days.

Days are walked, not computed: a rule that never fits costs as much as one that does, and all rules of a
file together no more than a budget.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Final, Literal, get_args

from shared.errors import AftercareError

Frequency = Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
FREQUENCIES: Final[dict[str, Frequency]] = {name: name for name in get_args(Frequency)}

# So many days at most belong to the period of a day, before it and after it.
_ROUND: Final[dict[Frequency, int]] = {"DAILY": 0, "WEEKLY": 6, "MONTHLY": 30, "YEARLY": 365}


class TooMuchRecurrence(AftercareError):
    """The recurring entries of the file reach over too many days; send fewer, or ask for fewer years."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rule; what is empty restricts nothing.

    weekdays    (which of its month or year, counted from 1 or from the end from -1, or 0 for each; weekday)
    positions   which of the days of one period, likewise
    week_start  the weekday with which weeks begin
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: date | None = None
    months: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    year_days: frozenset[int] = frozenset()
    weekdays: frozenset[tuple[int, int]] = frozenset()
    positions: frozenset[int] = frozenset()
    week_start: int = 0


@dataclass(slots=True)
class Budget:
    """How many days may still be walked."""

    days: int

    def spend(self) -> None:
        """Walk one more; `TooMuchRecurrence` when none is left."""
        self.days -= 1
        if self.days < 0:
            raise TooMuchRecurrence


def occurrences(rule: Recurrence, start: date, first: date, last: date, budget: Budget) -> Iterator[date]:
    """The days from `first` to `last` on which what began on `start` recurs."""
    # Only a rule that counts must be followed from its beginning.
    begins = start if rule.count is not None else max(start, first)
    ends = min(last, rule.until) if rule.until else last
    left = rule.count
    for period, days in groupby(_walk(rule, begins, ends, budget), key=lambda day: _period(rule, day)):
        if (period - _period(rule, start)) % rule.interval:
            continue
        fitting = [day for day in days if _fits(rule, start, day)]
        for day in _chosen(rule, fitting):
            if day < start or day > ends:
                continue
            if left is not None:
                if left == 0:
                    return
                left -= 1
            if day >= first:
                yield day


def _walk(rule: Recurrence, begins: date, ends: date, budget: Budget) -> Iterator[date]:
    """Whole periods: a position is one among all the days of its period."""
    at, stop = begins.toordinal(), ends.toordinal()
    if rule.positions:
        at -= _ROUND[rule.frequency]
        stop += _ROUND[rule.frequency]
        whole = {_period(rule, begins), _period(rule, ends)}
    for ordinal in range(max(1, at), min(stop, date.max.toordinal()) + 1):
        day = date.fromordinal(ordinal)
        budget.spend()
        if begins <= day <= ends or _period(rule, day) in whole:
            yield day


def _period(rule: Recurrence, day: date) -> int:
    match rule.frequency:
        case "YEARLY":
            return day.year
        case "MONTHLY":
            return day.year * 12 + day.month
        case "WEEKLY":
            return (day.toordinal() - 1 - rule.week_start) // 7
        case "DAILY":
            return day.toordinal()


def _chosen(rule: Recurrence, fitting: list[date]) -> list[date]:
    if not rule.positions:
        return fitting
    count = len(fitting)
    places = {place - 1 if place > 0 else count + place for place in rule.positions}
    return [fitting[place] for place in sorted(places) if 0 <= place < count]


def _fits(rule: Recurrence, start: date, day: date) -> bool:
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days:
        length = monthrange(day.year, day.month)[1]
        if not rule.month_days & {day.day, day.day - length - 1}:
            return False
    if rule.year_days:
        at = day.timetuple().tm_yday
        if not rule.year_days & {at, at - _length(day.year) - 1}:
            return False
    if rule.weekdays:
        return any(_is_weekday(rule, day, *each) for each in rule.weekdays)
    return bool(rule.month_days or rule.year_days) or _fits_start(rule, start, day)


def _fits_start(rule: Recurrence, start: date, day: date) -> bool:
    """What a rule leaves open is as on the first day."""
    match rule.frequency:
        case "YEARLY":
            return day.day == start.day and (bool(rule.months) or day.month == start.month)
        case "MONTHLY":
            return day.day == start.day
        case "WEEKLY":
            return day.weekday() == start.weekday()
        case "DAILY":
            return True


def _is_weekday(rule: Recurrence, day: date, place: int, weekday: int) -> bool:
    if day.weekday() != weekday:
        return False
    if place == 0:
        return True
    if rule.frequency == "YEARLY" and not rule.months:
        at, length = day.timetuple().tm_yday, _length(day.year)
    else:
        at, length = day.day, monthrange(day.year, day.month)[1]
    return place == ((at - 1) // 7 + 1 if place > 0 else -((length - at) // 7 + 1))


def _length(year: int) -> int:
    return (date(year + 1, 1, 1) - date(year, 1, 1) if year < 9999 else timedelta(365)).days
