"""The organisation as one document, and what makes it fit to decide by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from dispatch.organisation.roster import Shift
from shared.events.terms import Code, PersonId, Tier
from shared.sent import Sent

Role = Literal[
    "engineer", "dispatcher", "operations", "storekeeper", "care", "knowledge", "department", "admin"
]
TeamType = Literal["support", "technical", "operations", "installation", "key_accounts", "training"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Codes = Annotated[tuple[Code, ...], Field(max_length=100)]
People = Annotated[tuple[PersonId, ...], Field(max_length=100)]
Path = tuple[str | int, ...]


class _Part(Sent):
    model_config = ConfigDict(frozen=True)


class Certificate(_Part):
    """That somebody may do what a skill means; good through the day `valid_until`, for ever without one."""

    skill: Code
    number: Annotated[str, StringConstraints(strip_whitespace=True, max_length=80)] = ""
    valid_until: date | None = None


class Training(_Part):
    """A course that somebody has done, for their file (R38, R132)."""

    code: Code
    title: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    day: date
    hours: Annotated[float, Field(gt=0, le=2000)] | None = None
    passed: bool = True


class Person(_Part):
    """An employee. `product_lines` empty means all of them, no `shift` that of the first team, or any time.

    substitutes  who takes over what they have when they are away, the first of them first
    """

    id: PersonId
    display_name: Name
    active: bool = True
    roles: Annotated[tuple[Role, ...], Field(max_length=8)] = ()
    tier: Tier | None = None
    skills: Codes = ()
    regions: Codes = ()
    product_lines: Codes = ()
    centre: Code | None = None
    certificates: Annotated[tuple[Certificate, ...], Field(max_length=50)] = ()
    trainings: Annotated[tuple[Training, ...], Field(max_length=200)] = ()
    substitutes: Annotated[tuple[PersonId, ...], Field(max_length=5)] = ()
    shift: Code | None = None

    @property
    def is_engineer(self) -> bool:
        return "engineer" in self.roles


class Centre(_Part):
    """A service centre; work in its city is work in the same city (decision 4)."""

    code: Code
    region: Code
    city: Code
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None


class Skill(_Part):
    """A skill by name; `certified` means that it counts only with a certificate that is still good."""

    code: Code
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=80)] = ""
    certified: bool = False


class Team(_Part):
    """People with a task in common (R35); a list that is empty leaves nothing out (R34)."""

    code: Code
    type: TeamType
    members: People = ()
    leader: PersonId | None = None
    regions: Codes = ()
    product_lines: Codes = ()
    customer_levels: Codes = ()
    shift: Code | None = None


class Department(_Part):
    """Another part of the house, which tickets may need something of (R37): sales, R&D, logistics, …

    accountable  answers for each of its tasks; while they are away their substitutes do, else its members
    members      who works on its tasks, too
    """

    code: Code
    name: Name
    accountable: PersonId
    members: People = ()

    @property
    def people(self) -> tuple[PersonId, ...]:
        """Everybody who may answer, who is accountable first."""
        return (self.accountable, *(each for each in self.members if each != self.accountable))


class Region(_Part):
    """Who answers for a region.

    duty_lead         owns whatever nobody else can (R24, decision 9)
    supervisors       guide important tickets (R21)
    emergency_leader  owns urgent tickets; with the experts, the emergency group (R22)
    leadership        is informed of urgent tickets (R23)
    """

    code: Code
    duty_lead: PersonId
    supervisors: Annotated[People, Field(min_length=1)]
    emergency_leader: PersonId
    emergency_experts: Annotated[People, Field(min_length=1)]
    leadership: Annotated[People, Field(min_length=1)]

    def answerable(self) -> Iterator[tuple[Path, PersonId]]:
        """Everybody the region names, and where in the region it does."""
        yield ("duty_lead",), self.duty_lead
        yield ("emergency_leader",), self.emergency_leader
        for name in ("supervisors", "emergency_experts", "leadership"):
            for index, person_id in enumerate(getattr(self, name)):
                yield (name, index), person_id


class Organisation(_Part):
    """Everybody and everything that tickets are given to; `default_region` answers for unlisted regions."""

    note: Annotated[str, StringConstraints(max_length=1000)] = ""
    """For whoever reads the document."""
    default_region: Code
    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=200)]
    centres: Annotated[tuple[Centre, ...], Field(min_length=1, max_length=1000)]
    people: Annotated[tuple[Person, ...], Field(min_length=1, max_length=5000)]
    teams: Annotated[tuple[Team, ...], Field(max_length=500)] = ()
    skills: Annotated[tuple[Skill, ...], Field(max_length=500)] = ()
    """What the skills mean; empty: any code is one, and none needs a certificate."""
    product_lines: Codes = ()
    """All there are; empty: any code is one."""
    customer_levels: Codes = ()
    """All there are; empty: any code is one."""
    shifts: Annotated[tuple[Shift, ...], Field(max_length=100)] = ()
    departments: Annotated[tuple[Department, ...], Field(max_length=100)] = ()

    def region_for(self, code: str) -> Region:
        """The region that answers for `code`."""
        listed = {region.code: region for region in self.regions}
        return listed.get(code) or listed[self.default_region]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the document: where, what, and a stable code."""

    path: Path
    detail: str
    code: str


def faults(document: Organisation) -> list[Fault]:
    """Everything that would leave a ticket without somebody to go to; empty when the document is fit."""
    checks = (
        _repeated, _unknown_places, _unfit_people, _unfit_teams, _unfit_departments, _unfit_regions,
        _unknown_terms,
    )  # fmt: skip
    return [fault for check in checks for fault in check(document)]


