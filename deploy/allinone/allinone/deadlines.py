"""The deadline of a clock, worked out without a server.

By the policy and the calendar that ship, and by the same fold that judges live tickets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from allinone.access import NotUsable, UnknownName
from sla_monitor.board import words
from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import Calendar, ExceptionalDay, is_open
from sla_monitor.clocks.rules import Clock, Happening, Interval, evaluate, explain
from sla_monitor.policies.rules import Promise
from sla_monitor.policies.shipped import SHIPPED

YEARS: Final = 2020, 2030
"""Those whose holidays the shipped calendar knows."""

_ONE_DAY: Final = timedelta(days=1)
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Facts = Mapping[str, str | bool]


class FactMissing(NotUsable):
    """A promise depends on something that was not said."""

    def __init__(self, clock: str, name: str, ways: tuple[str, ...]) -> None:
        super().__init__(f"{clock} depends on {name.replace('_', ' ')}: give one of {', '.join(ways)}")


class FactIdle(NotUsable):
    """Something was said that a promise does not depend on."""

    def __init__(self, clock: str, name: str) -> None:
        super().__init__(f"{clock} does not depend on {name.replace('_', ' ')}; leave it out")


@dataclass(frozen=True, slots=True)
class Worked:
    """A clock with its arithmetic; `clock` is None when nothing is promised at that time.

    days  those touched by it that are not working days, or differ from their weekday, and why
    """

    promise: str
    facts: Facts
    start: datetime
    in_hours: bool
    clock: Clock | None
    intervals: tuple[Interval, ...]
    days: tuple[tuple[date, str], ...]


@lru_cache(maxsize=1)
def shipped_calendar() -> tuple[Calendar, Mapping[date, ExceptionalDay]]:
    """The calendar that ships, and its days that differ from their weekday."""
    _, days = chinese_days(*YEARS)
    return Calendar(ZONE, WEEK, {each.day: each.windows for each in days}), {each.day: each for each in days}


def work_out(code: str, facts: Facts, start: datetime) -> Worked:
    """The deadline of the clock `code` that starts at `start` under `facts`, and how it comes about.

    `UnknownName`, `FactMissing` or `FactIdle` name what is known where something does not fit.
    """
    promise = SHIPPED.promise(code)
    if promise is None:
        raise UnknownName("clock", code, (each.code for each in SHIPPED.promises))
    _check(promise, facts)
    calendar, exceptional = shipped_calendar()
    begin = Happening(UUID(int=0), promise.starts[0], 1, start.astimezone(UTC), facts)
    alone = SHIPPED.model_copy(update={"promises": (promise,)})
    clock = next(iter(evaluate(alone, calendar, [begin])), None)
    pieces = explain(calendar, clock.measure, clock.started_at, clock.deadline, ()) if clock else ()
    until = clock.deadline if clock else start
    return Worked(
        code, facts, start, is_open(calendar, start), clock, pieces,
        tuple(_days(calendar, exceptional, start, until)),
    )  # fmt: skip


def _check(promise: Promise, facts: Facts) -> None:
    """Compare what was said with what the cases of a promise ask for."""
    asked: dict[str, dict[str | bool, None]] = {}
    for case in promise.cases:
        for name, values in case.when.items():
            asked.setdefault(name, {}).update(dict.fromkeys(values))
    for name in facts:
        if name not in asked:
            raise FactIdle(promise.code, name)
    for name, known in asked.items():
        if name not in facts:
            ways = ("--same-city", "--other-city") if name == "same_city" else tuple(map(str, known))
            raise FactMissing(promise.code, name, ways)
        if facts[name] not in known:
            raise UnknownName(f"{name} of {promise.code}", str(facts[name]), map(str, known))


def _days(
    calendar: Calendar, exceptional: Mapping[date, ExceptionalDay], start: datetime, until: datetime
) -> Iterator[tuple[date, str]]:
    day, last = calendar.local(start).date(), calendar.local(until).date()
    while day <= last:
        differs = exceptional.get(day)
        if differs is not None:
            pending = "" if differs.provenance == "announced" else "; changes still to be announced"
            yield day, ("working day" if differs.windows else "off") + f" ({differs.name}{pending})"
        elif not calendar.windows_on(day):
            yield day, "off (weekend)"
        elif not YEARS[0] <= day.year <= YEARS[1]:
            yield day, f"by its weekday: holidays are known from {YEARS[0]} to {YEARS[1]}"
        day += _ONE_DAY


def document(worked: Worked) -> dict[str, Any]:
    """As JSON has it; instants in the zone of the calendar, lengths in seconds."""
    clock = worked.clock
    return {
        "clock": worked.promise,
        "facts": dict(worked.facts),
        "start": _iso(worked.start),
        "in_working_hours": worked.in_hours,
        "calendar": {"name": SHIPPED.calendar, "zone": ZONE},
        "deadline": _iso(clock.deadline) if clock else None,
        "requirement": clock.requirement if clock else None,
        "rule": clock.rule if clock else None,
        "measure": clock.measure if clock else None,
        "allowance": clock.allowance.total_seconds() if clock else None,
        "warnings": [{"percent": share, "at": _iso(at)} for share, at in (clock.warnings if clock else ())],
        "intervals": [_piece(each) for each in worked.intervals],
        "days": [{"day": day.isoformat(), "why": why} for day, why in worked.days],
    }


def _piece(piece: Interval) -> dict[str, Any]:
    ends = piece.ends or piece.begins  # without pauses every piece has an end
    return {
        "begins": _iso(piece.begins),
        "ends": _iso(ends),
        "seconds": (ends - piece.begins).total_seconds(),
        "counted": piece.counted,
        "why": piece.why,
    }


def in_words(worked: Worked) -> str:
    """One line for each step."""
    title = f"{words.promise(worked.promise)} ({worked.promise})"
    within = "within" if worked.in_hours else "outside"
    lines = [title, f"start     {_shown(worked.start)}  {within} working hours"]
    lines += [f"day       {day} {_WEEKDAYS[day.weekday()]}  {why}" for day, why in worked.days]
    clock = worked.clock
    if clock is None:
        return "\n".join([*lines, "deadline  none: nothing is promised at that time"])
    rule = words.RULES[clock.rule].format(clock.allowance)
    lines.append(f"allowed   {rule} ({clock.requirement})")
    for piece in worked.intervals:
        length = (piece.ends or piece.begins) - piece.begins
        mark = "counted" if piece.counted else "not     "
        until = _shown(piece.ends or piece.begins)
        lines.append(f"{mark:<8}  {_shown(piece.begins)} to {until}  {length}  {words.REASONS[piece.why]}")
    lines += [f"warning   {_shown(at)}  at {share} %" for share, at in clock.warnings]
    return "\n".join([*lines, f"deadline  {_shown(clock.deadline)}"])


def _local(instant: datetime) -> datetime:
    calendar, _ = shipped_calendar()
    return calendar.local(instant)


def _iso(instant: datetime) -> str:
    return _local(instant).isoformat()


def _shown(instant: datetime) -> str:
    local = _local(instant)
    seconds = "minutes" if not local.second else "seconds"
    return f"{_WEEKDAYS[local.weekday()]} {local.isoformat(' ', seconds)}"
