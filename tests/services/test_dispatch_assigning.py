"""Assignment on a real database: leave, silence, room for urgent work, many at once (R20–R25, R34–R38)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    JUNIOR_A,
    JUNIOR_B,
    LEADER_E,
    SAMPLE,
    SENIOR_C,
    SUPERVISOR_F,
    Desk,
    dispatching,
    heard,
    post,
    registered,
    times,
)
from dispatch.availability.actions import begin_leave
from dispatch.offers.actions import pass_on
from dispatch.organisation.rules import Organisation
from shared.clock import clock, uuid7
from shared.db import Tx

HOUR = timedelta(hours=1)


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(served: Desk) -> AsyncIterator[Desk]:
    await served.clear()
    await served.put(with_substitutes(SAMPLE), 0)
    yield served
    assert await served.violations() == {}


def with_substitutes(document: Organisation) -> Organisation:
    """A and B stand in for each other, and the expert D for the duty lead G."""
    heirs = {JUNIOR_A: (JUNIOR_B,), DUTY_LEAD_G: (EXPERT_D,)}
    people = tuple(
        each.model_copy(update={"substitutes": heirs.get(each.id, ())}) for each in document.people
    )
    return document.model_copy(update={"people": people})


async def ticks(desk: Desk, tick: Any, now: datetime | None = None) -> datetime | None:
    async def run(tx: Tx) -> datetime | None:
        found: datetime | None = await tick(tx, now or clock.now())
        return found

    return await desk.database.transact(run)


async def enters_leave(
    desk: Desk, who: UUID, begins: timedelta, length: timedelta = 8 * HOUR
) -> dict[str, Any]:
    starts_at = clock.now() + begins
    body = {
        "person_id": str(who),
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + length).isoformat(),
    }
    async with desk.acting("ops", "operations") as client:
        answer = await client.post("/dispatch/leave", json=body)
    assert answer.status_code == 201, answer.text
    entered: dict[str, Any] = answer.json()
    return entered


async def publishes(desk: Desk, **policy: Any) -> None:
    """The next version of the policy: what ships, with these parts changed."""
    async with desk.acting("ops", "operations") as client:
        present = (await client.get("/dispatch/assignment/policy")).headers["etag"]
        answer = await client.put(
            "/dispatch/assignment/policy", json={"policy": policy}, headers={"if-match": present}
        )
    assert answer.status_code == 200, answer.text


@pytest_asyncio.fixture
async def policy_kept(desk: Desk) -> AsyncIterator[None]:
    """What ships is in force again afterwards."""
    yield
    await publishes(desk)


async def test_who_goes_on_leave_has_nothing_from_that_moment_on_r24(desk: Desk) -> None:
    request_id = await desk.ask()
    await enters_leave(desk, JUNIOR_A, timedelta(0) - HOUR)
    ticket = await desk.ticket(request_id)
    assert (ticket.engineer_id, ticket.owner_id) == (JUNIOR_B, JUNIOR_B)
    [*_, assigned] = await desk.told(ticket.id)
    assert [reason["rule"] for reason in assigned[2]["reasons"]][:2] == ["general", "step_substitute"]
    later = await desk.ticket(await desk.ask())
    assert later.engineer_id == JUNIOR_B  # who has more to do than A, but is there


async def test_a_duty_lead_on_leave_owns_nothing_and_gets_nothing(desk: Desk) -> None:
    request_id = await desk.ask(skills=("juggling",))
    assert (await desk.ticket(request_id)).owner_id == DUTY_LEAD_G
    await enters_leave(desk, DUTY_LEAD_G, timedelta(0) - HOUR)
    assert (await desk.ticket(request_id)).owner_id == EXPERT_D
    assert (await desk.ticket(await desk.ask(skills=("juggling",)))).owner_id == EXPERT_D


async def test_leave_begins_when_its_time_comes_and_coming_back_changes_nothing(desk: Desk) -> None:
    request_id = await desk.ask()
    entered = await enters_leave(desk, JUNIOR_A, HOUR)
    assert (await desk.ticket(request_id)).engineer_id == JUNIOR_A
    assert entered["handed_over_at"] is None
    due = await ticks(desk, begin_leave)
    assert due == datetime.fromisoformat(entered["starts_at"])
    await desk.rows("UPDATE absence SET starts_at = now() - interval '1 minute' RETURNING 1")
    assert await ticks(desk, begin_leave) is None
    moved = await desk.ticket(request_id)
    assert moved.engineer_id == JUNIOR_B
    async with desk.acting("ops", "operations") as client:
        assert (await client.delete(f"/dispatch/leave/{entered['id']}")).status_code == 204
    assert (await desk.ticket(request_id)).version == moved.version
    assert (await desk.ticket(await desk.ask())).engineer_id == JUNIOR_A


async def test_an_engineer_asks_for_leave_and_somebody_approves_it(desk: Desk) -> None:
    request_id = await desk.ask()
    now = clock.now()
    body = {"person_id": str(JUNIOR_A), "starts_at": now.isoformat(), "ends_at": (now + HOUR).isoformat()}
    async with desk.acting(JUNIOR_A, "engineer") as engineer:
        other = {**body, "person_id": str(JUNIOR_B)}
        assert (await engineer.post("/dispatch/leave", json=other)).status_code == 403
        asked = (await engineer.post("/dispatch/leave", json=body)).json()
        verdict = f"/dispatch/leave/{asked['id']}/verdict"
        assert (await engineer.post(verdict, json={"approved": True})).status_code == 403
    assert asked["state"] == "asked"
    assert (await desk.ticket(request_id)).engineer_id == JUNIOR_A
    async with desk.acting("ops", "operations") as client:
        approved = await client.post(verdict, json={"approved": True})
        assert (approved.status_code, approved.json()["state"]) == (200, "approved")
        assert (await client.post(verdict, json={"approved": False})).status_code == 409
    assert (await desk.ticket(request_id)).engineer_id == JUNIOR_B


async def test_one_duty_lead_at_a_time_and_the_one_on_call_decides(desk: Desk) -> None:
    now = clock.now()
    body = {
        "region": "east",
        "person_id": str(SUPERVISOR_F),
        "starts_at": (now - HOUR).isoformat(),
        "ends_at": (now + HOUR).isoformat(),
    }
    async with desk.acting("ops", "operations") as client:
        entered = await client.post("/dispatch/duty", json=body)
        assert entered.status_code == 201, entered.text
        again = await client.post("/dispatch/duty", json={**body, "person_id": str(SENIOR_C)})
        assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")
        assert (await desk.ticket(await desk.ask(skills=("juggling",)))).owner_id == SUPERVISOR_F
        assert (await client.delete(f"/dispatch/duty/{entered.json()['id']}")).status_code == 204
    assert (await desk.ticket(await desk.ask(skills=("juggling",)))).owner_id == DUTY_LEAD_G


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"person_id": str(UUID(int=99))}, "/person_id"),
        ({"starts_at": "tomorrow"}, "/starts_at"),
        ({"kind": "party"}, "/kind"),
        ({"why": "private"}, "/why"),
    ],
)
async def test_leave_that_makes_no_sense_is_refused_where_it_is_wrong(
    desk: Desk, changes: Any, field: str
) -> None:
    now = clock.now()
    body = {"person_id": str(JUNIOR_A), "starts_at": now.isoformat(), "ends_at": (now + HOUR).isoformat()}
    async with desk.acting("ops", "operations") as client:
        answer = await client.post("/dispatch/leave", json=body | changes)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [field]


async def test_silence_asks_the_next_one_r25(desk: Desk) -> None:
    urgent, general = await desk.ask("urgent"), await desk.ask()
    assert await ticks(desk, pass_on) is None
    assert (await desk.ticket(urgent)).engineer_id == EXPERT_D
    later = clock.now() + timedelta(minutes=11)  # urgent ones wait ten
    await ticks(desk, pass_on, later)
    ticket = await desk.ticket(urgent)
    assert (ticket.engineer_id, ticket.declined_ids) == (LEADER_E, [str(EXPERT_D)])
    assert "assignment_declined" in await desk.names(ticket.id)
    assert (await desk.ticket(general)).engineer_id == JUNIOR_A


async def test_who_has_accepted_is_not_asked_again(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    async with desk.acting(EXPERT_D, "engineer") as engineer:
        await post(engineer, ticket.id, "accept", ticket.version)
    await ticks(desk, pass_on, clock.now() + timedelta(days=9))
    assert (await desk.ticket(ticket.request_id)).engineer_id == EXPERT_D


async def test_urgent_work_takes_room_and_what_was_taken_goes_on_r22(desk: Desk, policy_kept: None) -> None:
    """Everybody of the group has general work that had not begun; only what is protected stays."""
    await publishes(desk, most_open={"emergency": 1})
    taken, kept = await desk.ticket(await desk.ask()), await desk.ticket(await desk.ask())
    async with desk.acting("desk", "dispatcher") as client:
        await post(client, taken.id, "assign", taken.version, person_id=str(EXPERT_D), reason="near")
        given = await post(client, kept.id, "assign", kept.version, person_id=str(LEADER_E), reason="near")
    async with desk.acting(LEADER_E, "engineer") as leader:
        accepted = await post(leader, kept.id, "accept", given["version"])
        await post(leader, kept.id, "visits", accepted["version"], **times(hours=5))
    urgent = await desk.ticket(await desk.ask("urgent"))
    assert urgent.engineer_id == EXPERT_D
    assert (await desk.ticket(taken.request_id)).engineer_id in (JUNIOR_A, JUNIOR_B)
    assert (await desk.ticket(kept.request_id)).engineer_id == LEADER_E
    second = await desk.ticket(await desk.ask("urgent"))
    assert (second.state, second.owner_id) == ("needs_decision", DUTY_LEAD_G)


async def test_whom_a_customer_blocked_is_not_sent(desk: Desk) -> None:
    customer_id = uuid7()
    wishes = {"wishes": [{"person_id": str(JUNIOR_A), "preference": "blocked"}]}
    async with desk.acting("ops", "operations") as client:
        assert (await client.put(f"/dispatch/customers/{customer_id}/wishes", json=wishes)).status_code == 200
        assert (await client.get(f"/dispatch/customers/{customer_id}/wishes")).json() == wishes
    first = await desk.ticket(await desk.ask(customer_id=customer_id))
    assert first.engineer_id == JUNIOR_B
    again = await desk.ticket(await desk.ask(customer_id=customer_id))
    assert again.engineer_id == JUNIOR_B  # blocked, and known there besides


async def test_the_policy_is_published_on_what_was_seen_and_kept(desk: Desk, policy_kept: None) -> None:
    async with desk.acting("ops", "operations") as client:
        before = (await client.get("/dispatch/assignment/policy")).json()["version"]
        stale = {"if-match": f'"{before + 7}"'}
        body = {"policy": {"weights": {"other_city": 9}}, "note": "cities are far"}
        refused = await client.put("/dispatch/assignment/policy", json=body, headers=stale)
        assert refused.status_code == 412
        seen = {"if-match": f'"{before}"'}
        made = await client.put("/dispatch/assignment/policy", json=body, headers=seen)
        assert made.json() == {"version": before + 1}
        wrong = {"policy": {"weights": {"other_city": "far"}}}
        bad = await client.put("/dispatch/assignment/policy", json=wrong, headers={"if-match": '"1"'})
        assert [error["pointer"] for error in bad.json()["errors"]] == ["/policy/weights/other_city"]
        newest = (await client.get("/dispatch/assignment/policies")).json()["items"][0]
    assert (newest["note"], newest["made_by"]) == ("cities are far", "ops")
    assert newest["policy"]["weights"]["other_city"] == 9


async def test_fifty_decisions_take_as_many_statements_as_one(desk: Desk) -> None:
    await desk.ask()
    with desk.statements() as alone:
        await desk.ask()
    with desk.statements() as together:
        await desk.receive(*(heard(registered("general"), uuid7()) for _ in range(50)))
    assert len(together) == len(alone)


async def test_of_many_claims_each_ticket_has_one_winner(desk: Desk) -> None:
    """20 dispatchers give away 50 tickets, four of them each ticket at once; losers hear how it stands."""
    await desk.receive(*(heard(registered("general", skills=("juggling",)), uuid7()) for _ in range(50)))
    tickets = await desk.rows("SELECT id, version FROM ticket ORDER BY id")
    people = (JUNIOR_A, JUNIOR_B, SENIOR_C, SUPERVISOR_F)
    clients = [desk.acting(f"desk.{number}", "dispatcher") for number in range(20)]

    async def claims(number: int) -> tuple[UUID, UUID, Any]:
        ticket, person_id = tickets[number % 50], people[number // 50]
        wish = {"person_id": str(person_id), "reason": "near", "despite": ["lacks_skills"]}
        body = {"base_version": ticket.version, **wish}
        path = f"/dispatch/tickets/{ticket.id}/assign"
        return ticket.id, person_id, await clients[number % 20].post(path, json=body)

    answers = await asyncio.gather(*(claims(number) for number in range(200)))
    for client in clients:
        await client.aclose()
    assert Counter(answer.status_code for *_, answer in answers) == {200: 50, 409: 150}
    winners = {ticket_id: person_id for ticket_id, person_id, answer in answers if answer.status_code == 200}
    stored = {row.id: row.engineer_id for row in await desk.rows("SELECT id, engineer_id FROM ticket")}
    assert stored == winners
    for ticket_id, _, answer in answers:
        if answer.status_code == 409:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["engineer_id"] == str(winners[ticket_id])
            assert answer.json()["state"] == "assigned"


async def test_nobody_gets_more_than_allowed_however_many_decide_at_once(
    desk: Desk, policy_kept: None
) -> None:
    """Batches of two replicas and dispatchers' declines at the same time: the limit holds."""
    await publishes(desk, most_open={"junior": 7, "senior": 3, "emergency": 1})
    receivers = [desk.replica(pool_size=2) for _ in range(2)]
    batches = [[heard(registered("general"), uuid7()) for _ in range(8)] for _ in range(6)]

    async def deliver(place: int) -> None:
        for batch in batches[place::2]:
            await receivers[place].receive(batch, "live")

    await asyncio.gather(deliver(0), deliver(1))
    for receiver in receivers:
        await receiver.database.close()
    rows = await desk.rows(
        "SELECT tier, max(working) AS most, sum(working) AS all_of_them FROM capacity JOIN person"
        " ON id = person_id WHERE 'east' = ANY(SELECT jsonb_array_elements_text(regions))"
        " AND tier IS NOT NULL GROUP BY tier"
    )
    assert {row.tier: row.most for row in rows} == {"junior": 7, "senior": 3, "emergency": 1}
    waiting = await desk.rows("SELECT 1 FROM ticket WHERE state = 'needs_decision'")
    assert len(waiting) == 48 - sum(row.all_of_them for row in rows)


