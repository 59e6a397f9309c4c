"""Who is chosen when time, teams, certificates and limits count (R20–R25, R34–R38)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from contracts.choosing import (
    HOUR,
    NOW,
    A,
    B,
    C,
    E,
    F,
    G,
    H,
    at_work,
    chosen,
    engineer,
    idle,
    job,
    organised,
    refused,
    rules_of,
)
from dispatch.assignment.policy import Policy
from dispatch.assignment.rules import (
    Held,
    Loads,
    NobodyAvailable,
    decide,
    decide_all,
    full_for,
    make_room,
)
from dispatch.organisation.rules import (
    Certificate,
    Skill,
    Team,
)


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
