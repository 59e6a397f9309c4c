"""Who gets a ticket, and why: hard constraints refuse, soft ones cost, and every verdict is kept.

general    a junior engineer, directly by the centre (R20); a higher tier only when no junior passes
important  a senior engineer, and a supervisor who guides (R21)
urgent     the emergency group at once; its leader owns the ticket, leadership is told (R22, R23)
nobody     the region's duty lead owns the ticket and decides (R24, decision 9)

Somebody is looked for step by step, and each step is told: the substitute of who had it, the team whose
customers or kind of work it is (R34–R36), the region with its centres, the region that stands in for others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from dispatch.assignment.decisions import Assignment, Candidate, Decision, Kept, NobodyAvailable
from dispatch.assignment.judging import MOST_CANDIDATES, TIERS, Jury
from dispatch.assignment.policy import SHIPPED
from dispatch.assignment.staff import Job, Loads, Situation, Staff
from dispatch.assignment.words import WORDS, Finding
from dispatch.organisation.rules import Person, Region, Team
from shared.events.terms import PersonId, Severity

__all__ = [
    "LEVEL_ABOVE", "OTHER_CITY", "TIERS", "WORDS", "Assignment", "Candidate", "Decision", "Finding", "Job",
    "Kept", "Loads", "NobodyAvailable", "Situation", "Staff", "decide", "decide_all", "give_to", "in_order",
    "keep", "supervisor_for",
]  # fmt: skip

PRESSING: Final[Mapping[Severity, int]] = {"urgent": 0, "important": 1, "general": 2}
OTHER_CITY: Final = SHIPPED.weights.other_city
LEVEL_ABOVE: Final = SHIPPED.weights.level_above


def in_order(jobs: Sequence[Job]) -> list[int]:
    """The places of `jobs` in the order in which they choose: the pressing first, then as they came."""
    return sorted(range(len(jobs)), key=lambda index: PRESSING[jobs[index].severity])


def decide_all(jobs: Sequence[Job], staff: Staff, loads: Loads) -> list[Decision]:
    """One decision per job, in their order; the pressing choose first, and see what was given before."""
    loads = loads.copy()
    decisions: dict[int, Decision] = {}
    for index in in_order(jobs):
        decisions[index] = decide(jobs[index], staff, loads)
        loads.add(decisions[index])
    return [decisions[index] for index in range(len(jobs))]


@dataclass(frozen=True, slots=True)
class _Step:
    """Whom one step of the ladder asks, and how it is told when it finds somebody, and when not."""

    name: str
    facts: Mapping[str, str]
    region: Region
    people: Sequence[Person]


def decide(job: Job, staff: Staff, loads: Loads) -> Decision:
    """Who gets `job`; where nobody can at the agreed time, who can at another, and it says so."""
    decision = _decide(job, staff, loads)
    if job.appointment is None or isinstance(decision, Assignment):
        return decision
    otherwise = _decide(replace(job, appointment=None), staff, loads)
    if isinstance(otherwise, NobodyAvailable):
        return otherwise
    return replace(otherwise, findings=(*otherwise.findings, Finding("appointment_lapses")))


def _decide(job: Job, staff: Staff, loads: Loads) -> Decision:
    region = staff.answering(job.region)
    judged: dict[PersonId, Candidate] = {}
    told: list[Finding] = []
    for step in _ladder(job, region, staff):
        candidates = _asked(job, step, staff, loads)
        chosen = _first_of(job, region, candidates, staff, loads)
        if chosen is not None:
            candidate, supervisor_id = chosen
            person = staff.people[candidate.person_id]
            told.append(_found(job, step, person, staff))
            seen = {each.person_id for each in candidates}
            shown = [*candidates, *(each for each in judged.values() if each.person_id not in seen)]
            return _assigned(job, region, staff, person, supervisor_id, shown, (*told, *candidate.findings))
        judged |= {each.person_id: each for each in candidates if each.person_id not in judged}
        told.append(Finding(f"passed_{step.name}", step.facts))
    return NobodyAvailable(
        owner_id=region.duty_lead,
        group_ids=_group(job, region, staff),
        leadership_ids=_leadership(job, region),
        findings=(*_grounds(job, region), *told, Finding("duty_lead_decides")),
        candidates=tuple(judged.values())[:MOST_CANDIDATES],
    )


def _first_of(
    job: Job, region: Region, candidates: Iterable[Candidate], staff: Staff, loads: Loads
) -> tuple[Candidate, PersonId | None] | None:
    """The best who passed and, where the severity wants one, has somebody else to guide them."""
    for candidate in candidates:
        if candidate.cost is None:
            return None
        supervisor_id = _supervisor(job, region, staff, loads, candidate.person_id)
        if job.severity != "important" or supervisor_id is not None:
            return candidate, supervisor_id
    return None


def _ladder(job: Job, region: Region, staff: Staff) -> Iterator[_Step]:
    """Whom to ask, step by step."""
    ladder = staff.situation.policy.ladder
    heirs = [staff.people[each] for each in job.ahead if each in staff.people]
    if heirs and (asked := [each for each in heirs if each.is_engineer and _may_serve(job, each, region)]):
        yield _Step("substitute", {}, region, asked)
    if job.severity == "urgent":
        yield _Step("group", {"region": region.code}, region, _group_of(region, staff))
    else:
        if "team" in ladder:
            for team in staff.teams:
                if _is_asked_first(team, job, region, staff):
                    members = [staff.people[each] for each in team.members if each in staff.people]
                    there = [each for each in members if each.is_engineer and region.code in each.regions]
                    if there:
                        yield _Step("team", {"team": team.code}, region, there)
        yield _Step("region", {"region": region.code}, region, staff.engineers_of(region.code))
    if "default_region" in ladder and region.code != staff.default_region:
        other = staff.answering(staff.default_region)
        urgent = job.severity == "urgent"
        people = _group_of(other, staff) if urgent else staff.engineers_of(other.code)
        yield _Step("default_region", {"region": other.code}, other, people)


def _may_serve(job: Job, person: Person, region: Region) -> bool:
    group = (region.emergency_leader, *region.emergency_experts)
    return region.code in person.regions and (job.severity != "urgent" or person.id in group)


def _is_asked_first(team: Team, job: Job, region: Region, staff: Staff) -> bool:
    """R34–R36: by what the team says of itself, or by what the policy says of teams of its type."""
    if team.regions and region.code not in team.regions:
        return False
    if team.product_lines and job.product_line not in team.product_lines:
        return False
    if team.customer_levels and job.customer_level not in team.customer_levels:
        return False
    if team.product_lines or team.customer_levels:
        return True
    return any(
        rule.type == team.type
        and (not rule.customer_levels or job.customer_level in rule.customer_levels)
        and (not rule.kinds or job.kind in rule.kinds)
        for rule in staff.situation.policy.teams_first
    )


def _group_of(region: Region, staff: Staff) -> Sequence[Person]:
    asked = (region.emergency_leader, *region.emergency_experts)
    return [staff.people[each] for each in asked if each in staff.people]


def _asked(job: Job, step: _Step, staff: Staff, loads: Loads) -> list[Candidate]:
    """Everybody of a step with their verdict, the best first."""
    jury = Jury(job, step.region, staff, loads)
    if job.severity != "urgent":
        return jury.judge(step.people)
    leading = [each for each in step.people if jury.leads(each)]
    others = tuple(each for each in step.people if not jury.leads(each))
    return sorted([*jury.judge(others), *map(jury.lead, leading)], key=_rank)


def _rank(candidate: Candidate) -> tuple[bool, int, PersonId]:
    """Who passed by cost, then who was refused by how much; the id keeps ties the same everywhere."""
    if candidate.cost is None:
        return True, len(candidate.findings), candidate.person_id
    return False, candidate.cost, candidate.person_id


def _found(job: Job, step: _Step, person: Person, staff: Staff) -> Finding:
    """Where somebody was found; the centre of the city is told from the rest of its region."""
    if step.name != "region":
        return Finding(f"step_{step.name}", step.facts)
    if staff.city_of(person) == job.city:
        return Finding("step_centre")
    return Finding("step_region", {**step.facts, "city": job.city})


def give_to(job: Job, person: Person, staff: Staff, loads: Loads, *because: Finding) -> Assignment:
    """`job` goes to `person` whatever the rules say; what they would have said is kept beside."""
    region = staff.answering(job.region)
    found: dict[PersonId, Candidate] = {}
    for step in _ladder(job, region, staff):
        candidates = _asked(job, step, staff, loads)
        found |= {each.person_id: each for each in candidates if each.person_id not in found}
        if any(each.cost is not None for each in candidates):
            break
    shown = [*found.values()]
    if person.id not in found:
        shown = [*Jury(job, region, staff, loads).judge((person,)), *shown]
    supervisor_id = supervisor_for(job, staff, loads, person.id)
    return _assigned(job, region, staff, person, supervisor_id, shown, because)


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


def _supervisor(
    job: Job, region: Region, staff: Staff, loads: Loads, engineer_id: PersonId
) -> PersonId | None:
    """R21: the supervisor with the least to supervise; the duty lead when there is no other."""
    if job.severity != "important":
        return None
    there = [each for each in region.supervisors if each != engineer_id and staff.is_there(each)]
    if there:
        return min(there, key=lambda each: (loads.supervising[each], each))
    return region.duty_lead if region.duty_lead != engineer_id else None


def _group(job: Job, region: Region, staff: Staff) -> tuple[PersonId, ...]:
    if job.severity != "urgent":
        return ()
    return (region.emergency_leader, *(each for each in region.emergency_experts if staff.is_there(each)))


def _leadership(job: Job, region: Region) -> tuple[PersonId, ...]:
    return region.leadership if job.severity == "urgent" else ()


def _grounds(job: Job, region: Region) -> Iterable[Finding]:
    yield Finding(job.severity)
    if region.code != job.region:
        yield Finding("unlisted_region", {"region": job.region, "answering": region.code})


@dataclass(frozen=True, slots=True)
class Held:
    """Work that somebody has and has not begun: what it is, and who has it."""

    key: UUID
    job: Job
    engineer_id: PersonId


def full_for(decisions: Iterable[Decision]) -> set[PersonId]:
    """Who would have passed but for having as many open tickets as allowed."""
    return {
        candidate.person_id
        for decision in decisions
        if isinstance(decision, NobodyAvailable)
        for candidate in decision.candidates
        if [finding.rule for finding in candidate.findings] == ["full"] and candidate.cost is None
    }


def make_room(
    job: Job, refused: NobodyAvailable, held: Collection[Held], staff: Staff, loads: Loads
) -> tuple[Held, Assignment] | None:
    """Which work to take back so that urgent `job` has somebody; None when none may be, or it would not help.

    The least pressing goes, and of equals what was opened last. `loads` is left with what was taken gone.
    """
    full = full_for([refused])
    theirs = [each for each in held if each.engineer_id in full and PRESSING[each.job.severity] > 0]
    for taken in sorted(theirs, key=lambda each: (PRESSING[each.job.severity], each.key), reverse=True):
        loads.working[taken.engineer_id] -= 1
        decision = decide(job, staff, loads)
        if isinstance(decision, Assignment):
            because = Finding(f"took_back_{taken.job.severity}")
            return taken, replace(decision, findings=(*decision.findings, because))
        loads.working[taken.engineer_id] += 1
    return None
