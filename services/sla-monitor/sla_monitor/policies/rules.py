"""A policy is data: which events start, stop, end and pause a promise, and how much time it allows.

Events are named by owner and kind (`dispatch.ticket_assigned`), without the version of their form. A policy
is stored as JSON under a version; a clock obeys the version in force when its subject's history begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.events.terms import Code
from shared.i18n import N_
from shared.sent import Sent
from sla_monitor.calendars.rules import Calendar, instant_on, is_open, next_working_day

Kind = Annotated[str, StringConstraints(pattern=r"^[a-z]+\.[a-z_]+$", max_length=100)]
Kinds = Annotated[tuple[Kind, ...], Field(max_length=50)]
Role = Literal["owner", "supervisor", "team_lead", "leadership"]
Length = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=366))]
Measure = Literal["wall", "working"]
About = Literal["ticket", "request", "call"]
NOTHING: Final = timedelta(0)
MOST_PROMISES: Final = 200
BREACHED: Final = 100  # percent of the time
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2400  # nobody waits longer, and adding to what lies near 9999 overflows


class _Data(Sent):
    model_config = ConfigDict(frozen=True)


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
    at_least: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=366))] = NOTHING
    """Never less than this: a mail at 08:59 is due at 09:59 (decision 20)."""
    strict: bool = False
    """Whether a message before opening waits for the following day (decision 17)."""


class Appointed(_Timed):
    """By the instant that the starting event names (decision 6); one that is past promises nothing."""

    kind: Literal["appointed"] = "appointed"
    fact: Code = "starts_at"
    grace: Annotated[timedelta, Field(ge=timedelta(0), le=timedelta(days=7))] = NOTHING


Simple = Annotated[Wall | Working | NextWorkingDay, Field(discriminator="kind")]


class ByHours(_Data):
    """One target in working time, another outside of it; none is no promise at that time."""

    kind: Literal["by_hours"] = "by_hours"
    in_hours: Simple | None = None
    out_of_hours: Simple | None = None
    carry: bool = False
    """Whether what is left when the office closes goes on at the next opening (decision 1)."""


Target: TypeAlias = Annotated[
    Wall | Working | NextWorkingDay | Appointed | ByHours, Field(discriminator="kind")
]
When = Annotated[dict[Code, Annotated[tuple[str | bool, ...], Field(max_length=200)]], Field(max_length=20)]


class Case(_Data):
    """A target for those starts whose facts are among the named values; the first case that fits counts."""

    when: When = Field(default={})
    target: Target


class Waiting(_Data):
    """The clock stands from one event to another; only from those whose facts are among the named values."""

    kind: Literal["waiting"] = "waiting"
    begins: Kinds
    ends: Kinds
    reason: Code
    when: When = Field(default={}, exclude_if=lambda value: not value)

    def is_about(self, facts: Mapping[str, Any]) -> bool:
        """Whether what was told when the waiting began is what is meant here."""
        return all(facts.get(name) in values for name, values in self.when.items())


class AtCustomersWish(_Data):
    """The clock stands until a visit that the customer wished later than promised (decision 5)."""

    kind: Literal["at_customers_wish"] = "at_customers_wish"
    agreed: Kind
    reason: Code = "customers_wish"


PauseRule = Annotated[Waiting | AtCustomersWish, Field(discriminator="kind")]


class Step(_Data):
    """Whom to tell when so much of the time is gone.

    at             percent; 100 is the breach
    minutes_after  how long after the breach, for a step above it; else nothing
    """

    at: Annotated[int, Field(ge=1, le=BREACHED)]
    tell: tuple[Role, ...] = Field(min_length=1, max_length=20)
    minutes_after: Annotated[int, Field(ge=0, le=7 * 24 * 60)] = 0

    @model_validator(mode="after")
    def _later_only_from_the_breach(self) -> Step:
        if self.minutes_after and self.at != BREACHED:
            raise PydanticCustomError("early_step", N_("Minutes are counted from the breach, at 100 percent"))
        return self


LADDER: Final = (Step(at=75, tell=("owner",)), Step(at=BREACHED, tell=("owner", "supervisor")))


LEADERSHIP_ACKNOWLEDGED: Final = "leadership_acknowledged"


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
    ladder        whom to tell at which step, the earliest first
    pausable      whether a person may let it stand for a reason; None as `by_hand` says
    is_response   whether it counts into the response-time attainment (R110, decision 7)
    enabled       whether it is promised at all
    """

    code: Code
    about: About
    per: Literal["subject", "episode", "start"]
    starts: Kinds = Field(min_length=1)
    unless: Kinds = ()
    stops: Kinds = Field(min_length=1)
    cancels: Kinds = ()
    pauses: tuple[PauseRule, ...] = Field(default=(), max_length=20)
    cases: tuple[Case, ...] = Field(min_length=1, max_length=50)
    regrades_past: bool = False
    ladder: tuple[Step, ...] = Field(default=LADDER, max_length=50)
    pausable: bool | None = Field(default=None, exclude_if=lambda value: value is None)
    is_response: bool = True
    enabled: bool = True

    @model_validator(mode="before")
    @classmethod
    def _read_warnings(cls, data: Any) -> Any:
        """Versions before the ladder named percentages only; their owner was told."""
        if not isinstance(data, Mapping) or "warns" not in data:
            return data
        steps = [{"at": share, "tell": ("owner",)} for share in (*data["warns"], BREACHED)]
        return {**{name: value for name, value in data.items() if name != "warns"}, "ladder": steps}

    @model_validator(mode="after")
    def _climbs(self) -> Promise:
        rungs = [(step.at, step.minutes_after) for step in self.ladder]
        if rungs != sorted(set(rungs)):
            raise PydanticCustomError(
                "tangled_ladder", N_("The steps of a ladder rise, and none is there twice")
            )
        return self

    @property
    def by_hand(self) -> bool:
        """Whether a person may let it stand: work at a customer's may have to wait for the customer.

        A call is answered or not, an agreed time is moved by agreeing on another one, and that leadership has
        taken note hangs on nobody outside.
        """
        if self.pausable is not None:
            return self.pausable
        is_agreed = all(isinstance(case.target, Appointed) for case in self.cases)
        return self.about == "ticket" and not is_agreed and self.code != LEADERSHIP_ACKNOWLEDGED

    @property
    def warns(self) -> tuple[int, ...]:
        """The percentages of the time at which somebody is told before the breach."""
        return tuple(step.at for step in self.ladder if step.at < BREACHED)

    @property
    def producers(self) -> tuple[str, ...]:
        """Who could still tell that it was kept, or that it no longer applies."""
        kinds = (*self.stops, *self.cancels, *(kind for rule in self.pauses for kind in _read(rule)))
        return tuple(sorted({kind.partition(".")[0] for kind in kinds}))

    @cached_property
    def asks(self) -> frozenset[str]:
        """The facts that decide which case fits."""
        return frozenset(name for case in self.cases for name in case.when)

    def case_for(self, facts: Mapping[str, Any]) -> Case | None:
        """The case that fits."""
        for case in self.cases:
            if all(facts.get(name) in values for name, values in case.when.items()):
                return case
        return None


