"""Every clock of a story, with its arithmetic, worked out without a server.

The story is a JSON list of what happens, each at an instant or so long after the start:

    [{"kind": "dispatch.ticket_assigned", "after": "PT0S",
      "facts": {"severity": "urgent", "same_city": true}},
     {"kind": "dispatch.engineer_arrived", "at": "2026-02-14T16:40+08:00"}]
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from allinone.deadlines import (
    Facts,
    Worked,
    allowance_lines,
    day_lines,
    days_between,
    iso,
    piece_document,
    piece_line,
    promise_of,
    shown,
    title,
    work_out,
)
from allinone.faults import NotUsable
from allinone.rulings import Counting, FileUnusable, Rules, read_json, told
from sla_monitor.board import words
from sla_monitor.clocks.rules import Clock, Happening, Interval, evaluate, explain
from sla_monitor.policies.rules import Kind, Policy
from sla_monitor.replay.reading import EARLIEST, LATEST

_OUTCOMES: Final = {"met": "kept", "breached": "missed", "running": "running", "cancelled": "cancelled"}


class NothingPromised(NotUsable):
    """No promise begins with what was said."""

    def __init__(self) -> None:
        super().__init__("nothing is promised by what was said; name one with --clock to see what it needs")


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Kind
    at: Annotated[AwareDatetime, Field(ge=EARLIEST, lt=LATEST)] | None = None
    after: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=3660))] | None = None
    facts: dict[str, str | int | bool] = {}

    @model_validator(mode="after")
    def _some_time(self) -> _Event:
        if (self.at is None) == (self.after is None):
            raise PydanticCustomError("when", "Something happens either `at` an instant or `after` the start")
        return self


_EVENTS: Final = TypeAdapter(Annotated[list[_Event], Field(min_length=1, max_length=10_000)])


def read_story(path: Path, start: datetime) -> tuple[Happening, ...]:
    """What happened, from a file; `FileUnusable`."""
    try:
        events = _EVENTS.validate_json(json.dumps(read_json(path)))
    except ValidationError as error:
        raise FileUnusable(path, told(error)) from None
    return tuple(
        Happening(UUID(int=number), each.kind, number, _instant(each, start), each.facts)
        for number, each in enumerate(events, start=1)
    )


def _instant(event: _Event, start: datetime) -> datetime:
    instant = event.at if event.after is None else start.astimezone(UTC) + event.after
    assert instant is not None
    return instant.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Reckoned:
    """Clocks with every piece of their time, and the days they touch that are not ordinary ones."""

    start: datetime
    counting: Counting
    clocks: tuple[tuple[Clock, tuple[Interval, ...]], ...]
    days: tuple[tuple[date, str], ...]

    def document(self) -> dict[str, Any]:
        return document(self)

    def in_words(self) -> str:
        return in_words(self)


def answer(
    start: datetime, clock: str | None, facts: Facts, story: Path | None, rules: Rules
) -> Worked | Reckoned:
    """One promise, the promises of a story, or each that would begin; the errors say what is missing."""
    if story is not None:
        return reckon(read_story(story, start), start, rules.policy, rules.counting, clock)
    if clock is not None:
        return work_out(clock, facts, start, rules.policy, rules.counting)
    return foresee(facts, start, rules.policy, rules.counting)


def reckon(
    story: Sequence[Happening], start: datetime, policy: Policy, counting: Counting, only: str | None
) -> Reckoned:
    """All clocks that a story starts, or those of the promise `only`; `UnknownName`."""
    if only is not None:
        policy = policy.model_copy(update={"promises": (promise_of(policy, only),)})
    return _explained(evaluate(policy, counting.calendar, story), start, counting)


def foresee(facts: Facts, start: datetime, policy: Policy, counting: Counting) -> Reckoned:
    """Each promise that depends on `facts` and nothing else; without facts those that depend on nothing."""
    clocks: list[Clock] = []
    for promise in policy.enabled:
        if promise.asks <= facts.keys() and bool(promise.asks) == bool(facts):
            begin = Happening(UUID(int=0), promise.starts[0], 1, start.astimezone(UTC), facts)
            alone = policy.model_copy(update={"promises": (promise,)})
            clocks += evaluate(alone, counting.calendar, [begin])
    if not clocks:
        raise NothingPromised
    return _explained(clocks, start, counting)


def _explained(clocks: Iterable[Clock], start: datetime, counting: Counting) -> Reckoned:
    pieces = []
    last = start
    for clock in clocks:
        until = max(clock.deadline, clock.stopped_at or clock.deadline)
        intervals = explain(counting.calendar, clock.measure, clock.started_at, until, clock.pauses)
        pieces.append((clock, intervals))
        last = max(last, until)
    return Reckoned(start, counting, tuple(pieces), tuple(days_between(counting, start, last)))


def document(found: Reckoned) -> dict[str, Any]:
    """As JSON has it; instants in the zone of the calendar, lengths in seconds."""
    calendar = found.counting.calendar
    return {
        "start": iso(calendar, found.start),
        "calendar": {"name": found.counting.name, "zone": calendar.zone},
        "clocks": [_clock(found, clock, intervals) for clock, intervals in found.clocks],
        "days": [{"day": day.isoformat(), "why": why} for day, why in found.days],
    }


def _clock(found: Reckoned, clock: Clock, intervals: Sequence[Interval]) -> dict[str, Any]:
    calendar = found.counting.calendar
    return {
        "clock": clock.promise,
        "occurrence": clock.occurrence,
        "requirement": clock.requirement,
        "rule": clock.rule,
        "measure": clock.measure,
        "severity": clock.severity,
        "started_at": iso(calendar, clock.started_at),
        "allowance": clock.allowance.total_seconds(),
        "deadline": iso(calendar, clock.deadline),
        "standing": clock.standing,
        "outcome": clock.outcome,
        "stopped_at": iso(calendar, clock.stopped_at) if clock.stopped_at else None,
        "reason": clock.reason,
        "warnings": [{"percent": share, "at": iso(calendar, at)} for share, at in clock.warnings],
        "intervals": [piece_document(calendar, each) for each in intervals],
    }


def in_words(found: Reckoned) -> str:
    """A paragraph for each clock, a line for each step."""
    calendar = found.counting.calendar
    paragraphs = ["\n".join([f"start     {shown(calendar, found.start)}", *day_lines(found.days)])]
    for clock, intervals in found.clocks:
        lines = [title(clock.promise), f"started   {shown(calendar, clock.started_at)}"]
        lines += allowance_lines(clock)
        lines += [piece_line(calendar, each) for each in intervals]
        lines += [f"warning   {shown(calendar, at)}  at {share} %" for share, at in clock.warnings]
        due = "stands" if clock.standing else shown(calendar, clock.deadline)
        lines += [f"deadline  {due}", f"outcome   {_outcome(found, clock)}"]
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs if found.clocks else [*paragraphs, "nothing is promised in this story"])


def _outcome(found: Reckoned, clock: Clock) -> str:
    word = _OUTCOMES[clock.outcome]
    if clock.stopped_at is None:
        return word
    by = words.EVENTS.get(clock.reason or "", clock.reason or "")
    return f"{word}, {by} {shown(found.counting.calendar, clock.stopped_at)}"
