"""Days out of an iCalendar file (RFC 5545) that somebody sends: read, never trusted.

Only whole days count, and of an entry only what says which. The rest never reaches the library, which
would follow the recurrences of time zones, for example.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from shared.errors import AftercareError
from sla_monitor.calendars.recurrence import FREQUENCIES, Budget, Recurrence, occurrences
from sla_monitor.calendars.rules import ExceptionalDay
from sla_monitor.calendars.versions import Content

LARGEST_FILE: Final = 1024 * 1024  # bytes
MOST_EVENTS: Final = 5000
MOST_WALKED: Final = 1_000_000  # days, over all recurrences: about a second
LONGEST_NAME: Final = 100
_LONGEST_EVENT: Final = 366  # days
# What the library reads takes it about 0.1 ms a line and 20 µs an item of a list.
_MOST_LINES: Final = 8 * MOST_EVENTS
_MOST_ITEMS: Final = 8 * MOST_EVENTS
_LONGEST_LINE: Final = 10_000  # bytes, unfolded
_TEXTS: Final = {"UID", "SUMMARY", "CATEGORIES", "STATUS"}
_READ: Final = _TEXTS | {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"}
_FOLD: Final = re.compile(rb"\r?\n[ \t]")
_PROPERTY: Final = re.compile(rb"[A-Za-z-]+")
_WEEKDAYS: Final = {name: at for at, name in enumerate(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])}


class UnreadableCalendar(AftercareError):
    """The file is not an iCalendar file that can be read here: {fault}."""


@dataclass(frozen=True, slots=True)
class Marks:
    """By which words an entry is a working day: in its summary, its categories, or either.

    A Latin word counts as a whole, a Chinese one wherever it stands.
    """

    words: tuple[str, ...] = ("班", "调休", "work", "working day", "workday")
    in_summary: bool = True
    in_categories: bool = True

    def are_on(self, summary: str, categories: str) -> bool:
        texts = [summary] * self.in_summary + [categories] * self.in_categories
        return any(_has(word, text) for word in self.words for text in texts)


def _has(word: str, text: str) -> bool:
    if not word.isascii():
        return word in text
    return re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z'’])", text, re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class Imported:
    """The days of a file within the years asked for, and how many of its entries name times of a day."""

    days: tuple[ExceptionalDay, ...]
    left_out: int


def read_days(raw: bytes, years: range, marks: Marks, content: Content) -> Imported:
    """What a file says about `years`; a working day has the hours that `content` usually has.

    `UnreadableCalendar` with the reason where it cannot be read or does not keep within the limits.
    """
    entries = [_entry(event) for event in _events(raw)]
    budget = Budget(MOST_WALKED)
    moved = {(entry.uid, entry.instead_of) for entry in entries if entry.instead_of}
    worked: dict[date, bool] = {}
    names: dict[date, str] = {}
    for entry in entries:
        if entry.begins is None or entry.is_cancelled:
            continue
        works = marks.are_on(entry.summary, entry.categories)
        for day in _days(entry, years, moved, budget):
            # Who says that a day is worked means it: the holiday around it says less.
            if worked.get(day) is None or (works and not worked[day]):
                worked[day], names[day] = works, entry.summary[:LONGEST_NAME]
    days = (
        ExceptionalDay(day, content.usual_hours(day) if works else (), names[day] or "–", "imported")
        for day, works in sorted(worked.items())
    )
    return Imported(tuple(days), sum(entry.begins is None for entry in entries))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a file; `begins` is None where it names times of a day."""

    uid: str
    summary: str
    categories: str
    is_cancelled: bool
    begins: date | None
    length: int  # days
    rule: Recurrence | None = None
    extra: frozenset[date] = field(default=frozenset())
    without: frozenset[date] = field(default=frozenset())
    instead_of: date | None = None