def _read(rule: PauseRule) -> tuple[str, ...]:
    return (*rule.begins, *rule.ends) if isinstance(rule, Waiting) else (rule.agreed,)


class Exempt(_Data):
    """What is promised nothing on purpose, so that nobody is told that it was forgotten."""

    about: About
    when: When
    reason: Code


OF_THE_CALL: Final = Exempt(about="request", when={"channel": ("phone",)}, reason="of_the_call")
"""A request taken from a call has been answered already; the call has promises of its own."""


class Policy(_Data):
    """All promises of a house, and the calendars they are counted by.

    calendar  the one that counts
    regional  those of regions that have their own: region, calendar
    exempt    what is promised nothing on purpose
    """

    calendar: Code
    # Every part is checked against every other one, on the loop that alerts wait for.
    promises: tuple[Promise, ...] = Field(max_length=MOST_PROMISES)
    regional: dict[Code, Code] = Field(default={}, max_length=500)
    exempt: tuple[Exempt, ...] = Field(default=(OF_THE_CALL,), max_length=MOST_PROMISES)

    @model_validator(mode="after")
    def _each_once(self) -> Policy:
        codes = [promise.code for promise in self.promises]
        if len(set(codes)) < len(codes):
            raise PydanticCustomError("promise_twice", N_("Each promise has a code of its own"))
        return self

    def calendar_of(self, region: str | None) -> str:
        """The calendar by which a subject in `region` is counted."""
        return self.regional.get(region or "", self.calendar)

    @property
    def enabled(self) -> tuple[Promise, ...]:
        """Those that are really promised."""
        return tuple(promise for promise in self.promises if promise.enabled)

    def promise(self, code: str) -> Promise | None:
        return next((promise for promise in self.promises if promise.code == code), None)

    def covers(self, about: About, facts: Mapping[str, Any]) -> bool:
        """Whether something is promised, or nothing on purpose; facts not known yet may still be any.

        An appointment covers nothing: there may never be one.
        """
        cases = (
            case.when
            for promise in self.enabled
            if promise.about == about
            for case in promise.cases
            if not isinstance(case.target, Appointed)
        )
        exempt = (each.when for each in self.exempt if each.about == about)
        return any(_may_be(when, facts) for when in (*cases, *exempt))


