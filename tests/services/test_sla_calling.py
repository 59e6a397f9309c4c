"""A person tells the leadership group of a promise (R23): once, through the ways out, and on record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.clocking import ARRIVED, DUE, ENGINEER, HOUR, MINUTE, SECOND, TEN, Desk, clocking
from contracts.posting import AT_ONCE, Post, posting
from contracts.receiving import WebReceiver, receiving
from shared.clock import uuid7
from shared.events.intake import CallRang
from shared.events.urgent import LeadershipInformed

CHIEF, DEPUTY = UUID(int=23), UUID(int=24)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def post(running: Desk) -> AsyncIterator[Post]:
    await empty(running.admin, "idempotency")
    async with posting(running) as made:
        yield made


def operator(post: Post, **limits: Any) -> httpx.AsyncClient:
    return post.desk.client("operations", id=str(ENGINEER), **limits)


async def address(post: Post, ticket: UUID) -> str:
    return f"/sla/clocks/{(await post.desk.clock(ticket))['id']}/leadership"


async def test_leadership_hears_of_a_promise_that_still_runs_and_the_deed_is_on_record(post: Post) -> None:
    _, receiver = await post.web()
    ticket = await post.desk.urgent()
    informed = LeadershipInformed(leader_ids=(CHIEF, DEPUTY), severity="urgent")
    await post.desk.happen(ticket, informed, TEN + MINUTE)
    answer = await operator(post).post(await address(post, ticket))
    assert answer.status_code == 200, answer.text
    alert = answer.json()
    assert (alert["threshold"], alert["state"], alert["outcome"]) == (0, "open", "running")
    await post.deliver()
    (got,) = receiver.got
    assert got.json["type"] == "sla.called"
    assert [each["about"] for each in got.json["data"]["alerts"]] == [str(ticket)]
    assert got.json["data"]["recipients"] == [
        {"role": "leadership", "person_id": str(CHIEF)},
        {"role": "leadership", "person_id": str(DEPUTY)},
    ]
    (said,) = [data for word, data in await post.desk.told_about(ticket) if word == "leadership_called"]
    assert (said["by"], said["leader_ids"]) == (str(ENGINEER), [str(CHIEF), str(DEPUTY)])
    history = (await operator(post).get(f"/sla/alerts/{alert['id']}/history")).json()
    assert [(each["deed"], each["by"]) for each in history] == [("raised", None), ("called", str(ENGINEER))]
    page = await operator(post).get(
        f"/sla/subjects/{ticket}", headers={"accept": "text/html", "accept-language": "en"}
    )
    assert "raised by hand" in page.text
    assert "leadership told by hand" in page.text
    audited = await post.desk.admin.fetchval("SELECT count(*) FROM audit WHERE action = 'alert called'")
    assert audited == 1


async def test_of_ten_who_call_at_once_one_does(post: Post) -> None:
    _, receiver = await post.web()
    (ticket,) = await post.missed()
    path = await address(post, ticket)
    answers = await asyncio.gather(*(operator(post).post(path) for _ in range(10)))
    assert sorted(each.status_code for each in answers) == [200, *9 * [409]]
    refused = next(each.json() for each in answers if each.status_code == 409)
    assert (refused["type"], refused["by"]) == ("/problems/leadership-told-already", str(ENGINEER))
    assert datetime.fromisoformat(refused["at"])
    await post.deliver()
    assert [each.json["type"] for each in receiver.got].count("sla.called") == 1


async def test_a_repeated_call_is_the_same_call(post: Post) -> None:
    await post.web()
    ticket = await post.desk.urgent()
    path, key = await address(post, ticket), {"idempotency-key": '"from-the-board"'}
    first, second = [await operator(post).post(path, headers=key) for _ in range(2)]
    assert (first.status_code, second.status_code, second.json()) == (200, 200, first.json())


async def test_a_warning_called_for_leaves_room_for_the_breach(post: Post) -> None:
    """Once at each alert: what gets worse may be told again."""
    await post.web()
    ticket = await post.desk.urgent()
    await post.desk.tick(TEN + 90 * MINUTE, dispatch=TEN + 90 * MINUTE)
    path = await address(post, ticket)
    assert (await operator(post).post(path)).json()["threshold"] == 75
    assert (await operator(post).post(path)).status_code == 409
    await post.desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    assert (await operator(post).post(path)).json()["threshold"] == 100


async def test_what_was_raised_by_hand_ends_there_too(post: Post) -> None:
    """An Alertmanager would show it for two weeks."""
    receiver = WebReceiver(answers=lambda number: 200)
    await post.stack.enter_async_context(receiving(receiver))
    await post.sink("alertmanager", {"url": receiver.url}, "token")
    ticket = await post.desk.urgent()
    assert (await operator(post).post(await address(post, ticket))).status_code == 200
    await post.deliver()
    await post.desk.happen(ticket, ARRIVED, TEN + HOUR)
    await post.deliver()
    first, last = [alert for each in receiver.got for alert in each.json]
    assert first["labels"] == last["labels"]
    assert last["endsAt"] < first["endsAt"]


async def test_nobody_is_said_to_have_heard_whom_nothing_reaches(post: Post) -> None:
    ticket = await post.desk.urgent()
    elsewhere = AT_ONCE.model_copy(update={"regions": ("west",)})
    others = AT_ONCE.model_copy(update={"roles": ("owner", "supervisor")})
    for terms in (elsewhere, others):
        await post.web(terms=terms)
    answer = await operator(post).post(await address(post, ticket))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/leadership-out-of-reach")
    assert await post.desk.alerts(ticket) == []
    assert "leadership_called" not in await post.desk.words(ticket)


async def test_what_has_ended_needs_nobody(post: Post) -> None:
    await post.web()
    ticket = await post.desk.urgent()
    await post.desk.happen(ticket, ARRIVED, TEN + MINUTE)
    answer = await operator(post).post(await address(post, ticket))
    assert (answer.status_code, answer.json()["outcome"]) == (409, "met")


async def test_a_call_has_no_owner_and_leadership_may_hear_of_it(post: Post) -> None:
    await post.web()
    call = uuid7()
    await post.desk.happen(call, CallRang(region="east"), TEN)
    clock = await post.desk.clock(call, "answer_call")
    assert (await operator(post).post(f"/sla/clocks/{clock['id']}/leadership")).status_code == 200


@pytest.mark.parametrize("roles", [("dispatcher",), ("engineer",), ("care",)])
async def test_only_operations_calls_leadership(post: Post, roles: tuple[Any, ...]) -> None:
    await post.web()
    path = await address(post, await post.desk.urgent())
    assert (await post.desk.client(*roles).post(path)).status_code == 403


async def test_what_one_may_not_see_is_not_there(post: Post) -> None:
    await post.web()
    path = await address(post, await post.desk.urgent())
    answer = await operator(post, regions=frozenset({"west"})).post(path)
    assert answer.json()["type"] == "/problems/clock-unknown"
    unknown = await operator(post).post(f"/sla/clocks/{uuid7()}/leadership")
    assert unknown.status_code == 404
    assert (await operator(post).post("/sla/clocks/7/leadership")).status_code == 422