def _days(entry: _Entry, years: range, moved: set[tuple[str, date]], budget: Budget) -> Iterator[date]:
    assert entry.begins is not None
    first, last = date(years[0], 1, 1), date(years[-1], 12, 31)
    early = max(date.min, first - timedelta(days=entry.length))
    starts = set(entry.extra)
    if entry.rule is None:
        starts.add(entry.begins)
    else:
        starts.update(occurrences(entry.rule, entry.begins, early, last, budget))
    for start in starts - entry.without:
        if entry.instead_of is None and (entry.uid, start) in moved:
            continue  # this once it is another day, by an entry of its own
        for number in range(entry.length):
            budget.spend()
            ordinal = start.toordinal() + number
            if first.toordinal() <= ordinal <= last.toordinal():
                yield date.fromordinal(ordinal)


# From the file to its entries.


def _events(raw: bytes) -> list[Any]:
    from icalendar import Calendar

    if len(raw) > LARGEST_FILE:
        raise UnreadableCalendar(fault=f"it has more than {LARGEST_FILE} bytes")
    lines = _relevant(raw)
    _measure(lines)
    try:
        return Calendar.from_ical(b"\r\n".join(lines)).walk("VEVENT")
    except Exception as error:  # whatever somebody's bytes make a parser raise, it is their file
        raise UnreadableCalendar(fault=_first_line(error)) from None


def _measure(lines: list[bytes]) -> None:
    if lines.count(b"BEGIN:VEVENT") > MOST_EVENTS:
        raise UnreadableCalendar(fault=f"it has more than {MOST_EVENTS} entries")
    items = sum(line.count(b",") + line.count(b";") for line in lines)
    if len(lines) > _MOST_LINES or items > _MOST_ITEMS or max(map(len, lines)) > _LONGEST_LINE:
        raise UnreadableCalendar(fault="its entries have too many lines or items, or too long ones")


def _relevant(raw: bytes) -> list[bytes]:
    """The lines that say something about entries, each unfolded, in a calendar of its own."""
    try:
        raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableCalendar(fault="it is not UTF-8") from None
    if not raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].upper().startswith(b"BEGIN:VCALENDAR"):
        raise UnreadableCalendar(fault="it does not begin with BEGIN:VCALENDAR")
    kept, open_ = [b"BEGIN:VCALENDAR"], list[bytes]()
    for line in _FOLD.sub(b"", raw.removeprefix(b"\xef\xbb\xbf")).splitlines():
        name, value = _named(line)
        if name == b"BEGIN":
            open_.append(value)
        if len(open_) == 2 and open_[1] == b"VEVENT":
            if name in (b"BEGIN", b"END"):
                kept.append(name + b":VEVENT")
            elif name.decode() in _READ:
                kept.append(line)
        if name == b"END" and (not open_ or open_.pop() != value):
            raise UnreadableCalendar(fault="its parts are not closed in their order")
    if open_:
        raise UnreadableCalendar(fault="its end is missing")
    return [*kept, b"END:VCALENDAR"]


def _named(line: bytes) -> tuple[bytes, bytes]:
    match = _PROPERTY.match(line)
    return (match[0].upper() if match else b""), line.rpartition(b":")[2].strip().upper()


def _first_line(error: Exception) -> str:
    """Of what the library says, without the values it says it about."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "…", str(error)).partition("\n")[0][:200] or type(error).__name__


# From an entry as the library has it to what counts here.


def _entry(event: Any) -> _Entry:
    try:
        return _read_entry(event)
    except UnreadableCalendar:
        raise
    except Exception as error:  # as above: a property that is broken says so when it is read
        raise UnreadableCalendar(fault=_first_line(error)) from None


def _read_entry(event: Any) -> _Entry:
    if event.errors:
        name, fault = event.errors[0]
        raise UnreadableCalendar(fault=f"{name or 'a line'}: {_first_line(ValueError(fault))}")
    begins = _only(event, "DTSTART")
    if begins is None:
        raise UnreadableCalendar(fault="an entry has no DTSTART")
    known: dict[str, Any] = {
        "uid": str(_only(event, "UID") or ""),
        "summary": _printed(str(_only(event, "SUMMARY") or "")),
        "categories": ",".join(
            str(each) for group in _each(event, "CATEGORIES") for each in getattr(group, "cats", [group])
        ),
        "is_cancelled": str(_only(event, "STATUS") or "").upper() == "CANCELLED",
    }
    if isinstance(begins.dt, datetime) or not isinstance(begins.dt, date):
        return _Entry(**known, begins=None, length=0)
    recurrence = _only(event, "RECURRENCE-ID")
    return _Entry(
        **known,
        begins=begins.dt,
        length=_length(event, begins.dt),
        rule=_rule(event),
        extra=_dates(event, "RDATE"),
        without=_dates(event, "EXDATE"),
        instead_of=_date(recurrence.dt) if recurrence else None,
    )


def _printed(text: str) -> str:
    """In one line, without what cannot be printed."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _each(event: Any, name: str) -> list[Any]:
    found = event.get(name)
    return [] if found is None else found if isinstance(found, list) else [found]


