"""What the service desk says of requests and customers, and how tickets follow (R11, R30, R36, R127)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    FROM_AFAR,
    JUNIOR_A,
    SAMPLE,
    Desk,
    dispatching,
    heard,
    person,
    post,
    registered,
)
from shared.clock import clock, uuid7
from shared.events.intake import CustomerChanged, CustomerErased, RequestMerged, RequestSolved, RequestSplit

CARE = person(24)


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


def merged(newer: UUID, main: UUID, version: int = 5) -> bytes:
    return heard(RequestMerged(main_id=main, by=CARE), newer, version)


def split(newer: UUID, main: UUID, version: int = 6) -> bytes:
    return heard(RequestSplit(main_id=main, by=CARE), newer, version)


def solved(request: UUID, version: int = 5) -> bytes:
    return heard(RequestSolved(request_id=request, solved_at=clock.now(), by=CARE), request, version)


async def state(desk: Desk, request: UUID) -> tuple[Any, ...]:
    row = await desk.ticket(request)
    return row.state, row.ended_as, row.duplicate_of, row.episode


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_newer_of_two_that_are_one_is_cancelled_in_whatever_order_it_is_told(
    desk: Desk, order: tuple[int, ...]
) -> None:
    newer, main = uuid7(), uuid7()
    told = [heard(registered("important"), newer), heard(registered(), main), merged(newer, main)]
    for place in order:
        await desk.receive(told[place])
    kept = await desk.ticket(main)
    assert await state(desk, newer) == ("cancelled", "duplicate", kept.id, 1)
    assert kept.state == "assigned"
    [cancelled] = [
        data for name, _, data in await desk.told((await desk.ticket(newer)).id) if "cancel" in name
    ]
    assert (cancelled["reason"], cancelled["duplicate_of"]) == ("duplicate", str(kept.id))


async def test_two_after_all_are_two_again_and_an_older_word_changes_nothing(desk: Desk) -> None:
    newer, main = await desk.ask(), await desk.ask()
    await desk.receive(merged(newer, main))
    await desk.receive(split(newer, main))
    assert await state(desk, newer) == ("assigned", None, None, 2)
    await desk.receive(merged(newer, main, version=4))
    assert await state(desk, newer) == ("assigned", None, None, 2)


async def test_a_ticket_stays_where_the_main_one_has_ended_already(desk: Desk) -> None:
    newer, main = await desk.ask(), await desk.ask()
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    ended = await desk.ticket(main)
    await post(dispatcher, ended.id, "cancel", ended.version, reason="withdrawn", note="bought another one")
    await desk.receive(merged(newer, main))
    assert await state(desk, newer) == ("assigned", None, None, 1)


async def test_what_the_customer_already_tries_is_not_cancelled_behind_their_back(desk: Desk) -> None:
    newer, main = await desk.ask(), await desk.ask()
    ticket = await desk.ticket(newer)
    engineer, version = desk.acting(ticket.engineer_id, "engineer"), ticket.version
    for command in ("accept", "begin"):
        version = (await post(engineer, ticket.id, command, version))["version"]
    await post(engineer, ticket.id, "resolve", version, work_note="Changed a setting", items=FROM_AFAR)
    await desk.receive(merged(newer, main))
    assert (await desk.ticket(newer)).state == "resolved"


@pytest.mark.parametrize("before", [True, False])
async def test_what_the_desk_solves_needs_nobody_else_r11(desk: Desk, before: bool) -> None:
    request = uuid7()
    told = [heard(registered(kind="enquiry"), request), solved(request)]
    for message in reversed(told) if before else told:
        await desk.receive(message)
    assert await state(desk, request) == ("cancelled", "solved_at_desk", None, 1)
    ticket = await desk.ticket(request)
    reopened = await post(
        desk.acting(DUTY_LEAD_G, "dispatcher"), ticket.id, "reopen", ticket.version, reason="not solved"
    )
    assert (reopened["state"], reopened["episode"]) == ("assigned", 2)
    await desk.receive(solved(request))  # the same word again
    assert (await desk.ticket(request)).state == "assigned"


@pytest.mark.parametrize("before", [True, False])
async def test_open_tickets_follow_the_customers_level_r36(desk: Desk, before: bool) -> None:
    customer, request = uuid7(), uuid7()
    told = [
        heard(registered(customer_id=customer), request),
        heard(CustomerChanged(level="vip"), customer, 3),
    ]
    for message in reversed(told) if before else told:
        await desk.receive(message)
    await desk.receive(heard(CustomerChanged(level="standard"), customer, 2))  # older
    assert (await desk.ticket(request)).customer_level == "vip"


async def test_nothing_written_about_a_forgotten_customer_stays(desk: Desk) -> None:
    customer, request = uuid7(), uuid7()
    await desk.receive(heard(registered(customer_id=customer, title="Ms Sample's pump"), request))
    ticket = await desk.ticket(request)
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    order = {"person_id": str(person(2)), "reason": "Ms Sample asked for them"}
    now = await post(dispatcher, ticket.id, "assign", ticket.version, **order)
    engineer = desk.acting(person(2), "engineer")
    now = await post(engineer, ticket.id, "accept", now["version"])
    await post(engineer, ticket.id, "pause", now["version"], waiting_for="customer", note="Ms Sample is away")
    await desk.receive(heard(CustomerErased(requests=1), customer, 9))
    later = uuid7()
    await desk.receive(heard(registered(customer_id=customer, title="Ms Sample again"), later))
    for table in ("ticket", "history", "decision", "event_log"):
        rows = await desk.rows(f"SELECT 1 FROM {table} WHERE {table}::text LIKE '%Ms Sample%'")
        assert not rows, table
    assert (await desk.ticket(request)).title == (await desk.ticket(later)).title == "—"
    detail = (await dispatcher.get(f"/dispatch/tickets/{ticket.id}")).json()
    assert detail["history"][-1]["facts"]["severity"] == "general"  # what was done stays


async def test_waiting_has_a_reason_and_goes_on_where_it_was(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    engineer = desk.acting(JUNIOR_A, "engineer")
    now = await post(engineer, ticket.id, "accept", ticket.version)
    now = await post(engineer, ticket.id, "depart", now["version"])
    path = f"/dispatch/tickets/{ticket.id}/pause"
    for body in (
        {},
        {"waiting_for": "the weather"},
        {"waiting_for": "parts", "expected_at": "2020-01-01T00:00Z"},
    ):
        answer = await engineer.post(path, json={"base_version": now["version"], **body})
        assert answer.status_code == 422, answer.text
    now = await post(engineer, ticket.id, "pause", now["version"], waiting_for="parts")
    assert (now["state"], now["waiting_for"]) == ("waiting", "parts")
    now = await post(engineer, ticket.id, "resume", now["version"])
    assert (now["state"], now["waiting_for"]) == ("travelling", None)
    told = [(name, data) for name, _, data in await desk.told(ticket.id)][-2:]
    assert told[0][1]["waiting_for"] == "parts"
    assert told[1] == ("ticket_resumed", {"to": "travelling"})


async def test_only_dispatchers_cancel_and_reopen(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    body = {"base_version": ticket.version, "reason": "other", "note": "x"}
    for role in ("engineer", "operations", "care"):
        client = desk.acting(JUNIOR_A, role)
        assert (await client.post(f"/dispatch/tickets/{ticket.id}/cancel", json=body)).status_code == 403
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    now = await post(dispatcher, ticket.id, "cancel", ticket.version, reason="other", note="x")
    assert (now["state"], now["ended_as"], now["allowed"]) == ("cancelled", "other", ["reopen"])
    listed = (await dispatcher.get("/dispatch/tickets?open=true")).json()["items"]
    assert not listed
    now = await post(dispatcher, ticket.id, "reopen", now["version"], reason="it was no mistake")
    assert (now["state"], now["episode"], now["ended_as"]) == ("assigned", 2, None)