def _repeated(document: Organisation) -> Iterator[Fault]:
    keyed: Mapping[str, Sequence[object]] = {
        "regions": [region.code for region in document.regions],
        "centres": [centre.code for centre in document.centres],
        "people": [person.id for person in document.people],
        "teams": [team.code for team in document.teams],
        "skills": [skill.code for skill in document.skills],
        "shifts": [shift.code for shift in document.shifts],
        "departments": [department.code for department in document.departments],
    }
    for name, keys in keyed.items():
        seen: Counter[object] = Counter()
        for index, key in enumerate(keys):
            seen[key] += 1
            if seen[key] == 2:
                yield Fault((name, index), "this stands twice in the list", "repeated")


def _unknown_places(document: Organisation) -> Iterator[Fault]:
    regions = {region.code for region in document.regions}
    if document.default_region not in regions:
        yield Fault(("default_region",), "no such region", "unknown_region")
    for index, centre in enumerate(document.centres):
        if centre.region not in regions:
            yield Fault(("centres", index, "region"), "no such region", "unknown_region")
    for index, person in enumerate(document.people):
        for place, code in enumerate(person.regions):
            if code not in regions:
                yield Fault(("people", index, "regions", place), "no such region", "unknown_region")


def _unfit_people(document: Organisation) -> Iterator[Fault]:
    centres = {centre.code for centre in document.centres}
    known = {person.id for person in document.people}
    for index, person in enumerate(document.people):
        if person.centre is not None and person.centre not in centres:
            yield Fault(("people", index, "centre"), "no such centre", "unknown_centre")
        if person.is_engineer:
            for name in ("tier", "centre", "regions"):
                if not getattr(person, name):
                    yield Fault(("people", index, name), f"an engineer needs a {name}", "missing")
        for place, person_id in enumerate(person.substitutes):
            where: Path = ("people", index, "substitutes", place)
            if person_id not in known:
                yield Fault(where, "no such person", "unknown_person")
            elif person_id == person.id:
                yield Fault(where, "nobody is their own substitute", "own_substitute")


def _unfit_teams(document: Organisation) -> Iterator[Fault]:
    known = {person.id for person in document.people}
    regions = {region.code for region in document.regions}
    for index, team in enumerate(document.teams):
        for place, person_id in enumerate(team.members):
            if person_id not in known:
                yield Fault(("teams", index, "members", place), "no such person", "unknown_person")
        if team.leader is not None and team.leader not in team.members:
            yield Fault(("teams", index, "leader"), "the leader is a member", "not_a_member")
        for place, code in enumerate(team.regions):
            if code not in regions:
                yield Fault(("teams", index, "regions", place), "no such region", "unknown_region")


def _unfit_departments(document: Organisation) -> Iterator[Fault]:
    people = {person.id: person for person in document.people}
    for index, department in enumerate(document.departments):
        accountable = people.get(department.accountable)
        at: Path = ("departments", index)
        if accountable is None:
            yield Fault((*at, "accountable"), "no such person", "unknown_person")
        elif not accountable.active:
            yield Fault((*at, "accountable"), "this person is not active", "inactive_person")
        for place, person_id in enumerate(department.members):
            if person_id not in people:
                yield Fault((*at, "members", place), "no such person", "unknown_person")


def _unfit_regions(document: Organisation) -> Iterator[Fault]:
    people = {person.id: person for person in document.people}
    for index, region in enumerate(document.regions):
        for place, person_id in region.answerable():
            person = people.get(person_id)
            where: Path = ("regions", index, *place)
            if person is None:
                yield Fault(where, "no such person", "unknown_person")
            elif not person.active:
                yield Fault(where, "this person is not active", "inactive_person")
            elif place[0] in ("emergency_leader", "emergency_experts") and not person.is_engineer:
                yield Fault(where, "the emergency group consists of engineers", "not_an_engineer")
        if region.emergency_leader in region.emergency_experts:
            yield Fault(("regions", index, "emergency_experts"), "the leader is no expert beside", "repeated")


def _unknown_terms(document: Organisation) -> Iterator[Fault]:
    """Codes that the document's own lists do not have; a list that is empty has every code."""
    skills = {skill.code for skill in document.skills}
    lines, levels = set(document.product_lines), set(document.customer_levels)
    for index, person in enumerate(document.people):
        at: Path = ("people", index)
        yield from _missing((*at, "skills"), person.skills, skills, "skill")
        yield from _missing((*at, "product_lines"), person.product_lines, lines, "product line")
        held = [certificate.skill for certificate in person.certificates]
        yield from _missing((*at, "certificates"), held, skills, "skill")
    for index, team in enumerate(document.teams):
        at = ("teams", index)
        yield from _missing((*at, "product_lines"), team.product_lines, lines, "product line")
        yield from _missing((*at, "customer_levels"), team.customer_levels, levels, "customer level")
    shifts = {shift.code for shift in document.shifts}
    named = {
        "people": [person.shift for person in document.people],
        "teams": [team.shift for team in document.teams],
    }
    for name, codes in named.items():
        for index, code in enumerate(codes):
            if code is not None and code not in shifts:
                yield Fault((name, index, "shift"), "no such shift", "unknown_shift")


def _missing(at: Path, codes: Sequence[str], listed: set[str], what: str) -> Iterator[Fault]:
    for place, code in enumerate(codes):
        if listed and code not in listed:
            yield Fault((*at, place), f"no such {what}", f"unknown_{what.replace(' ', '_')}")