def _only(event: Any, name: str) -> Any:
    found = _each(event, name)
    if len(found) > 1:
        raise UnreadableCalendar(fault=f"{name} stands twice in one entry")
    return found[0] if found else None


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if not isinstance(value, date):
        raise UnreadableCalendar(fault="an entry of whole days names something that is no day")
    return value


def _dates(event: Any, name: str) -> frozenset[date]:
    return frozenset(_date(each.dt) for group in _each(event, name) for each in group.dts)


def _length(event: Any, begins: date) -> int:
    """How many days; an end on the first day is what many programs write for that day alone."""
    end, duration = _only(event, "DTEND"), _only(event, "DURATION")
    days = 1
    if end is not None:
        days = (_date(end.dt) - begins).days or 1
    elif duration is not None:
        days = duration.dt.days or 1
    if not 1 <= days <= _LONGEST_EVENT:
        fault = f"an entry ends before it begins, or lasts more than {_LONGEST_EVENT} days"
        raise UnreadableCalendar(fault=fault)
    return days


def _rule(event: Any) -> Recurrence | None:
    found = _only(event, "RRULE")
    if found is None:
        return None
    parts = {str(name).upper(): values for name, values in found.items()}
    if strange := parts.keys() - _PARTS:
        raise UnreadableCalendar(fault=f"a recurrence by {sorted(strange)[0]} cannot be followed here")
    frequency = FREQUENCIES.get("".join(str(each).upper() for each in parts.get("FREQ", ())))
    if frequency is None:
        raise UnreadableCalendar(fault="an entry of whole days recurs by days, weeks, months or years")
    weekdays = frozenset((each.relative or 0, _WEEKDAYS[each.weekday]) for each in parts.get("BYDAY", ()))
    if frequency in ("DAILY", "WEEKLY") and any(place for place, _ in weekdays):
        raise UnreadableCalendar(fault="only months and years have a first weekday")
    return Recurrence(
        frequency=frequency,
        interval=_number(parts, "INTERVAL", 1, 1000) or 1,
        count=_number(parts, "COUNT", 1, 100_000),
        until=_date(parts["UNTIL"][0]) if "UNTIL" in parts else None,
        months=_numbers(parts, "BYMONTH", 1, 12),
        month_days=_numbers(parts, "BYMONTHDAY", -31, 31),
        year_days=_numbers(parts, "BYYEARDAY", -366, 366),
        weekdays=weekdays,
        positions=_numbers(parts, "BYSETPOS", -366, 366),
        week_start=_WEEKDAYS[str(parts["WKST"][0]).upper()] if "WKST" in parts else 0,
    )


_BY: Final = {"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYDAY", "BYSETPOS"}
_PARTS: Final = _BY | {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}


def _number(parts: Mapping[str, Iterable[Any]], name: str, least: int, most: int) -> int | None:
    return next(iter(_numbers(parts, name, least, most)), None)


def _numbers(parts: Mapping[str, Iterable[Any]], name: str, least: int, most: int) -> frozenset[int]:
    found = frozenset(int(each) for each in parts.get(name, ()))
    if any(not least <= each <= most or each == 0 for each in found):
        raise UnreadableCalendar(fault=f"{name} is out of range")
    return found
