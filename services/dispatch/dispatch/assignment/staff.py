"""What decisions are made from: the work to be given out, who there is, and how things stand right now."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Final, Literal, TypeAlias

from dispatch.assignment.decisions import Assignment, Decision
from dispatch.assignment.policy import SHIPPED, Policy
from dispatch.organisation.roster import Interval, Shift, joined
from dispatch.organisation.rules import Centre, Department, Organisation, Person, Region, Team
from shared.events.terms import PersonId, Severity

HORIZON: Final = timedelta(days=61)  # of shifts, leave and visits: as far as the policy may let anybody wait
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_EARTH_KM: Final = 6371.0
Place: TypeAlias = tuple[float, float]
"""Latitude and longitude in degrees."""
Preference = Literal["preferred", "blocked"]


@dataclass(frozen=True, slots=True)
class Job:
    """What a decision needs to know of a ticket.

    ahead        who is asked before everybody else, such as the substitutes of who had it
    appointment  the time agreed with the customer: whoever goes is free for all of it
    not_before   when the parts that the work needs will be there, where that is known
    due_at       by when somebody has to be there, where that was promised; else the policy's promises count
    held         whose time is taken by this very work, from when to when: it keeps them from nothing here
    """

    severity: Severity
    region: str
    city: str
    product_line: str | None = None
    skills: tuple[str, ...] = ()
    declined: frozenset[PersonId] = frozenset()
    customer: object = None
    customer_level: str = "standard"
    kind: str = "fault"
    place: Place | None = None
    ahead: tuple[PersonId, ...] = ()
    appointment: Interval | None = None
    not_before: datetime | None = None
    due_at: datetime | None = None
    held: tuple[PersonId, Interval] | None = None
    device: object = None


@dataclass(frozen=True, slots=True)
class Loads:
    """How many open tickets each works on, and supervises."""

    working: Counter[PersonId]
    supervising: Counter[PersonId]

    def copy(self) -> Loads:
        return Loads(self.working.copy(), self.supervising.copy())

    def add(self, decision: Decision) -> None:
        """One more for whom `decision` names."""
        if isinstance(decision, Assignment):
            self.working[decision.engineer_id] += 1
            if decision.supervisor_id is not None:
                self.supervising[decision.supervisor_id] += 1


@dataclass(frozen=True)
class Situation:
    """How things stand at `now`, as far as decisions need it.

    away         approved leave; like the next two, each person's in order of time
    visits       agreed with customers
    on_call      duty outside of the shift
    duty_leads   who is on call as duty lead now, by region
    familiar     who was at a customer's last, by customer
    versed       who worked on a product last, by product
    preferences  whom customers prefer or refuse
    places       where somebody is at work or on the way to right now
    """

    now: datetime = _LONG_AGO
    policy: Policy = SHIPPED
    away: Mapping[PersonId, Sequence[Interval]] = field(default_factory=dict)
    visits: Mapping[PersonId, Sequence[Interval]] = field(default_factory=dict)
    on_call: Mapping[PersonId, Sequence[Interval]] = field(default_factory=dict)
    duty_leads: Mapping[str, PersonId] = field(default_factory=dict)
    familiar: Mapping[object, PersonId] = field(default_factory=dict)
    versed: Mapping[object, PersonId] = field(default_factory=dict)
    preferences: Mapping[object, Mapping[PersonId, Preference]] = field(default_factory=dict)
    places: Mapping[PersonId, Place] = field(default_factory=dict)
    _windows: dict[str, tuple[Interval, ...]] = field(default_factory=dict, compare=False)

    @cached_property
    def apart(self) -> frozenset[PersonId]:
        """Whose time or place is not that of their shift and centre."""
        return frozenset((*self.away, *self.visits, *self.on_call, *self.places))

    def windows(self, shift: Shift) -> tuple[Interval, ...]:
        """When a shift works from now on."""
        if shift.code not in self._windows:
            self._windows[shift.code] = shift.intervals(self.now, self.now + HORIZON)
        return self._windows[shift.code]


@dataclass(frozen=True)
class Staff:
    """The part of the organisation that may have a say in a decision, and the situation it is made in."""

    default_region: str
    regions: Mapping[str, Region]
    centres: Mapping[str, Centre]
    people: Mapping[PersonId, Person]
    teams: tuple[Team, ...] = ()
    certified: frozenset[str] = frozenset()
    shifts: Mapping[str, Shift] = field(default_factory=dict)
    situation: Situation = field(default_factory=Situation)
    departments: Mapping[str, Department] = field(default_factory=dict)
    memo: dict[object, object] = field(default_factory=dict, compare=False, repr=False)
    """What the rules have worked out from the organisation alone; shared by all situations."""

    @classmethod
    def of(cls, organisation: Organisation, people: Iterable[Person] | None = None) -> Staff:
        """`people` where there are more than the document names: those who left."""
        return cls(
            organisation.default_region,
            {region.code: region for region in organisation.regions},
            {centre.code: centre for centre in organisation.centres},
            {person.id: person for person in people or organisation.people},
            organisation.teams,
            frozenset(skill.code for skill in organisation.skills if skill.certified),
            {shift.code: shift for shift in organisation.shifts},
            departments={each.code: each for each in organisation.departments},
        )

    def at(self, situation: Situation) -> Staff:
        """The same people at another time."""
        moved = replace(self, situation=situation)
        for name in ("shift_codes", "_engineers"):
            if name in self.__dict__:
                moved.__dict__[name] = self.__dict__[name]
        return moved

    @cached_property
    def shift_codes(self) -> Mapping[PersonId, str]:
        codes = {member: team.shift for team in reversed(self.teams) if team.shift for member in team.members}
        own = {person.id: person.shift for person in self.people.values() if person.shift}
        return {**codes, **own}

    @cached_property
    def _engineers(self) -> Mapping[str, tuple[Person, ...]]:
        found: dict[str, list[Person]] = {code: [] for code in self.regions}
        for person in self.people.values():
            if person.is_engineer:
                for code in person.regions:
                    found.setdefault(code, []).append(person)
        return {code: tuple(people) for code, people in found.items()}

    def engineers_of(self, region: str) -> tuple[Person, ...]:
        return self._engineers.get(region, ())

    def answering(self, code: str) -> Region:
        """The region that answers for `code`, with whoever stands in for those who are away."""
        region = self.regions.get(code) or self.regions[self.default_region]
        on_call = self.situation.duty_leads.get(region.code)
        if not (self.situation.away or on_call):
            return region
        lead = on_call if on_call is not None and self.is_there(on_call) else region.duty_lead
        leader = self.stand_in(region.emergency_leader, engineer=True)
        experts = tuple(each for each in region.emergency_experts if each != leader)
        changes = {"duty_lead": self.stand_in(lead), "emergency_leader": leader, "emergency_experts": experts}
        return region.model_copy(update=changes)

    def stand_in(self, person_id: PersonId, *, engineer: bool = False) -> PersonId:
        """Who does what somebody would do: they themselves, or their first substitute while they are away."""
        if self.is_there(person_id) or person_id not in self.people:
            return person_id
        for each in self.people[person_id].substitutes:
            if self.is_there(each) and (not engineer or self.people[each].is_engineer):
                return each
        return person_id

    def is_there(self, person_id: PersonId) -> bool:
        """Whether somebody belongs to us and is not away."""
        person, now = self.people.get(person_id), self.situation.now
        return (
            person is not None
            and person.active
            and not any(begins <= now < ends for begins, ends in self.situation.away.get(person_id, ()))
        )

    def heirs_of(self, person_id: PersonId) -> tuple[PersonId, ...]:
        """The substitutes of somebody who are there."""
        person = self.people.get(person_id)
        return tuple(each for each in person.substitutes if self.is_there(each)) if person else ()

    def working(self, person_id: PersonId) -> Sequence[Interval] | None:
        """When somebody is at work from now on, their duty on call with it; None is always."""
        code = self.shift_codes.get(person_id)
        if code is None or code not in self.shifts:
            return None
        windows = self.situation.windows(self.shifts[code])
        called = self.situation.on_call.get(person_id)
        return joined([*windows, *called]) if called else windows

    def is_on_duty(self, person_id: PersonId) -> bool:
        """Whether somebody may be expected to answer now."""
        working, now = self.working(person_id), self.situation.now
        on_shift = working is None or any(begins <= now < ends for begins, ends in working)
        return on_shift and self.is_there(person_id)

    def busy(self, person_id: PersonId) -> Sequence[Interval]:
        """Leave and visits of somebody, in order of time."""
        away = self.situation.away.get(person_id, ())
        visits = self.situation.visits.get(person_id, ())
        return joined([*away, *visits]) if away and visits else away or visits

    def centre_of(self, person: Person) -> Centre | None:
        return self.centres.get(person.centre or "")

    def city_of(self, person: Person) -> str | None:
        centre = self.centre_of(person)
        return centre.city if centre else None


def lasts_until(person: Person, skill: str) -> date | None:
    """Through which day a certificate of somebody is good; `date.min` when they have none, None for ever."""
    held = [each.valid_until for each in person.certificates if each.skill == skill]
    if not held:
        return date.min
    dated = [each for each in held if each is not None]
    return None if len(dated) < len(held) else max(dated)


def kilometres(one: Place, other: Place) -> float:
    """Along the straight line over the ground."""
    (lat1, lon1), (lat2, lon2) = ((math.radians(each[0]), math.radians(each[1])) for each in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(min(1.0, math.sqrt(half)))
