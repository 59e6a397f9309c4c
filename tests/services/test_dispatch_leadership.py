"""Leadership acknowledges over HTTP and on the page: who may, once, and what is told of it (R23)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    JUNIOR_A,
    LEADER_E,
    SAMPLE,
    Desk,
    dispatching,
    heard,
    person,
    post,
    reclassified,
)
from dispatch.access import Viewer
from dispatch.leadership import actions
from dispatch.leadership.rules import Notice
from shared.db import Tx
from shared.http.auth import Principal

CHIEF, ADMIN = person(21), person(22)


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(served: Desk) -> AsyncIterator[Desk]:
    await served.clear()
    await served.put(SAMPLE, 0)
    yield served
    assert await served.violations() == {}


async def acknowledge(desk: Desk, ticket_id: UUID, who: UUID | str, *roles: Any, **limits: Any) -> Any:
    return await desk.acting(who, *roles, **limits).post(f"/dispatch/tickets/{ticket_id}/acknowledge")


_WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FROM ticket%'
"""


def viewer(who: UUID) -> Viewer:
    return Viewer.of(Principal(str(who), frozenset({"admin"})))


def acknowledgements(told: list[tuple[str, int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    return [(sequence, data) for name, sequence, data in told if name == "leadership_acknowledged"]


async def test_a_leader_acknowledges_and_the_world_is_told_once(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    first = await acknowledge(desk, ticket.id, CHIEF, "operations")
    assert first.status_code == 200, first.text
    answer = first.json()
    assert (answer["leader_ids"], answer["acknowledged_by"]) == ([str(CHIEF)], str(CHIEF))
    assert answer["informed_at"] <= answer["acknowledged_at"]
    for again in (CHIEF, ADMIN):
        second = await acknowledge(desk, ticket.id, again, "admin")
        assert (second.status_code, second.json()) == (200, answer)
    assert acknowledgements(await desk.told(ticket.id)) == [(ticket.version + 1, {"by": str(CHIEF)})]
    detail = (await desk.acting(DUTY_LEAD_G, "dispatcher").get(f"/dispatch/tickets/{ticket.id}")).json()
    assert detail["leadership"] == answer
    assert (detail["history"][0]["what"], detail["history"][0]["by"]) == (
        "leadership_acknowledged",
        str(CHIEF),
    )
    assert (detail["version"], detail["state"]) == (ticket.version + 1, ticket.state)


async def test_two_leaders_at_once_are_one_acknowledgement(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    is_noted, may_commit = asyncio.Event(), asyncio.Event()

    async def first(tx: Tx) -> Notice:
        notice = await actions.acknowledge(tx, ticket.id, viewer(CHIEF))
        is_noted.set()
        await may_commit.wait()
        return notice

    ahead = asyncio.create_task(desk.database.transact(first))
    await is_noted.wait()
    behind = asyncio.create_task(
        desk.database.transact(lambda tx: actions.acknowledge(tx, ticket.id, viewer(ADMIN)))
    )
    while not await desk.admin.fetchval(_WAITING) and not behind.done():
        pass
    may_commit.set()
    assert await behind == await ahead
    assert (await ahead).acknowledged_by == str(CHIEF)
    assert len(acknowledgements(await desk.told(ticket.id))) == 1


@pytest.mark.parametrize(
    ("who", "role", "status"),
    [
        (DUTY_LEAD_G, "dispatcher", 403),
        (DUTY_LEAD_G, "operations", 403),
        (LEADER_E, "engineer", 403),  # sees it, owns it, and is no leader
        (JUNIOR_A, "engineer", 404),
        ("nobody-we-know", "operations", 403),
        ("nobody-we-know", "admin", 200),
        (CHIEF, "engineer", 200),  # whatever else they are: they were informed
        (CHIEF, "care", 403),
    ],
)
async def test_who_may(desk: Desk, who: UUID | str, role: Any, status: int) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    answer = await acknowledge(desk, ticket.id, who, role)
    assert answer.status_code == status, answer.text
    told = acknowledgements(await desk.told(ticket.id))
    assert len(told) == (status == 200)
    if who == "nobody-we-know" and told:
        assert told[0][1] == {}  # no employee, so nobody is named
        assert answer.json()["acknowledged_by"] == "nobody-we-know"


async def test_a_leader_sees_what_they_were_informed_of_and_nothing_else(desk: Desk) -> None:
    urgent, general = [await desk.ticket(await desk.ask(severity)) for severity in ("urgent", "general")]
    chief = desk.acting(CHIEF, "engineer")
    assert (await chief.get(f"/dispatch/tickets/{urgent.id}")).status_code == 200
    assert (await chief.get(f"/dispatch/tickets/{general.id}")).status_code == 404
    assert (await acknowledge(desk, general.id, CHIEF, "engineer")).status_code == 404
    north = {"regions": frozenset({"north"})}
    assert (await acknowledge(desk, urgent.id, CHIEF, "operations", **north)).status_code == 404
    body = {"base_version": urgent.version}
    refused = await chief.post(f"/dispatch/tickets/{urgent.id}/accept", json=body)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-your-task")


async def test_there_is_nothing_to_acknowledge_where_nobody_was_informed_or_it_is_over(desk: Desk) -> None:
    general = await desk.ticket(await desk.ask("general"))
    answer = await acknowledge(desk, general.id, CHIEF, "operations")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/nothing-to-acknowledge")
    request_id = await desk.ask("urgent")
    urgent = await desk.ticket(request_id)
    await desk.receive(heard(reclassified("important"), request_id, 2))
    assert (await acknowledge(desk, urgent.id, CHIEF, "operations")).status_code == 409
    await desk.receive(heard(reclassified("urgent"), request_id, 3))
    assert (await acknowledge(desk, urgent.id, CHIEF, "operations")).status_code == 200


async def test_who_is_informed_anew_acknowledges_anew(desk: Desk) -> None:
    request_id = await desk.ask("urgent")
    ticket = await desk.ticket(request_id)
    first = (await acknowledge(desk, ticket.id, CHIEF, "operations")).json()
    for version, severity in ((2, "general"), (3, "urgent")):
        await desk.receive(heard(reclassified(severity), request_id, version))
    second = (await acknowledge(desk, ticket.id, CHIEF, "operations")).json()
    assert first["acknowledged_at"] < second["informed_at"] < second["acknowledged_at"]
    assert len(acknowledgements(await desk.told(ticket.id))) == 2


@pytest.mark.parametrize("body", [{"by": str(CHIEF)}, {"base_version": 4}, [], "yes"])
async def test_bad_input_changes_nothing(desk: Desk, body: Any) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    client = desk.acting(CHIEF, "operations")
    answer = await client.post(f"/dispatch/tickets/{ticket.id}/acknowledge", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert acknowledgements(await desk.told(ticket.id)) == []


async def test_the_same_key_is_the_same_answer(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    client, path = desk.acting(CHIEF, "operations"), f"/dispatch/tickets/{ticket.id}/acknowledge"
    answers = [await client.post(path, headers={"idempotency-key": "tap"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()


async def test_nobody_at_work_is_sent_back_to_read_that_leadership_knows(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    expert, dispatcher = desk.acting(EXPERT_D, "engineer"), desk.acting(DUTY_LEAD_G, "dispatcher")
    assert (await acknowledge(desk, ticket.id, CHIEF, "operations")).status_code == 200
    path = f"/dispatch/tickets/{ticket.id}/accept"
    told = await expert.post(path, json={}, headers={"if-match": f'"{ticket.version}"'})
    assert told.status_code == 412  # an ETag is about what was read, to the letter
    older = await expert.post(path, json={"base_version": ticket.version - 1})
    assert (older.status_code, older.json()["current"]) == (412, ticket.version + 1)
    taken = await post(expert, ticket.id, "accept", ticket.version)
    assert taken["version"] == ticket.version + 2
    order = {"base_version": ticket.version, "person_id": str(LEADER_E), "reason": "Nearer"}
    overtaken = await dispatcher.post(f"/dispatch/tickets/{ticket.id}/assign", json=order)
    assert overtaken.status_code == 409  # somebody took it meanwhile, and that does matter


# The page.


@pytest.mark.parametrize(
    ("language", "waiting", "button", "done"),
    [
        ("en", "Not acknowledged yet", "I know of it and look after it", "Acknowledged"),
        ("zh-CN", "尚未确认", "已知悉并跟进", "已确认"),
    ],
)
async def test_the_page_shows_what_leadership_knows_and_one_button(
    desk: Desk, language: str, waiting: str, button: str, done: str
) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    address = f"/dispatch/tickets/{ticket.id}/page"
    chief = await desk.browser(CHIEF, "operations", language=language)
    other = await desk.browser(DUTY_LEAD_G, "dispatcher", language=language)
    seen = (await chief.get(address)).text
    assert waiting in seen
    assert button in seen
    assert button not in (await other.get(address)).text
    proof = seen.partition('name="csrf" value="')[2].partition('"')[0]
    sent = await chief.post(f"/dispatch/tickets/{ticket.id}/acknowledge/page", data={"csrf": proof})
    assert (sent.status_code, sent.headers["location"]) == (303, address)
    for browser in (chief, other):
        after = (await browser.get(address)).text
        assert done in after
        assert waiting not in after
        assert button not in after


async def test_the_button_needs_the_proof_of_the_session(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    chief = await desk.browser(CHIEF, "operations")
    for data, status in (({"csrf": "guessed"}, 403), ({}, 403)):
        answer = await chief.post(f"/dispatch/tickets/{ticket.id}/acknowledge/page", data=data)
        assert answer.status_code == status
    assert acknowledgements(await desk.told(ticket.id)) == []