def _may_be(when: When, facts: Mapping[str, Any]) -> bool:
    return all(facts[name] in values for name, values in when.items() if name in facts)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much time a promise allows, by which measure, the kind of target that says so, and its row."""

    measure: Measure
    amount: timedelta
    requirement: str
    rule: str


def allow(
    target: Target, calendar: Calendar, start: datetime, facts: Mapping[str, Any] = MappingProxyType({})
) -> Allowance | None:
    """What `target` allows from `start` on; None when nothing is promised at that time, or to those facts."""
    match target:
        case Wall(length=length, requirement=requirement):
            return Allowance("wall", length, requirement, target.kind)
        case Working(length=length, requirement=requirement):
            return Allowance("working", length, requirement, target.kind)
        case NextWorkingDay():
            return _until_next_working_day(target, calendar, start)
        case Appointed():
            return _until_appointed(target, start, facts)
        case ByHours():
            return _by_hours(target, calendar, start)


def _by_hours(target: ByHours, calendar: Calendar, start: datetime) -> Allowance | None:
    is_in_hours = is_open(calendar, start)
    chosen = target.in_hours if is_in_hours else target.out_of_hours
    if is_in_hours and target.carry and isinstance(chosen, Wall):
        chosen = Working(length=chosen.length, requirement=chosen.requirement)
    return allow(chosen, calendar, start) if chosen else None


def _until_next_working_day(target: NextWorkingDay, calendar: Calendar, start: datetime) -> Allowance:
    day = next_working_day(calendar, start, strict=target.strict)
    if instant_on(calendar, day, target.by) <= start:  # by seven, at eight, of an office that opens at nine
        day = next_working_day(calendar, start, strict=True)
    amount = max(instant_on(calendar, day, target.by) - start, target.at_least)
    return Allowance("wall", amount, target.requirement, target.kind)


def _until_appointed(target: Appointed, start: datetime, facts: Mapping[str, Any]) -> Allowance | None:
    agreed = instant_in(facts, target.fact)
    if agreed is None or agreed + target.grace <= start:
        return None
    return Allowance("wall", agreed + target.grace - start, target.requirement, target.kind)


def is_countable(instant: datetime) -> bool:
    """Whether any promise and any calendar can count from `instant` on."""
    return FIRST_YEAR <= instant.year <= LAST_YEAR


def instant_in(facts: Mapping[str, Any], name: str) -> datetime | None:
    """The instant that a fact names, in UTC; None where it names none that could be counted to."""
    try:
        instant = datetime.fromisoformat(facts[name])
        aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return aware.astimezone(UTC) if is_countable(aware) else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