async def test_who_is_limited_to_a_region_sees_and_enters_what_is_there_r125(desk: Desk) -> None:
    entered = await enters_leave(desk, JUNIOR_A, HOUR)
    now = clock.now()
    times_told = {"starts_at": now.isoformat(), "ends_at": (now + HOUR).isoformat()}
    async with desk.acting("north", "operations", regions=frozenset({"north"})) as client:
        assert (await client.get("/dispatch/leave")).json() == {"items": []}
        leave = {"person_id": str(JUNIOR_A), **times_told}
        assert (await client.post("/dispatch/leave", json=leave)).status_code == 422
        assert (await client.delete(f"/dispatch/leave/{entered['id']}")).status_code == 404
        duty = {"region": "east", "person_id": str(SENIOR_C), **times_told}
        assert (await client.post("/dispatch/duty", json=duty)).status_code == 422
        listed = (await client.get("/dispatch/qualifications")).json()["items"]
        assert str(JUNIOR_A) not in {each["person_id"] for each in listed}
        policy = await client.put(
            "/dispatch/assignment/policy", json={"policy": {}}, headers={"if-match": '"0"'}
        )
        assert policy.status_code == 403


async def test_qualifications_are_exported_r132(desk: Desk) -> None:
    people = tuple(
        each.model_copy(update={"display_name": "=A+B"}) if each.id == JUNIOR_A else each
        for each in SAMPLE.people
    )
    await desk.put(SAMPLE.model_copy(update={"people": people}), 1)
    async with desk.acting("ops", "operations") as client:
        listed = (await client.get("/dispatch/qualifications")).json()["items"]
        written = (await client.get("/dispatch/qualifications?format=csv")).text
    [held] = [each for each in listed if each["person_id"] == str(JUNIOR_A)]
    assert (held["type"], held["code"], held["valid"]) == ("skill", "electrical", True)
    assert "'=A+B" in written
    assert written.count("\n") == len(listed) + 1


@pytest.mark.parametrize("name", ["flat", "functional", "matrix"])
async def test_a_newcomer_imports_a_preset_r123(desk: Desk, name: str) -> None:
    await desk.clear()
    async with desk.acting("boss", "admin") as client:
        preset = (await client.get(f"/dispatch/organisation/presets/{name}")).json()
        put = await client.put("/dispatch/organisation", json=preset, headers={"if-match": '"0"'})
        assert put.status_code == 200, put.text
        stored = (await client.get("/dispatch/organisation")).json()["organisation"]
    for each in (preset, stored):
        each["people"].sort(key=lambda person: person["id"])
    assert stored == preset
    for severity in ("general", "important", "urgent"):
        region = preset["default_region"]
        ticket = await desk.ticket(await desk.ask(severity, site={"region": region, "city": "shanghai"}))
        assert ticket.state == "assigned"
