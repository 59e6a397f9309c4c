"""What is said in one chat is one request, whichever door and however many processes bring it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing, told_event
from intake.app import service
from intake.requests.actions import Overtaken, Registered, register
from intake.requests.rules import Identity, Normalised
from shared.clock import clock, uuid7
from shared.db import Database
from shared.events import dispatch
from shared.events.terms import Site

numbers = count()


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


def said(session: str | None, external_id: str | None = None, text: str = "水泵漏水") -> Normalised:
    return Normalised(
        channel="social",
        door="telegram",
        account="telegram/hotline",
        external_id=external_id or f"said:{next(numbers)}",
        identities=(Identity("external", f"telegram/hotline:{session}"),),
        name="示例客户",
        text=text,
        title=text,
        received_at=clock.now(),
        raw=text.encode(),
        content_type="text/plain",
        session=session,
    )


async def store(database: Database, *messages: Normalised) -> list[Registered]:
    """As the writer does: what was overtaken is tried again."""
    for _ in range(5):
        try:
            return await database.transact(partial(register, arrived=messages))
        except Overtaken:
            continue
    raise AssertionError("overtaken again and again")


async def let_pass(desk: Hearing, request_id: UUID, hours: float) -> None:
    """Messages of a request become as old as that."""
    shift = f"{int(hours * 3600 * 1000):d}"
    await desk.admin.execute("ALTER TABLE source DROP CONSTRAINT IF EXISTS source_message_id_fkey")
    rows = await desk.admin.fetch("SELECT id FROM message WHERE request_id = $1", request_id)
    for row in rows:
        older = UUID(int=row["id"].int - (int(shift) << 80))
        await desk.admin.execute("UPDATE message SET id = $1 WHERE id = $2", older, row["id"])


async def said_in(desk: Hearing, request_id: UUID) -> int:
    found: int = await desk.admin.fetchval("SELECT count(*) FROM message WHERE request_id = $1", request_id)
    return found


async def test_what_is_said_within_a_day_of_the_last_word_is_one_request(desk: Hearing) -> None:
    [first] = await store(desk.database, said("a"))
    [second] = await store(desk.database, said("a"))
    assert (first.fresh, second) == (True, Registered(first.request_id, fresh=False))
    await let_pass(desk, first.request_id, 23.9)
    [third] = await store(desk.database, said("a"))
    assert third == second
    assert await said_in(desk, first.request_id) == 3
    await let_pass(desk, first.request_id, 24.1)
    [later] = await store(desk.database, said("a"))
    assert later.fresh
    assert later.request_id != first.request_id
    [other] = await store(desk.database, said("b"))
    assert other.fresh


async def test_our_answer_keeps_a_chat_open(desk: Hearing) -> None:
    [first] = await store(desk.database, said("answered"))
    await let_pass(desk, first.request_id, 30)
    answered = await desk.client("care").post(
        f"/intake/requests/{first.request_id}/answers",
        json={"text": "还漏吗？"},
        headers={"idempotency-key": '"answered"'},
    )
    assert answered.status_code == 201
    [again] = await store(desk.database, said("answered"))
    assert again == Registered(first.request_id, fresh=False)


async def test_a_message_that_joined_is_known_also_long_after(desk: Hearing) -> None:
    """R09: providers deliver again for days; what came once is never doubled."""
    [first] = await store(desk.database, said("known"))
    joined = said("known")
    await store(desk.database, joined)
    await let_pass(desk, first.request_id, 24 * 6)
    [later] = await store(desk.database, said("known"))
    again = await store(desk.database, joined, joined)
    assert again == [Registered(first.request_id, fresh=False)] * 2
    assert (await said_in(desk, first.request_id), await said_in(desk, later.request_id)) == (2, 1)


async def test_a_closed_request_is_not_opened_again_by_a_chat(desk: Hearing) -> None:
    [first] = await store(desk.database, said("closed"))
    closed = dispatch.TicketClosed(
        request_id=first.request_id,
        customer_id=uuid7(),
        engineer_id=uuid7(),
        reason="accepted",
        severity="general",
        site=Site(region="east", city="shanghai"),
        episode=1,
    )
    ticket, at = uuid7(), clock.now() - timedelta(minutes=3)
    for version in (9, 10):  # it is told once, of when it was, however often it is closed
        await desk.receive(told_event(closed, subject=ticket, version=version, at=at))
    told = [each for each in await desk.told(first.request_id) if each[0] == "request_closed"]
    assert told == [("request_closed", 2, {"ticket_id": str(ticket)})]
    bodies = await desk.admin.fetch("SELECT body FROM event_log WHERE type = 'intake.request_closed.v1'")
    assert [datetime.fromisoformat(json.loads(each["body"])["time"]) for each in bodies] == [at]
    [next_one] = await store(desk.database, said("closed"))
    assert next_one.fresh
    assert (await store(desk.database, said("closed")))[0].request_id == next_one.request_id


@pytest.mark.parametrize("in_order", [True, False])
async def test_a_reopened_ticket_goes_on_with_its_conversation(desk: Hearing, in_order: bool) -> None:
    [first] = await store(desk.database, said(f"reopened {in_order}"))
    site, now = Site(region="east", city="shanghai"), clock.now()
    known = {"request_id": first.request_id, "customer_id": uuid7(), "severity": "general", "site": site}
    cancelled = dispatch.TicketCancelled(**known, reason="withdrawn", episode=1)
    reopened = dispatch.TicketReopened(
        **known, reason="again", asked_by="dispatcher", owner_id=uuid7(), episode=2
    )
    ticket = uuid7()
    told = [
        told_event(cancelled, subject=ticket, version=9, at=now),
        told_event(reopened, subject=ticket, version=10, at=now + timedelta(seconds=1)),
    ]
    for message in told if in_order else reversed(told):
        await desk.receive(message)
    [joined] = await store(desk.database, said(f"reopened {in_order}"))
    assert joined == Registered(first.request_id, fresh=False)
    said_so = [each for each in await desk.told(first.request_id) if each[0] == "request_reopened"]
    assert [data for _, _, data in said_so] == [{"ticket_id": str(ticket), "mistaken": False}]


@pytest.mark.parametrize("was", ["duplicate", "by_mistake"])
async def test_what_should_not_have_ended_is_told_so_once(desk: Hearing, was: Any) -> None:
    """R52: then its first reply is awaited as if it had not."""
    [first] = await store(desk.database, said(was))
    reopened = dispatch.TicketReopened(
        request_id=first.request_id, customer_id=uuid7(), was=was, reason="no", asked_by="desk",
        severity="general", site=Site(region="east", city="shanghai"), owner_id=uuid7(), episode=2,
    )  # fmt: skip
    at = clock.now()
    for version in (10, 11):
        await desk.receive(told_event(reopened, subject=uuid7(), version=version, at=at))
    told = [data for name, _, data in await desk.told(first.request_id) if name == "request_reopened"]
    assert [each["mistaken"] for each in told] == [True]


async def test_fifty_first_messages_at_once_are_one_request(desk: Hearing) -> None:
    """Two processes, groups and single messages, all in the same moment."""
    url = str(desk.served.settings.database_url)
    other = Database("intake", url, pool_size=8)
    try:
        groups: list[list[Normalised]] = [[said("rush")] for _ in range(40)]
        groups += [[said("rush"), said(f"beside:{number}"), said("rush")] for number in range(5)]
        calls: list[Any] = [
            store(other if number % 2 else desk.database, *group) for number, group in enumerate(groups)
        ]
        answers = [each for group in await asyncio.gather(*calls) for each in group]
    finally:
        await other.close()
    rushed = await desk.admin.fetch("SELECT id FROM request WHERE session = 'rush'")
    assert len(rushed) == 1
    assert await said_in(desk, rushed[0]["id"]) == 50
    assert sum(each.fresh for each in answers) == 1 + 5


async def test_many_chats_cost_no_more_statements_than_one(desk: Hearing) -> None:
    await store(desk.database, said("warm"))
    with desk.statements() as alone:
        await store(desk.database, said("warm"), said("new"))
    with desk.statements() as together:
        await store(desk.database, *(said(f"chat:{number % 30}") for number in range(60)), said("warm"))
    assert len(together) == len(alone)


async def test_messages_without_a_chat_stay_apart(desk: Hearing) -> None:
    answers = await store(desk.database, said(None), said(None))
    assert [each.fresh for each in answers] == [True, True]
