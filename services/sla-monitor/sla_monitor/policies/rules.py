"""A policy is data: which events start, stop, end and pause a promise, and how much time it allows.

Events are named by owner and kind (`dispatch.ticket_assigned`), without the version of their form. A policy
is stored as JSON under a version; a clock obeys the version in force when its subject's history begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.events.terms import Code
from sla_monitor.calendars.rules import Calendar, instant_on, is_open, next_working_day

Kind = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z_]+$")]
Percent = Annotated[int, Field(ge=1, le=99)]
Length = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=366))]
Measure = Literal["wall", "working"]
NOTHING: Final = timedelta(0)


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Timed(_Data):
    requirement: Code
    """The row of the requirements that asks for it, or the house's own rule."""


class Wall(_Timed):
    """So long by the clock on the wall, day and night."""

    kind: Literal["wall"] = "wall"
    length: Length


class Working(_Timed):
    """So much working time."""

    kind: Literal["working"] = "working"
    length: Length


class NextWorkingDay(_Timed):
    """By a time of the next working day, whatever its opening time (R53)."""

    kind: Literal["next_working_day"] = "next_working_day"
    by: time
    at_least: timedelta = NOTHING
    """Never less than this: a mail at 08:59 is due at 09:59 (decision 20)."""
    strict: bool = False
    """Whether a message before opening waits for the following day (decision 17)."""


Simple = Annotated[Wall | Working | NextWorkingDay, Field(discriminator="kind")]


class ByHours(_Data):
    """One target in working time, another outside of it; none is no promise at that time."""

    kind: Literal["by_hours"] = "by_hours"
    in_hours: Simple | None = None
    out_of_hours: Simple | None = None


Target: TypeAlias = Annotated[Wall | Working | NextWorkingDay | ByHours, Field(discriminator="kind")]


class Case(_Data):
    """A target for those starts whose facts are among the named values; the first case that fits counts."""

    when: dict[Code, tuple[str | bool, ...]] = {}
    target: Target


class Waiting(_Data):
    """The clock stands from one event to another."""

    kind: Literal["waiting"] = "waiting"
    begins: tuple[Kind, ...]
    ends: tuple[Kind, ...]
    reason: Code


class AtCustomersWish(_Data):
    """The clock stands until a visit that the customer wished later than promised (decision 5)."""

    kind: Literal["at_customers_wish"] = "at_customers_wish"
    agreed: Kind
    reason: Code = "customers_wish"


PauseRule = Annotated[Waiting | AtCustomersWish, Field(discriminator="kind")]


class Promise(_Data):
    """One promise.

    about         what it is made about
    per           how often: once for its subject, once per episode, or anew with every starting event
    starts        the first of these events starts it,
    unless        none of these having come before
    stops         the first of these keeps it, if in time
    cancels       the first of these ends it, if the deadline has not passed by then
    cases         how much time, by the facts of the start and the severity
    regrades_past whether another severity changes the judgement after the stop, too (decision 18)
    warns         at which percentages of the time
    is_response   whether it counts into the response-time attainment (R110, decision 7)
    """

    code: Code
    about: Literal["ticket", "request", "call"]
    per: Literal["subject", "episode", "start"]
    starts: tuple[Kind, ...] = Field(min_length=1)
    unless: tuple[Kind, ...] = ()
    stops: tuple[Kind, ...] = Field(min_length=1)
    cancels: tuple[Kind, ...] = ()
    pauses: tuple[PauseRule, ...] = ()
    cases: tuple[Case, ...] = Field(min_length=1)
    regrades_past: bool = False
    warns: tuple[Percent, ...] = (75,)
    is_response: bool = True

    @property
    def producers(self) -> tuple[str, ...]:
        """Who could still tell that it was kept, or that it no longer applies."""
        kinds = (*self.stops, *self.cancels, *(kind for rule in self.pauses for kind in _read(rule)))
        return tuple(sorted({kind.partition(".")[0] for kind in kinds}))

    def case_for(self, facts: Mapping[str, Any]) -> Case | None:
        """The case that fits."""
        for case in self.cases:
            if all(facts.get(name) in values for name, values in case.when.items()):
                return case
        return None


def _read(rule: PauseRule) -> tuple[str, ...]:
    return (*rule.begins, *rule.ends) if isinstance(rule, Waiting) else (rule.agreed,)


class Policy(_Data):
    """All promises of a house, and the calendar they are counted by."""

    calendar: Code
    promises: tuple[Promise, ...]

    @model_validator(mode="after")
    def _each_once(self) -> Policy:
        codes = [promise.code for promise in self.promises]
        if len(set(codes)) < len(codes):
            raise PydanticCustomError("promise_twice", "Each promise has a code of its own")
        return self

    def promise(self, code: str) -> Promise | None:
        return next((promise for promise in self.promises if promise.code == code), None)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much time a promise allows, by which measure, the kind of target that says so, and its row."""

    measure: Measure
    amount: timedelta
    requirement: str
    rule: str


def allow(target: Target, calendar: Calendar, start: datetime) -> Allowance | None:
    """What `target` allows from `start` on; None when nothing is promised at that time."""
    match target:
        case Wall(length=length, requirement=requirement):
            return Allowance("wall", length, requirement, target.kind)
        case Working(length=length, requirement=requirement):
            return Allowance("working", length, requirement, target.kind)
        case NextWorkingDay():
            return _until_next_working_day(target, calendar, start)
        case ByHours():
            chosen = target.in_hours if is_open(calendar, start) else target.out_of_hours
            return allow(chosen, calendar, start) if chosen else None


def _until_next_working_day(target: NextWorkingDay, calendar: Calendar, start: datetime) -> Allowance:
    day = next_working_day(calendar, start, strict=target.strict)
    amount = max(instant_on(calendar, day, target.by) - start, target.at_least)
    return Allowance("wall", amount, target.requirement, target.kind)
