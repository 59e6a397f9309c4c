"""Who gets a ticket, and why (R20–R24)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.assignment.rules import (
    LEVEL_ABOVE,
    OTHER_CITY,
    Assignment,
    Decision,
    Finding,
    Job,
    Loads,
    NobodyAvailable,
    Staff,
    decide,
    decide_all,
    give_to,
)
from dispatch.organisation.rules import Centre, Organisation, Person, Region, Team, faults
from shared.events.terms import Severity

JUNIOR, OTHER_JUNIOR, SENIOR, EXPERT, LEADER, SUPERVISOR, DUTY_LEAD, BOSS, FAR_JUNIOR = (
    UUID(int=number) for number in range(1, 10)
)


def person(id: UUID, tier: Any = None, centre: str | None = "shanghai", **more: Any) -> Person:
    roles = ("engineer",) if tier else ("dispatcher",)
    facts = {"display_name": "x", "roles": roles, "regions": ("east",), "skills": ("electrical",), **more}
    return Person(id=id, tier=tier, centre=centre, **facts)


PEOPLE = (
    person(JUNIOR, "junior"),
    person(OTHER_JUNIOR, "junior"),
    person(SENIOR, "senior"),
    person(EXPERT, "emergency"),
    person(LEADER, "emergency"),
    person(SUPERVISOR, "senior"),
    person(DUTY_LEAD, centre=None),
    person(BOSS, centre=None),
    person(FAR_JUNIOR, "junior", "suzhou"),
)
EAST = Region(
    code="east",
    duty_lead=DUTY_LEAD,
    supervisors=(SUPERVISOR,),
    emergency_leader=LEADER,
    emergency_experts=(EXPERT,),
    leadership=(BOSS,),
)
CENTRES = (
    Centre(code="shanghai", region="east", city="shanghai"),
    Centre(code="suzhou", region="east", city="suzhou"),
)
ORGANISATION = Organisation(default_region="east", regions=(EAST,), centres=CENTRES, people=PEOPLE)


def staff(**changed: Any) -> Staff:
    """The staff, with some fields of somebody changed: `staff(junior={"active": False})`."""
    ids = {"junior": JUNIOR, "other": OTHER_JUNIOR, "senior": SENIOR, "expert": EXPERT, "leader": LEADER}
    by_id = {ids[name]: fields for name, fields in changed.items()}
    people = tuple(each.model_copy(update=by_id.get(each.id, {})) for each in PEOPLE)
    return Staff.of(ORGANISATION.model_copy(update={"people": people}))


def loads(**working: int) -> Loads:
    ids = {"junior": JUNIOR, "other": OTHER_JUNIOR, "senior": SENIOR, "expert": EXPERT, "far": FAR_JUNIOR}
    return Loads(Counter({ids[name]: count for name, count in working.items()}), Counter())


def job(severity: Severity = "general", **more: Any) -> Job:
    return Job(severity, "east", more.pop("city", "shanghai"), **more)


def given_by(decision: Decision) -> UUID:
    assert isinstance(decision, Assignment)
    return decision.engineer_id


def refusals_of(decision: Decision, who: UUID) -> set[str]:
    [found] = [each for each in decision.candidates if each.person_id == who]
    assert found.cost is None
    return {finding.rule for finding in found.findings}


def test_general_goes_to_a_junior_of_the_centre_r20() -> None:
    decision = decide(job("general"), staff(), loads())
    assert (given_by(decision), decision.owner_id, decision.group_ids) == (JUNIOR, JUNIOR, ())


def test_important_goes_to_a_senior_and_a_supervisor_guides_r21() -> None:
    decision = decide(job("important"), staff(), loads())
    assert isinstance(decision, Assignment)
    assert (decision.engineer_id, decision.supervisor_id, decision.owner_id) == (SENIOR, SUPERVISOR, SENIOR)


def test_urgent_goes_to_the_group_whose_leader_owns_it_and_leadership_is_told_r22_r23() -> None:
    decision = decide(job("urgent"), staff(), loads())
    assert (given_by(decision), decision.owner_id) == (EXPERT, LEADER)
    assert (decision.group_ids, decision.leadership_ids) == ((LEADER, EXPERT), (BOSS,))


def test_nobody_leaves_it_with_the_duty_lead_r24() -> None:
    decision = decide(job("important", skills=("juggling",)), staff(), loads())
    assert isinstance(decision, NobodyAvailable)
    assert decision.owner_id == DUTY_LEAD


def test_a_senior_takes_general_work_only_when_no_junior_passes() -> None:
    busy = loads(junior=50, other=50, far=50)
    assert given_by(decide(job("general"), staff(), busy)) in (JUNIOR, OTHER_JUNIOR)
    assert (
        given_by(decide(job("general", skills=("pumps",)), staff(senior={"skills": ("pumps",)}), busy))
        == SENIOR
    )


def test_the_leader_goes_when_none_of_the_experts_can() -> None:
    decision = decide(job("urgent", skills=("juggling",)), staff(), loads())
    assert (given_by(decision), decision.owner_id) == (LEADER, LEADER)
    assert refusals_of(decision, EXPERT) == {"lacks_skills"}


def test_when_the_whole_group_declined_the_duty_lead_decides_and_the_group_stays() -> None:
    decision = decide(job("urgent", declined=frozenset({LEADER, EXPERT})), staff(), loads())
    assert isinstance(decision, NobodyAvailable)
    assert (decision.owner_id, decision.group_ids) == (DUTY_LEAD, (LEADER, EXPERT))


def test_nobody_supervises_oneself() -> None:
    decision = decide(job("important"), staff(senior={"active": False}), loads())
    assert isinstance(decision, Assignment)
    assert (decision.engineer_id, decision.supervisor_id) == (SUPERVISOR, DUTY_LEAD)


@pytest.mark.parametrize(
    ("changed", "asked", "refusal"),
    [
        ({"active": False}, {}, "inactive"),
        ({"product_lines": ("fans",)}, {"product_line": "pumps"}, "other_product_line"),
        ({"skills": ()}, {"skills": ("electrical",)}, "lacks_skills"),
        ({}, {"declined": frozenset({JUNIOR})}, "declined"),
    ],
)
def test_hard_constraints_refuse(changed: Any, asked: Any, refusal: str) -> None:
    decision = decide(job("general", **asked), staff(junior=changed), loads())
    assert given_by(decision) == OTHER_JUNIOR
    assert refusals_of(decision, JUNIOR) == {refusal}


def test_who_works_elsewhere_is_no_candidate() -> None:
    decision = decide(job("general"), staff(junior={"regions": ("north",)}), loads())
    assert JUNIOR not in {each.person_id for each in decision.candidates}


def test_an_expert_of_another_region_does_not_go_for_this_one() -> None:
    decision = decide(job("urgent"), staff(expert={"regions": ("north",)}), loads())
    assert (given_by(decision), refusals_of(decision, EXPERT)) == (LEADER, {"other_region"})


def test_a_junior_is_below_important_work() -> None:
    assert refusals_of(decide(job("important"), staff(), loads()), JUNIOR) == {"below_tier"}


def test_who_has_less_to_do_goes_first() -> None:
    assert given_by(decide(job("general"), staff(), loads(junior=1))) == OTHER_JUNIOR


@pytest.mark.parametrize(("queue", "goes"), [(OTHER_CITY - 1, JUNIOR), (OTHER_CITY + 1, FAR_JUNIOR)])
def test_travelling_between_cities_is_worth_a_short_queue(queue: int, goes: UUID) -> None:
    assert given_by(decide(job("general"), staff(), loads(junior=queue, other=99))) == goes


def test_same_city_is_the_city_of_the_centre_decision_4() -> None:
    for city, same in (("shanghai", True), ("suzhou", False)):
        decision = decide(job("urgent", city=city), staff(), loads())
        assert isinstance(decision, Assignment)
        assert (decision.centre, decision.same_city) == ("shanghai", same)


def test_an_unlisted_region_is_answered_for_and_the_decision_says_so() -> None:
    decision = decide(replace(job("general"), region="unknown"), staff(), loads())
    assert given_by(decision) == JUNIOR
    assert "unlisted_region" in {finding.rule for finding in decision.findings}


def test_by_hand_overrules_and_keeps_what_the_rules_would_have_said() -> None:
    chosen = staff().people[JUNIOR]
    decision = give_to(job("important"), chosen, staff(), loads(), Finding("by_hand", {"reason": "near"}))
    assert (decision.engineer_id, decision.supervisor_id) == (JUNIOR, SUPERVISOR)
    assert refusals_of(decision, JUNIOR) == {"below_tier"}
    assert decision.findings[-1].reason().because == "By hand: near"


def test_a_batch_counts_what_it_has_given_already() -> None:
    decisions = decide_all([job("general")] * 6, staff(), loads())
    assert Counter(map(given_by, decisions)) == {JUNIOR: 3, OTHER_JUNIOR: 3}


def test_the_pressing_choose_first_in_a_batch() -> None:
    only = staff(leader={"active": False})
    general, urgent = decide_all([job("general", skills=("electrical",)), job("urgent")], only, loads())
    assert (given_by(urgent), given_by(general)) == (EXPERT, JUNIOR)


def test_every_verdict_can_be_said_in_words() -> None:
    for severity in ("general", "important", "urgent"):
        decision = decide(job(severity, skills=("x",), product_line="y"), staff(), loads())
        said = [finding.reason() for each in decision.candidates for finding in each.findings]
        assert all(reason.because and "{" not in reason.because for reason in said)


JOBS = st.builds(
    Job,
    st.sampled_from(["general", "important", "urgent"]),
    st.sampled_from(["east", "unknown"]),
    st.sampled_from(["shanghai", "suzhou", "elsewhere"]),
    st.sampled_from([None, "pumps"]),
    st.sampled_from([(), ("electrical",), ("juggling",)]),
    st.frozensets(st.sampled_from([JUNIOR, SENIOR, EXPERT, LEADER])),
)


@given(st.lists(JOBS, max_size=12), st.data())
def test_whatever_comes_somebody_owns_it_and_no_refused_engineer_has_it(
    jobs: list[Job], data: st.DataObject
) -> None:
    active = {each.id: {"active": data.draw(st.booleans())} for each in PEOPLE if each.tier}
    people = tuple(each.model_copy(update=active.get(each.id, {})) for each in PEOPLE)
    some = Staff.of(ORGANISATION.model_copy(update={"people": people}))
    for asked, decision in zip(jobs, decide_all(jobs, some, loads()), strict=True):
        assert decision.owner_id in some.people
        assert bool(decision.group_ids) == (asked.severity == "urgent")
        if isinstance(decision, Assignment):
            [found] = [each for each in decision.candidates if each.person_id == decision.engineer_id]
            assert found.cost is not None
            assert decision.engineer_id not in asked.declined
            assert (decision.supervisor_id is not None) == (asked.severity == "important")
            assert decision.supervisor_id != decision.engineer_id


@given(st.permutations(PEOPLE))
def test_the_order_of_the_organisation_decides_nothing(people: list[Person]) -> None:
    some = Staff.of(ORGANISATION.model_copy(update={"people": tuple(people)}))
    for severity, city in product(("general", "important", "urgent"), ("shanghai", "suzhou")):
        asked = job(severity, city=city)  # type: ignore[arg-type]
        assert decide(asked, some, loads()) == decide(asked, staff(), loads())


def test_one_level_above_outweighs_every_queue_there_is() -> None:
    assert LEVEL_ABOVE > 100 * OTHER_CITY


def test_a_fit_organisation_has_no_faults() -> None:
    assert faults(ORGANISATION) == []


def change(path: tuple[Any, ...], value: Any) -> Organisation:
    """The organisation with one thing replaced."""
    data = ORGANISATION.model_dump(mode="json")
    target: Any = data
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return Organisation.model_validate_json(json.dumps(data))


@pytest.mark.parametrize(
    ("path", "value", "where", "code"),
    [
        (("default_region",), "south", "default_region", "unknown_region"),
        (("centres", 1, "region"), "south", "centres 1 region", "unknown_region"),
        (("centres", 1, "code"), "shanghai", "centres 1", "repeated"),
        (("people", 0, "regions", 0), "south", "people 0 regions 0", "unknown_region"),
        (("people", 0, "centre"), "nowhere", "people 0 centre", "unknown_centre"),
        (("people", 0, "centre"), None, "people 0 centre", "missing"),
        (("people", 0, "tier"), None, "people 0 tier", "missing"),
        (("people", 0, "id"), str(OTHER_JUNIOR), "people 1", "repeated"),
        (("people", 6, "active"), False, "regions 0 duty_lead", "inactive_person"),
        (("regions", 0, "duty_lead"), str(UUID(int=99)), "regions 0 duty_lead", "unknown_person"),
        (("regions", 0, "supervisors", 0), str(UUID(int=99)), "regions 0 supervisors 0", "unknown_person"),
        (("regions", 0, "emergency_leader"), str(BOSS), "regions 0 emergency_leader", "not_an_engineer"),
        (("regions", 0, "emergency_experts", 0), str(LEADER), "regions 0 emergency_experts", "repeated"),
    ],
)
def test_what_would_leave_a_ticket_alone_is_found_where_it_stands(
    path: tuple[Any, ...], value: Any, where: str, code: str
) -> None:
    found = faults(change(path, value))
    assert (where, code) in {(" ".join(map(str, fault.path)), fault.code) for fault in found}


def test_a_team_names_people_who_exist() -> None:
    team = Team(code="vip", type="key_accounts", members=(UUID(int=99),))
    [fault] = faults(ORGANISATION.model_copy(update={"teams": (team,)}))
    assert fault.path == ("teams", 0, "members", 0)
