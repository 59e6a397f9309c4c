"""The deadline of a clock, worked out without a server, by the same fold that judges live tickets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from allinone.faults import NotUsable, UnknownName
from allinone.rulings import Counting
from sla_monitor.board import words
from sla_monitor.calendars.rules import Calendar, is_open
from sla_monitor.clocks.rules import Clock, Happening, Interval, evaluate, explain
from sla_monitor.policies.rules import Policy, Promise

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
    counting: Counting
    days: tuple[tuple[date, str], ...]

    def document(self) -> dict[str, Any]:
        return document(self)

    def in_words(self) -> str:
        return in_words(self)


def work_out(code: str, facts: Facts, start: datetime, policy: Policy, counting: Counting) -> Worked:
    """The deadline of the clock `code` that starts at `start` under `facts`, and how it comes about.

    `UnknownName`, `FactMissing` or `FactIdle` name what is known where something does not fit.
    """
    promise = promise_of(policy, code)
    _check(promise, facts)
    calendar = counting.calendar
    begin = Happening(UUID(int=0), promise.starts[0], 1, start.astimezone(UTC), facts)
    alone = policy.model_copy(update={"promises": (promise,)})
    clock = next(iter(evaluate(alone, calendar, [begin])), None)
    pieces = explain(calendar, clock.measure, clock.started_at, clock.deadline, ()) if clock else ()
    until = clock.deadline if clock else start
    return Worked(
        code, facts, start, is_open(calendar, start), clock, pieces, counting,
        tuple(days_between(counting, start, until)),
    )  # fmt: skip


def promise_of(policy: Policy, code: str) -> Promise:
    """The promise that people mean by `code`; `UnknownName` lists those there are."""
    promise = policy.promise(code)
    if promise is None:
        raise UnknownName("clock", code, (each.code for each in policy.promises))
    return promise


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


def days_between(counting: Counting, start: datetime, until: datetime) -> Iterator[tuple[date, str]]:
    """Each day that is touched and is not an ordinary working day, and why."""
    calendar = counting.calendar
    day, last = calendar.local(start).date(), calendar.local(until).date()
    while day <= last:
        differs = counting.days.get(day)
        if differs is not None:
            pending = "; changes still to be announced" if differs.provenance == "statutory" else ""
            yield day, ("working day" if differs.windows else "off") + f" ({differs.name}{pending})"
        elif not calendar.windows_on(day):
            yield day, "off (weekend)"
        elif counting.years and not counting.years[0] <= day.year <= counting.years[1]:
            first, final = counting.years
            yield day, f"by its weekday: holidays are known from {first} to {final}"
        day += _ONE_DAY


def document(worked: Worked) -> dict[str, Any]:
    """As JSON has it; instants in the zone of the calendar, lengths in seconds."""
    clock, calendar = worked.clock, worked.counting.calendar
    return {
        "clock": worked.promise,
        "facts": dict(worked.facts),
        "start": iso(calendar, worked.start),
        "in_working_hours": worked.in_hours,
        "calendar": {"name": worked.counting.name, "zone": calendar.zone},
        "deadline": iso(calendar, clock.deadline) if clock else None,
        "requirement": clock.requirement if clock else None,
        "rule": clock.rule if clock else None,
        "measure": clock.measure if clock else None,
        "allowance": clock.allowance.total_seconds() if clock else None,
        "warnings": [
            {"percent": share, "at": iso(calendar, at)} for share, at in (clock.warnings if clock else ())
        ],
        "intervals": [piece_document(calendar, each) for each in worked.intervals],
        "days": [{"day": day.isoformat(), "why": why} for day, why in worked.days],
    }


def piece_document(calendar: Calendar, piece: Interval) -> dict[str, Any]:
    """A piece of a clock's time; one that nobody knows the end of has none."""
    return {
        "begins": iso(calendar, piece.begins),
        "ends": iso(calendar, piece.ends) if piece.ends else None,
        "seconds": (piece.ends - piece.begins).total_seconds() if piece.ends else None,
        "counted": piece.counted,
        "why": piece.why,
    }


def in_words(worked: Worked) -> str:
    """One line for each step."""
    calendar = worked.counting.calendar
    within = "within" if worked.in_hours else "outside"
    lines = [title(worked.promise), f"start     {shown(calendar, worked.start)}  {within} working hours"]
    lines += day_lines(worked.days)
    clock = worked.clock
    if clock is None:
        return "\n".join([*lines, "deadline  none: nothing is promised at that time"])
    lines += allowance_lines(clock)
    lines += [piece_line(calendar, each) for each in worked.intervals]
    lines += [f"warning   {shown(calendar, at)}  at {share} %" for share, at in clock.warnings]
    return "\n".join([*lines, f"deadline  {shown(calendar, clock.deadline)}"])


def title(code: str) -> str:
    """What people call a promise, and its code."""
    return f"{words.promise(code)} ({code})"


def day_lines(days: Iterable[tuple[date, str]]) -> list[str]:
    """One line for each day that is not an ordinary one."""
    return [f"day       {day} {_WEEKDAYS[day.weekday()]}  {why}" for day, why in days]


def allowance_lines(clock: Clock) -> list[str]:
    """How much time a clock allows, by which row."""
    rule = words.RULES.get(clock.rule, "{}").format(clock.allowance)
    return [f"allowed   {rule} ({clock.requirement})"]


def piece_line(calendar: Calendar, piece: Interval) -> str:
    """One piece of a clock's time, and why it counts or not."""
    mark = "counted" if piece.counted else "not"
    until = shown(calendar, piece.ends) if piece.ends else "…"
    length = f"{piece.ends - piece.begins}" if piece.ends else "…"
    why = words.REASONS.get(piece.why, piece.why)
    return f"{mark:<8}  {shown(calendar, piece.begins)} to {until}  {length}  {why}"


def iso(calendar: Calendar, instant: datetime) -> str:
    """In the zone of the calendar."""
    return calendar.local(instant).isoformat()


def shown(calendar: Calendar, instant: datetime) -> str:
    """With its weekday; the seconds only where there are any."""
    local = calendar.local(instant)
    seconds = "minutes" if not local.second else "seconds"
    return f"{_WEEKDAYS[local.weekday()]} {local.isoformat(' ', seconds)}"
