"""Every decision is the one that the written rules make (R20–R25, R34–R38), tried every half hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.choosing import (
    NOW,
    A,
    B,
    C,
    D,
    at_work,
    chosen,
    engineer,
    idle,
    organised,
)
from dispatch.assignment.policy import Policy, Promise, TakeBack, Travel
from dispatch.assignment.rules import (
    Assignment,
    Job,
    Staff,
    decide,
    decide_all,
)
from dispatch.organisation.roster import Interval
from dispatch.organisation.rules import (
    Certificate,
    Organisation,
    Person,
    Skill,
    Team,
)
from shared.i18n import ZONE

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
    promised = NOW + timedelta(hours=promise.same_city if same else promise.cross_region)
    late = begins + way > (asked.due_at or promised)
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
DUE = st.none() | st.integers(-4, 24).map(lambda halves: NOW + halves * HALF)
JOBS = st.builds(
    Job,
    st.sampled_from(["general", "important"]),
    st.sampled_from(["east", "north"]),
    st.sampled_from(["east", "north", "elsewhere"]),
    skills=st.sampled_from([(), ("volt",), ("pump",)]),
    declined=st.frozensets(st.sampled_from(IDS), max_size=2),
    customer=st.sampled_from(["c", "d"]),
    customer_level=st.sampled_from(["standard", "vip"]),
    due_at=DUE,
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
