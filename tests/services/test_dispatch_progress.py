"""Customers hear how it goes (R62): at the desk or from the ticket, each time a step of the ticket."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    REPAIRED,
    SAMPLE,
    Desk,
    answered,
    dispatching,
    heard,
    person,
    post,
    registered,
)
from shared.clock import clock, uuid7

AGENT: Final = str(person(24))
_TIMES: Final = """
    SELECT (body::jsonb ->> 'time')::timestamptz FROM event_log
    WHERE type = 'dispatch.customer_informed.v1' AND subject = $1 ORDER BY sequence
"""


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


async def informed(desk: Desk, ticket_id: UUID) -> list[dict[str, Any]]:
    return [data for name, _, data in await desk.told(ticket_id) if name == "customer_informed"]


async def opened_earlier(desk: Desk, hours: float = 3) -> Any:
    """A ticket whose history began so many hours ago."""
    ticket = await desk.ticket(await desk.ask())
    await desk.admin.execute("UPDATE history SET at = at - $1::interval", timedelta(hours=hours))
    return ticket


async def resolved(desk: Desk) -> Any:
    """A ticket of three hours ago whose engineer is done."""
    ticket = await opened_earlier(desk)
    engineer = desk.acting(JUNIOR_A, "engineer")
    for version, command in enumerate(("accept", "depart", "arrive"), start=ticket.version):
        await post(engineer, ticket.id, command, version)
    await post(engineer, ticket.id, "resolve", ticket.version + 3, work_note="Done", items=REPAIRED)
    return await desk.ticket(ticket.request_id)


async def times(desk: Desk, ticket_id: UUID) -> list[datetime]:
    return [row[0] for row in await desk.admin.fetch(_TIMES, str(ticket_id))]


async def test_an_answer_at_the_desk_is_a_step_at_the_time_it_was_given(desk: Desk) -> None:
    ticket = await opened_earlier(desk)
    given_at = clock.now() - timedelta(minutes=40)
    message = heard(answered(), ticket.request_id, 2, given_at)
    await desk.receive(message, message)
    await desk.receive(message)
    assert await informed(desk, ticket.id) == [{"by": AGENT}]
    assert await times(desk, ticket.id) == [given_at]
    now = await desk.ticket(ticket.request_id)
    assert (now.state, now.version) == (ticket.state, ticket.version + 1)
    detail = (await desk.acting(DUTY_LEAD_G, "dispatcher").get(f"/dispatch/tickets/{ticket.id}")).json()
    assert datetime.fromisoformat(detail["history"][0]["at"]) == given_at


async def test_a_program_that_answers_is_nobody(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    await desk.receive(heard(answered(by=UUID(int=0)), ticket.request_id, 2))
    assert await informed(desk, ticket.id) == [{}]


async def test_what_was_said_before_the_ticket_is_no_step(desk: Desk) -> None:
    request_id = uuid7()
    before = clock.now() - timedelta(minutes=5)
    await desk.receive(heard(answered(), request_id, 2, before))  # comes before its request does
    await desk.receive(heard(registered(), request_id, 1, before))
    await desk.receive(heard(answered(), request_id, 3, before))
    ticket = await desk.ticket(request_id)
    assert await informed(desk, ticket.id) == []


async def test_while_the_customer_tries_the_result_only_what_was_told_earlier_counts(desk: Desk) -> None:
    ticket = await resolved(desk)
    earlier = clock.now() - timedelta(hours=1)
    await desk.receive(
        heard(answered(), ticket.request_id, 3), heard(answered(), ticket.request_id, 2, earlier)
    )
    assert await times(desk, ticket.id) == [earlier]
    late = await desk.acting(JUNIOR_A, "engineer").post(
        f"/dispatch/tickets/{ticket.id}/inform", json={"base_version": ticket.version + 1, "text": "Well?"}
    )
    assert (late.status_code, late.json()["type"]) == (409, "/problems/ticket-not-ready")


async def test_many_answers_take_as_many_statements_as_one(desk: Desk) -> None:
    first, *others = [await opened_earlier(desk) for _ in range(6)]
    with desk.statements() as alone:
        await desk.receive(heard(answered(), first.request_id, 2))
    messages = [
        heard(answered(), each.request_id, version, clock.now() - timedelta(minutes=9 - version))
        for each in others
        for version in (2, 3, 4)
    ]
    with desk.statements() as together:
        await desk.receive(*messages)
    assert len(together) == len(alone)
    for each in others:
        assert (await desk.ticket(each.request_id)).version == each.version + 3


async def test_shuffled_doubled_and_by_two_replicas_each_answer_is_one_step(desk: Desk) -> None:
    chance = random.Random(62)
    tickets = [await opened_earlier(desk) for _ in range(6)]
    told = {
        (ticket.id, version): (clock.now() - timedelta(minutes=60 - version), ticket.request_id)
        for ticket in tickets
        for version in (2, 3, 4)
    }
    messages = [heard(answered(), request, version, at) for (_, version), (at, request) in told.items()] * 2
    chance.shuffle(messages)
    batches = [messages[start : start + 5] for start in range(0, len(messages), 5)]
    replicas = [desk.replica(2), desk.replica(2)]

    async def deliver(place: int) -> None:
        for batch in batches[place::2]:
            await replicas[place].receive(batch, "live")

    await asyncio.gather(deliver(0), deliver(1))
    for replica in replicas:
        await replica.database.close()
    for ticket in tickets:
        expected = sorted(at for (id, _), (at, _) in told.items() if id == ticket.id)
        assert sorted(await times(desk, ticket.id)) == expected


async def test_an_engineer_tells_the_customer_from_the_ticket(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    changed = await post(
        desk.acting(JUNIOR_A, "engineer"), ticket.id, "inform", ticket.version, text=" 备件明天到 "
    )
    assert (changed["state"], changed["version"]) == (ticket.state, ticket.version + 1)
    (step, asked) = (await desk.told(ticket.id))[-2:]
    assert step == ("customer_informed", ticket.version + 1, {"by": str(JUNIOR_A)})
    assert asked[0] == "customer_message_requested"
    assert asked[2] == {
        "request_id": str(ticket.request_id), "template": "progress", "facts": [["text", "备件明天到"]],
    }  # fmt: skip


async def test_who_owns_a_ticket_without_an_engineer_may_tell_too_and_others_may_not(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important", skills=("juggling",)))
    assert (ticket.state, ticket.owner_id) == ("needs_decision", DUTY_LEAD_G)
    path, body = f"/dispatch/tickets/{ticket.id}/inform", {"base_version": ticket.version, "text": "Soon"}
    assert (await desk.acting(JUNIOR_B, "engineer").post(path, json=body)).status_code == 404
    assert (await desk.acting(DUTY_LEAD_G, "operations").post(path, json=body)).status_code == 403
    assert (await desk.acting(DUTY_LEAD_G, "engineer").post(path, json=body)).status_code == 200
    assert await informed(desk, ticket.id) == [{"by": str(DUTY_LEAD_G)}]


async def test_a_phone_is_not_sent_back_because_the_customer_was_told(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    await desk.receive(heard(answered(), ticket.request_id, 2))
    engineer = desk.acting(JUNIOR_A, "engineer")
    path = f"/dispatch/tickets/{ticket.id}/accept"
    read = {"if-match": f'"{ticket.version}"'}
    assert (await engineer.post(path, json={}, headers=read)).status_code == 412  # to the letter
    assert (await engineer.post(path, json={"base_version": ticket.version - 1})).status_code == 412
    assert (await post(engineer, ticket.id, "accept", ticket.version))["state"] == "accepted"


async def test_the_same_key_tells_once(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask())
    engineer, body = desk.acting(JUNIOR_A, "engineer"), {"base_version": ticket.version, "text": "Soon"}
    path = f"/dispatch/tickets/{ticket.id}/inform"
    answers = [await engineer.post(path, json=body, headers={"idempotency-key": "tell"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(await informed(desk, ticket.id)) == 1


@pytest.mark.parametrize(
    "text",
    ["", "  ", "x" * 1001, "a\x00b", {}, None, "Call 13800000000", "write to me@example.com"],
    ids=str,
)
async def test_bad_input_is_told_so_and_tells_nobody(desk: Desk, text: Any) -> None:
    ticket = await desk.ticket(await desk.ask())
    body = {"base_version": ticket.version, "text": text}
    answer = await desk.acting(JUNIOR_A, "engineer").post(f"/dispatch/tickets/{ticket.id}/inform", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == "/text"
    assert "13800000000" not in answer.text
    assert (await desk.ticket(ticket.request_id)).version == ticket.version


@pytest.mark.parametrize(
    ("language", "what", "where"),
    [("en", "Customer informed", "answered at the service desk"), ("zh-CN", "已告知客户", "由客服答复")],
)
async def test_the_page_tells_what_the_customer_heard_and_has_a_form(
    desk: Desk, language: str, what: str, where: str
) -> None:
    ticket = await desk.ticket(await desk.ask())
    await desk.receive(heard(answered(by=DUTY_LEAD_G), ticket.request_id, 2))
    browser, address = (
        await desk.browser(JUNIOR_A, "engineer", language=language),
        f"/dispatch/tickets/{ticket.id}/page",
    )
    shown = (await browser.get(address)).text
    assert what in shown
    assert where in shown
    csrf = shown.partition('name="csrf" value="')[2].partition('"')[0]
    form = {"csrf": csrf, "command": "inform_customer", "base_version": str(ticket.version + 1)}
    sent = await browser.post(address, data={**form, "text": "The part comes <b>tomorrow</b>"})
    assert (sent.status_code, sent.headers["location"]) == (303, address)
    assert (
        "<blockquote>The part comes &lt;b&gt;tomorrow&lt;/b&gt;</blockquote>"
        in (await browser.get(address)).text
    )
