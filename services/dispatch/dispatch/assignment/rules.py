"""Who gets a ticket, and why: hard constraints refuse, soft ones cost, and every verdict is kept.

general    a junior engineer, directly by the centre (R20); a higher tier only when no junior passes
important  a senior engineer, and a supervisor who guides (R21)
urgent     the emergency group at once; its leader owns the ticket, leadership is told (R22, R23)
nobody     the region's duty lead owns the ticket and decides (R24, decision 9)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from uuid import UUID

from dispatch.organisation.rules import Centre, Organisation, Person, Region
from shared.events.terms import PersonId, Reason, Severity, Tier
from shared.i18n import N_

TIERS: Final[tuple[Tier, ...]] = ("junior", "senior", "emergency")
NEEDED_TIER: Final[Mapping[Severity, Tier]] = {
    "general": "junior",
    "important": "senior",
    "urgent": "emergency",
}
PRESSING: Final[Mapping[Severity, int]] = {"urgent": 0, "important": 1, "general": 2}
MOST_CANDIDATES: Final = 50  # kept with a decision; nobody reads more

# What one more open ticket costs is the unit.
OTHER_CITY: Final = 4  # about the open tickets one would rather queue behind than travel between cities
LEVEL_ABOVE: Final = 1000  # R20: experts stay free as long as a junior engineer passes
LEADER: Final = 1_000_000  # goes only when none of the experts can

WORDS: Final[Mapping[str, str]] = {
    "general": N_("General: a junior engineer, directly by the service centre (R20)"),
    "important": N_("Important: a senior engineer, and a supervisor who guides (R21)"),
    "urgent": N_("Urgent: the emergency group at once, its leader accountable (R22)"),
    "unlisted_region": N_("Region {region} is not listed; {answering} answers for it"),
    "inactive": N_("Not active"),
    "other_region": N_("Does not work in region {region}"),
    "other_product_line": N_("Does not know product line {product_line}"),
    "lacks_skills": N_("Lacks the skills {skills}"),
    "below_tier": N_("Below the tier that is needed"),
    "declined": N_("Declined this ticket before"),
    "same_city": N_("In the city of the site"),
    "other_city": N_("In another city: {city}"),
    "open_tickets": N_("Open tickets: {count}"),
    "over_qualified": N_("More qualified than needed: only if nobody else passes"),
    "leads_group": N_("Leads the group: goes only if none of its experts can"),
    "by_hand": N_("By hand: {reason}"),
    "keeps_engineer": N_("Another severity: the engineer at work stays"),
}
"""What a finding says; translated where it is shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule found, as the key of `WORDS` and what to put into it."""

    rule: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def reason(self) -> Reason:
        """For the world, in English."""
        return Reason(rule=self.rule, because=WORDS[self.rule].format(**self.facts))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One engineer, and what spoke for and against; `cost` is None for who was refused."""

    person_id: PersonId
    tier: Tier
    cost: int | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """What a decision needs to know of a ticket."""

    severity: Severity
    region: str
    city: str
    product_line: str | None = None
    skills: tuple[str, ...] = ()
    declined: frozenset[PersonId] = frozenset()


@dataclass(frozen=True, slots=True)
class Loads:
    """How many open tickets each works on, and supervises."""

    working: Counter[PersonId]
    supervising: Counter[PersonId]

    def copy(self) -> Loads:
        return Loads(self.working.copy(), self.supervising.copy())

    def add(self, decision: Decision) -> None:
        if isinstance(decision, Assignment):
            self.working[decision.engineer_id] += 1
            if decision.supervisor_id is not None:
                self.supervising[decision.supervisor_id] += 1


