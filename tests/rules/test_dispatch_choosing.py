"""Who is chosen when time, teams, certificates and limits count (R20–R25, R34–R38), against an oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatch.assignment.policy import Policy, Promise, TakeBack, Travel
from dispatch.assignment.rules import (
    Assignment,
    Decision,
    Held,
    Job,
    Loads,
    NobodyAvailable,
    Situation,
    Staff,
    decide,
    decide_all,
    full_for,
    make_room,
)
from dispatch.organisation.roster import Hours, Interval, Shift, Working
from dispatch.organisation.rules import (
    Centre,
    Certificate,
    Organisation,
    Person,
    Region,
    Skill,
    Team,
)
from shared.events.terms import Severity
from shared.i18n import ZONE

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=ZONE)  # a Monday
HOUR = timedelta(hours=1)
OFFICE = Shift(
    code="office",
    weekly=(Working(days=("mon", "tue", "wed", "thu", "fri"), hours=(Hours(begins="09:00", ends="18:00"),)),),
)
A, B, C, D, E, F, G, H = (UUID(int=number) for number in range(1, 9))


def engineer(id: UUID, tier: str = "junior", region: str = "east", **more: Any) -> Person:
    facts = {"display_name": "x", "roles": ("engineer",), "regions": (region,), "centre": region, **more}
    return Person.model_validate({"id": id, "tier": tier, **facts})


def region(code: str, lead: UUID, supervisor: UUID, leader: UUID, expert: UUID) -> Region:
    return Region(
        code=code,
        duty_lead=lead,
        supervisors=(supervisor,),
        emergency_leader=leader,
        emergency_experts=(expert,),
        leadership=(lead,),
    )


def organised(*people: Person, teams: Sequence[Team] = (), skills: Sequence[Skill] = ()) -> Organisation:
    """East (which stands in for others) and north; who answers for both are E to H."""
    some = (
        engineer(E, "senior", regions=("south",)),
        engineer(F, "emergency", regions=("south",), substitutes=(G,)),
        engineer(G, "emergency", regions=("east",), certificates=(), substitutes=(F,)),
        Person(id=H, display_name="x", roles=("dispatcher",), substitutes=(E,)),
    )
    regions = (region("east", H, E, F, G), region("north", H, E, F, G), region("south", H, E, F, G))
    return Organisation(
        default_region="east",
        regions=regions,
        centres=tuple(Centre(code=code, region=code, city=code) for code in ("east", "north", "south")),
        people=(*people, *some),
        teams=tuple(teams),
        skills=tuple(skills),
        shifts=(OFFICE,),
    )


def at_work(organisation: Organisation, **situation: Any) -> Staff:
    return Staff.of(organisation).at(Situation(**{"now": NOW, **situation}))


def idle() -> Loads:
    return Loads(Counter(), Counter())


def job(severity: Severity = "general", **more: Any) -> Job:
    return Job(severity, more.pop("region", "east"), more.pop("city", "east"), **more)


def chosen(decision: Decision) -> UUID | None:
    return decision.engineer_id


def rules_of(decision: Decision) -> list[str]:
    return [finding.rule for finding in decision.findings]


def refused(decision: Decision, who: UUID) -> list[str]:
    [found] = [each for each in decision.candidates if each.person_id == who]
    assert found.cost is None
    return [finding.rule for finding in found.findings]


def test_leave_in_the_middle_of_the_work_refuses_r38() -> None:
    """Free now is not free for the work: an hour on the way and two of work, and leave begins in two."""
    away = {A: [(NOW + 2 * HOUR, NOW + 9 * 24 * HOUR)]}
    decision = decide(job(), at_work(organised(engineer(A), engineer(B)), away=away), idle())
    assert (chosen(decision), refused(decision, A)) == (B, ["away"])


def test_a_visit_to_somebody_else_is_waited_for_or_refuses() -> None:
    visits = {A: [(NOW + HOUR, NOW + 4 * HOUR)]}
    staff = at_work(organised(engineer(A)), visits=visits)
    assert chosen(decide(job(), staff, idle())) == A
    patient = Policy(set_out_within_hours={"general": 2, "important": 48, "urgent": 2})
    staff = at_work(organised(engineer(A)), visits=visits, policy=patient)
    assert refused(decide(job(), staff, idle()), A) == ["busy"]


def test_a_certificate_is_good_until_the_end_of_the_work() -> None:
    """Monday 17:00, the office closes at 18:00: the work is on Tuesday, the certificate ends on Monday."""
    skilled = [Skill(code="volt", certified=True)]
    held = Certificate(skill="volt", valid_until=NOW.date())
    person = engineer(A, skills=("volt",), certificates=(held,), shift="office")
    staff = at_work(organised(person, skills=skilled), now=NOW + 7 * HOUR)
    assert refused(decide(job(skills=("volt",)), staff, idle()), A) == ["certificate_expires"]
    later = held.model_copy(update={"valid_until": NOW.date() + timedelta(days=1)})
    staff = at_work(
        organised(person.model_copy(update={"certificates": (later,)}), skills=skilled), now=NOW + 7 * HOUR
    )
    assert chosen(decide(job(skills=("volt",)), staff, idle())) == A


def test_without_a_certificate_a_certified_skill_is_none() -> None:
    staff = at_work(organised(engineer(A, skills=("volt",)), skills=[Skill(code="volt", certified=True)]))
    assert refused(decide(job(skills=("volt",)), staff, idle()), A) == ["lacks_certificate"]


def test_vip_goes_to_the_exclusive_team_and_wider_only_when_it_cannot_r36() -> None:
    team = Team(code="key", type="key_accounts", members=(B,))
    two = organised(engineer(A), engineer(B, "senior"), teams=[team])
    vip = job(customer_level="vip")
    decision = decide(vip, at_work(two), idle())
    assert (chosen(decision), "step_team" in rules_of(decision)) == (B, True)
    assert chosen(decide(job(), at_work(two), idle())) == A
    away = {B: [(NOW, NOW + 30 * 24 * HOUR)]}
    decision = decide(vip, at_work(two, away=away), idle())
    assert (chosen(decision), rules_of(decision)[1:3]) == (A, ["passed_team", "step_centre"])
    assert refused(decision, B) == ["away"]


def test_installations_go_to_the_installation_team_r35() -> None:
    team = Team(code="fit", type="installation", members=(B,))
    two = organised(engineer(A), engineer(B), teams=[team])
    assert chosen(decide(job(kind="installation"), at_work(two), idle())) == B
    assert chosen(decide(job(kind="fault"), at_work(two), idle())) == A


def test_a_matrix_asks_the_team_of_the_product_line_first_r34() -> None:
    teams = [Team(code="pumps", type="technical", members=(B,), product_lines=("pumps",))]
    two = organised(engineer(A), engineer(B), teams=teams)
    assert chosen(decide(job(product_line="pumps"), at_work(two), idle())) == B
    assert chosen(decide(job(product_line="fans"), at_work(two), idle())) == A


def test_the_ladder_widens_to_the_region_that_stands_in_and_every_step_is_told() -> None:
    decision = decide(job(region="north", city="north"), at_work(organised(engineer(A))), idle())
    assert chosen(decision) == A
    assert rules_of(decision)[1:3] == ["passed_region", "step_default_region"]
    none = decide(job(region="north", skills=("juggling",)), at_work(organised(engineer(A))), idle())
    assert (chosen(none), none.owner_id) == (None, H)
    assert rules_of(none)[1:] == ["passed_region", "passed_default_region", "duty_lead_decides"]


def test_a_ladder_may_be_shorter() -> None:
    short = Policy(ladder=("region",))
    decision = decide(job(region="north"), at_work(organised(engineer(A)), policy=short), idle())
    assert isinstance(decision, NobodyAvailable)


def test_who_has_as_many_as_allowed_is_full() -> None:
    full = Policy(most_open={"junior": 2})
    decisions = decide_all([job()] * 5, at_work(organised(engineer(A), engineer(B)), policy=full), idle())
    assert Counter(map(chosen, decisions)) == {A: 2, B: 2, G: 1}
    assert refused(decisions[-1], A) == ["full"]


def test_a_constraint_that_was_softened_costs() -> None:
    soft = Policy(softened={"lacks_skills": 7})
    two = organised(engineer(A), engineer(B, skills=("volt",)))
    loaded = Loads(Counter({B: 6}), Counter())
    assert chosen(decide(job(skills=("volt",)), at_work(two, policy=soft), loaded)) == B
    loaded = Loads(Counter({B: 8}), Counter())
    assert chosen(decide(job(skills=("volt",)), at_work(two, policy=soft), loaded)) == A


def test_customers_are_not_sent_whom_they_refused_and_rather_whom_they_know() -> None:
    two = organised(engineer(A), engineer(B))
    blocked = at_work(two, preferences={"c": {A: "blocked"}})
    assert refused(decide(job(customer="c"), blocked, idle()), A) == ["blocked"]
    known = at_work(two, familiar={"c": B})
    assert chosen(decide(job(customer="c"), known, Loads(Counter({B: 1}), Counter()))) == B
    assert chosen(decide(job(customer="d"), known, Loads(Counter({B: 1}), Counter()))) == A


def test_distance_counts_by_the_road_where_coordinates_are_known() -> None:
    near, far = (31.0, 121.0), (31.9, 121.0)  # 100 km, 130 by road: five tickets
    two = organised(engineer(A), engineer(B))
    staff = at_work(two, places={A: far, B: near})
    asked = job(place=near)
    assert chosen(decide(asked, staff, Loads(Counter({B: 4}), Counter()))) == B
    assert chosen(decide(asked, staff, Loads(Counter({B: 6}), Counter()))) == A


def test_parts_that_come_later_are_waited_for() -> None:
    away = {A: [(NOW + 30 * HOUR, NOW + 60 * HOUR)]}
    decision = decide(
        job(not_before=NOW + 29 * HOUR), at_work(organised(engineer(A), engineer(B)), away=away), idle()
    )
    assert chosen(decision) == B


def test_an_appointment_needs_somebody_who_is_free_for_all_of_it() -> None:
    when = (NOW + 24 * HOUR, NOW + 27 * HOUR)
    visits = {A: [(NOW + 26 * HOUR, NOW + 28 * HOUR)]}
    decision = decide(
        job(appointment=when), at_work(organised(engineer(A), engineer(B)), visits=visits), idle()
    )
    assert (chosen(decision), refused(decision, A)) == (B, ["busy"])


def test_who_is_on_call_works_outside_of_the_shift() -> None:
    night = NOW + 12 * HOUR
    patient = Policy(set_out_within_hours={"general": 2, "important": 48, "urgent": 2})
    people, asked = organised(engineer(A, shift="office", skills=("volt",))), job(skills=("volt",))
    assert chosen(decide(asked, at_work(people, now=night, policy=patient), idle())) is None
    called = {A: [(night, night + 8 * HOUR)]}
    staff = at_work(people, now=night, policy=patient, on_call=called)
    assert chosen(decide(asked, staff, idle())) == A


def test_while_the_duty_lead_is_away_the_substitute_decides_r24() -> None:
    away = {H: [(NOW - HOUR, NOW + HOUR)]}
    hard = job(skills=("juggling",))
    assert decide(hard, at_work(organised(), away=away), idle()).owner_id == E
    on_call = at_work(organised(), away=away, duty_leads={"east": A})
    assert decide(hard, on_call, idle()).owner_id == E  # who is unknown cannot be on call
    known = at_work(organised(engineer(A, regions=("north",))), duty_leads={"east": A})
    assert decide(hard, known, idle()).owner_id == A


def test_while_the_leader_is_away_the_substitute_leads_the_group_r22() -> None:
    away = {F: [(NOW - HOUR, NOW + HOUR)]}
    decision = decide(job("urgent"), at_work(organised(), away=away), idle())
    assert (decision.group_ids[0], decision.owner_id) == (G, G)


def test_the_substitute_is_asked_first() -> None:
    three = at_work(organised(engineer(A), engineer(B), engineer(C)))
    loaded = Loads(Counter({C: 9}), Counter())
    decision = decide(job(ahead=(C,)), three, loaded)
    assert (chosen(decision), rules_of(decision)[1]) == (C, "step_substitute")


def test_urgent_work_takes_the_least_pressing_and_youngest_r22() -> None:
    full = Policy(most_open={"emergency": 2, "junior": 9})
    staff = at_work(organised(engineer(A)), policy=full)
    loads = Loads(Counter({F: 2, G: 2}), Counter())
    refused_urgent = decide(job("urgent"), staff, loads)
    assert isinstance(refused_urgent, NobodyAvailable)
    assert full_for([refused_urgent]) == {F, G}
    held = [
        Held(UUID(int=11), job("important"), G),
        Held(UUID(int=12), job("general"), G),
        Held(UUID(int=13), job("general"), G),
        Held(UUID(int=14), job("urgent"), F),
    ]
    room = make_room(job("urgent"), refused_urgent, held, staff, loads)
    assert room is not None
    assert (room[0].key.int, chosen(room[1]), rules_of(room[1])[-1]) == (13, G, "took_back_general")
    assert (
        make_room(job("urgent"), refused_urgent, held[3:], staff, Loads(Counter({F: 2, G: 2}), Counter()))
        is None
    )


@pytest.mark.parametrize(
    "body",
    [
        {"ladder": ["region", "team"]},
        {"ladder": ["team"]},
        {"tiers": {"general": "junior"}},
        {"work_minutes": {"general": 1}},
        {"weights": {"open_ticket": -1}},
        {"softened": {"busy": 3}},
        {"teams_first": [{"type": "training"}]},
        {"most_open": {"junior": 0}},
        {"unknown": 1},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(body: Any) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(body)


# The oracle: every rule written again, slowly, by trying every half hour.

HALF = timedelta(minutes=30)
TIER = {"junior": 0, "senior": 1, "emergency": 2}
ORACLE_POLICY = Policy(
    most_open={"junior": 2, "senior": 3},
    work_minutes={"general": 120, "important": 180, "urgent": 120},
    set_out_within_hours={"general": 30, "important": 12, "urgent": 2},
    promises={
        "general": Promise(same_city=6, cross_region=8),
        "important": Promise(same_city=4, cross_region=8),
        "urgent": Promise(same_city=2, cross_region=24),
    },
    travel=Travel(same_city_minutes=60, other_city_minutes=240),
    take_back=TakeBack(enabled=False),
)


def free(staff: Staff, person: Person, begins: datetime, ends: datetime) -> bool:
    """Half hour by half hour."""
    at = begins
    while at < ends:
        local = at.astimezone(ZONE)
        if person.shift and (local.weekday() > 4 or not 9 <= local.hour < 18):
            return False
        for taken in (staff.situation.away, staff.situation.visits):
            if any(a < at + HALF and at < b for a, b in taken.get(person.id, ())):
                return False
        at += HALF
    return True


def priced(asked: Job, person: Person, territory: str, staff: Staff, working: int) -> int | None:
    """What sending somebody costs; None when a rule forbids it."""
    policy, situation = staff.situation.policy, staff.situation
    same = person.centre == asked.city
    way = timedelta(minutes=60 if same else 240)
    length = way + timedelta(minutes=policy.work_minutes[asked.severity])
    latest = NOW + timedelta(hours=policy.set_out_within_hours[asked.severity])
    starts = (NOW + step * HALF for step in range(int((latest - NOW) / HALF) + 1))
    begins = next((each for each in starts if free(staff, person, each, each + length)), None)
    wanted = 0 if asked.severity == "general" else 1
    level = TIER[person.tier or "junior"] - wanted
    most = policy.most_open.get(person.tier or "junior")
    if (
        begins is None
        or any(a <= NOW < b for a, b in situation.away.get(person.id, ()))
        or territory not in person.regions
        or not set(asked.skills) <= set(person.skills)
        or level < 0
        or person.id in asked.declined
        or situation.preferences.get(asked.customer, {}).get(person.id) == "blocked"
        or (most is not None and working >= most)
    ):
        return None
    if "volt" in asked.skills:
        days = [held.valid_until for held in person.certificates if held.skill == "volt"]
        if not any(day is None or day >= (begins + length).astimezone(ZONE).date() for day in days):
            return None
    promise = policy.promises[asked.severity]
    late = begins + way > NOW + timedelta(hours=promise.same_city if same else promise.cross_region)
    cost = working + (0 if same else 4) + 1000 * level + (50 if late else 0)
    cost += round((begins - NOW) / timedelta(days=1))
    cost -= 2 if situation.familiar.get(asked.customer) == person.id else 0
    cost -= 20 if situation.preferences.get(asked.customer, {}).get(person.id) == "preferred" else 0
    return cost


def best(
    asked: Job, asking: Sequence[Person], territory: str, staff: Staff, loads: Counter[UUID]
) -> UUID | None:
    prices = {each.id: priced(asked, each, territory, staff, loads[each.id]) for each in asking}
    passed = [(cost, id) for id, cost in prices.items() if cost is not None]
    return min(passed)[1] if passed else None


def expected(jobs: Sequence[Job], staff: Staff, organisation: Organisation) -> list[UUID | None]:
    loads: Counter[UUID] = Counter()
    answers: dict[int, UUID | None] = {}
    people = [each for each in organisation.people if each.is_engineer]
    for index in sorted(range(len(jobs)), key=lambda each: (jobs[each].severity != "important", each)):
        asked = jobs[index]
        found = None
        if asked.customer_level == "vip":
            members = {member for team in organisation.teams for member in team.members}
            found = best(
                asked,
                [p for p in people if p.id in members and asked.region in p.regions],
                asked.region,
                staff,
                loads,
            )
        for territory in (asked.region, "east"):
            if found is None:
                found = best(asked, [p for p in people if territory in p.regions], territory, staff, loads)
        answers[index] = found
        if found is not None:
            loads[found] += 1
    return [answers[index] for index in range(len(jobs))]


IDS = (A, B, C, D)
SPANS = st.tuples(st.integers(-4, 60), st.integers(1, 40)).map(
    lambda each: (NOW + each[0] * HALF, NOW + (each[0] + each[1]) * HALF)
)
PEOPLE = st.tuples(
    *(
        st.builds(
            engineer,
            st.just(id),
            st.sampled_from(["junior", "senior", "emergency"]),
            regions=st.sampled_from([("east",), ("north",), ("east", "north")]),
            centre=st.sampled_from(["east", "north"]),
            skills=st.sampled_from([(), ("volt",), ("volt", "pump")]),
            shift=st.sampled_from([None, "office"]),
            certificates=st.sampled_from(
                [(), *((Certificate(skill="volt", valid_until=day),) for day in (None, date(2026, 11, 23)))]
            ),
        )
        for id in IDS
    )
)
JOBS = st.builds(
    Job,
    st.sampled_from(["general", "important"]),
    st.sampled_from(["east", "north"]),
    st.sampled_from(["east", "north", "elsewhere"]),
    skills=st.sampled_from([(), ("volt",), ("pump",)]),
    declined=st.frozensets(st.sampled_from(IDS), max_size=2),
    customer=st.sampled_from(["c", "d"]),
    customer_level=st.sampled_from(["standard", "vip"]),
)
TAKEN = st.dictionaries(st.sampled_from(IDS), st.lists(SPANS, max_size=2).map(sorted), max_size=3)
WISHES = st.dictionaries(
    st.sampled_from(["c", "d"]),
    st.dictionaries(st.sampled_from(IDS), st.sampled_from(["preferred", "blocked"]), max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(PEOPLE, st.lists(JOBS, max_size=7), TAKEN, TAKEN, WISHES, st.sampled_from([*IDS, None]))
def test_every_decision_is_the_one_that_the_written_rules_make(
    people: tuple[Person, ...],
    jobs: list[Job],
    away: dict[UUID, list[Interval]],
    visits: dict[UUID, list[Interval]],
    wishes: Any,
    familiar: UUID | None,
) -> None:
    team = Team(code="key", type="key_accounts", members=(B, D))
    organisation = organised(
        *people, teams=[team], skills=[Skill(code="volt", certified=True), Skill(code="pump")]
    )
    staff = at_work(
        organisation,
        policy=ORACLE_POLICY,
        away=away,
        visits=visits,
        preferences=wishes,
        familiar={"c": familiar} if familiar else {},
    )
    decisions = decide_all(jobs, staff, idle())
    assert [chosen(each) for each in decisions] == expected(jobs, staff, organisation)
    given_out = Counter(chosen(each) for each in decisions if isinstance(each, Assignment))
    for person in people:
        assert given_out[person.id] <= (ORACLE_POLICY.most_open.get(person.tier or "junior") or 99)
    for asked, decision in zip(jobs, decisions, strict=True):
        assert decision.owner_id in staff.people
        assert decide(replace(asked), staff, idle()).owner_id in staff.people