@dataclass(frozen=True, slots=True)
class Staff:
    """The part of the organisation that may have a say in a decision."""

    default_region: str
    regions: Mapping[str, Region]
    centres: Mapping[str, Centre]
    people: Mapping[PersonId, Person]

    @classmethod
    def of(cls, organisation: Organisation) -> Staff:
        return cls(
            organisation.default_region,
            {region.code: region for region in organisation.regions},
            {centre.code: centre for centre in organisation.centres},
            {person.id: person for person in organisation.people},
        )

    def answering(self, region: str) -> Region:
        return self.regions.get(region) or self.regions[self.default_region]

    def city_of(self, person: Person) -> str | None:
        centre = self.centres.get(person.centre or "")
        return centre.city if centre else None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What every decision says: who owns the ticket, who is told, and why."""

    owner_id: PersonId
    group_ids: tuple[PersonId, ...]
    """The emergency group, its leader first; empty unless urgent."""
    leadership_ids: tuple[PersonId, ...]
    findings: tuple[Finding, ...]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Assignment(_Verdict):
    """An engineer gets it."""

    engineer_id: PersonId
    supervisor_id: PersonId | None
    tier: Tier
    centre: str
    same_city: bool


@dataclass(frozen=True, slots=True)
class NobodyAvailable(_Verdict):
    """No candidate passed; the duty lead owns it and decides."""

    engineer_id: None = None


@dataclass(frozen=True, slots=True)
class Kept(_Verdict):
    """Whoever is at work stays; who stands beside them may be others."""

    engineer_id: PersonId
    supervisor_id: PersonId | None
    same_city: bool


Decision: TypeAlias = Assignment | NobodyAvailable


def decide_all(jobs: Sequence[Job], staff: Staff, loads: Loads) -> list[Decision]:
    """One decision per job, in their order; the pressing choose first, and see what was given before."""
    loads = loads.copy()
    decisions: dict[int, Decision] = {}
    for index in sorted(range(len(jobs)), key=lambda index: PRESSING[jobs[index].severity]):
        decisions[index] = decide(jobs[index], staff, loads)
        loads.add(decisions[index])
    return [decisions[index] for index in range(len(jobs))]


def decide(job: Job, staff: Staff, loads: Loads) -> Decision:
    """Who gets `job`."""
    region = staff.answering(job.region)
    candidates = sorted(_candidates(job, region, staff, loads), key=_rank)
    for candidate in candidates:
        if candidate.cost is None:
            break
        person = staff.people[candidate.person_id]
        supervisor_id = _supervisor(job, region, staff, loads, person.id)
        if job.severity == "important" and supervisor_id is None:
            continue
        return _assigned(job, region, staff, person, supervisor_id, candidates, candidate.findings)
    return NobodyAvailable(
        owner_id=region.duty_lead,
        group_ids=_group(job, region, staff),
        leadership_ids=_leadership(job, region),
        findings=tuple(_grounds(job, region)),
        candidates=tuple(candidates[:MOST_CANDIDATES]),
    )


def give_to(job: Job, person: Person, staff: Staff, loads: Loads, because: Finding) -> Assignment:
    """`job` goes to `person` whatever the rules say; what they would have said is kept beside."""
    region = staff.answering(job.region)
    candidates = sorted(_candidates(job, region, staff, loads), key=_rank)
    supervisor_id = supervisor_for(job, staff, loads, person.id)
    return _assigned(job, region, staff, person, supervisor_id, candidates, (because,))


def keep(job: Job, engineer_id: PersonId, staff: Staff, loads: Loads) -> Kept:
    """Who stands beside the engineer at work when `job` is of another severity or elsewhere than it was."""
    region = staff.answering(job.region)
    group = _group(job, region, staff)
    engineer = staff.people.get(engineer_id)
    answers = engineer_id if engineer and engineer.active else region.duty_lead
    return Kept(
        owner_id=group[0] if group else answers,
        group_ids=group,
        leadership_ids=_leadership(job, region),
        findings=(*_grounds(job, region), Finding("keeps_engineer")),
        candidates=(),
        engineer_id=engineer_id,
        supervisor_id=supervisor_for(job, staff, loads, engineer_id),
        same_city=engineer is not None and staff.city_of(engineer) == job.city,
    )


def supervisor_for(job: Job, staff: Staff, loads: Loads, engineer_id: PersonId) -> PersonId | None:
    """Somebody, whenever the severity wants one (R21); in the last resort the emergency leader."""
    region = staff.answering(job.region)
    found = _supervisor(job, region, staff, loads, engineer_id)
    return region.emergency_leader if found is None and job.severity == "important" else found


def _assigned(
    job: Job,
    region: Region,
    staff: Staff,
    person: Person,
    supervisor_id: PersonId | None,
    candidates: Sequence[Candidate],
    findings: Iterable[Finding],
) -> Assignment:
    assert person.tier is not None
    assert person.centre is not None
    group = _group(job, region, staff)
    return Assignment(
        owner_id=group[0] if group else person.id,
        group_ids=group,
        leadership_ids=_leadership(job, region),
        findings=(*_grounds(job, region), *findings),
        candidates=tuple(candidates[:MOST_CANDIDATES]),
        engineer_id=person.id,
        supervisor_id=supervisor_id,
        tier=person.tier,
        centre=person.centre,
        same_city=staff.city_of(person) == job.city,
    )


def _candidates(job: Job, region: Region, staff: Staff, loads: Loads) -> list[Candidate]:
    """Everybody who could be asked: the emergency group, or the engineers of the region."""
    if job.severity == "urgent":
        asked: Iterable[UUID] = (region.emergency_leader, *region.emergency_experts)
        people = [staff.people[each] for each in asked if each in staff.people]
    else:
        people = [each for each in staff.people.values() if each.is_engineer and region.code in each.regions]
    return [_judge(job, region, staff, person, loads.working[person.id]) for person in people]


def _judge(job: Job, region: Region, staff: Staff, person: Person, working: int) -> Candidate:
    assert person.tier is not None
    refused = tuple(_refusals(job, region, person))
    leads = job.severity == "urgent" and person.id == region.emergency_leader
    if leads:  # accountable anyway: not being fit in a detail is no reason to send nobody
        refused = tuple(each for each in refused if each.rule in ("inactive", "declined"))
    if refused:
        return Candidate(person.id, person.tier, None, refused)
    city = staff.city_of(person)
    above = 0 if leads else _above(job, person.tier)
    findings = [Finding("same_city") if city == job.city else Finding("other_city", {"city": city})]
    findings.append(Finding("open_tickets", {"count": working}))
    findings += [Finding("over_qualified")] * bool(above) + [Finding("leads_group")] * leads
    cost = working + OTHER_CITY * (city != job.city) + LEVEL_ABOVE * above + LEADER * leads
    return Candidate(person.id, person.tier, cost, tuple(findings))


def _above(job: Job, tier: Tier) -> int:
    return 0 if job.severity == "urgent" else TIERS.index(tier) - TIERS.index(NEEDED_TIER[job.severity])


def _refusals(job: Job, region: Region, person: Person) -> Iterable[Finding]:
    assert person.tier is not None
    if not person.active:
        yield Finding("inactive")
    if region.code not in person.regions:
        yield Finding("other_region", {"region": region.code})
    if job.product_line and person.product_lines and job.product_line not in person.product_lines:
        yield Finding("other_product_line", {"product_line": job.product_line})
    if lacking := sorted(set(job.skills) - set(person.skills)):
        yield Finding("lacks_skills", {"skills": ", ".join(lacking)})
    if job.severity != "urgent" and _above(job, person.tier) < 0:  # the group's experts are named, not graded
        yield Finding("below_tier")
    if person.id in job.declined:
        yield Finding("declined")


def _rank(candidate: Candidate) -> tuple[bool, int, UUID]:
    """Who passed by cost, then who was refused by how much; the id keeps ties the same everywhere."""
    if candidate.cost is None:
        return True, len(candidate.findings), candidate.person_id
    return False, candidate.cost, candidate.person_id


def _supervisor(
    job: Job, region: Region, staff: Staff, loads: Loads, engineer_id: PersonId
) -> PersonId | None:
    """R21: the supervisor with the least to supervise; the duty lead when there is no other."""
    if job.severity != "important":
        return None
    there = [
        each
        for each in region.supervisors
        if each != engineer_id and each in staff.people and staff.people[each].active
    ]
    if there:
        return min(there, key=lambda each: (loads.supervising[each], each))
    return region.duty_lead if region.duty_lead != engineer_id else None


def _group(job: Job, region: Region, staff: Staff) -> tuple[PersonId, ...]:
    if job.severity != "urgent":
        return ()
    there = (each for each in region.emergency_experts if each in staff.people and staff.people[each].active)
    return (region.emergency_leader, *there)


def _leadership(job: Job, region: Region) -> tuple[PersonId, ...]:
    return region.leadership if job.severity == "urgent" else ()


def _grounds(job: Job, region: Region) -> Iterable[Finding]:
    yield Finding(job.severity)
    if region.code != job.region:
        yield Finding("unlisted_region", {"region": job.region, "answering": region.code})
