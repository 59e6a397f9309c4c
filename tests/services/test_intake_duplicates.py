"""People merge what a customer asked twice, and split it again; nothing is merged by itself."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from shared.clock import uuid7


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def asks(desk: Hearing, text: str, phone: str) -> UUID:
    body = {
        "customer": {"phone": phone},
        "region": "east",
        "city": "shanghai",
        "product_line": "cooling",
        "description": text,
    }
    answer = await desk.client("adapter").post(
        "/intake/requests", json=body, headers={"idempotency-key": str(uuid7())}
    )
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["request_id"])


class Agent:
    """Somebody at the page of requests."""

    def __init__(self, browser: Any, csrf: str) -> None:
        self.browser, self.csrf = browser, csrf

    async def does(self, what: str, one: UUID, other: object) -> int:
        form = {"other": str(other), "csrf": self.csrf}
        status: int = (await self.browser.post(f"/intake/desk/{one}/{what}", data=form)).status_code
        return status

    async def sees(self, id: UUID, part: str = "/duplicates") -> str:
        answer = await self.browser.get(f"/intake/desk/{id}{part}")
        assert answer.status_code == 200
        return str(answer.text)


async def agent_of(desk: Hearing, request: UUID) -> Agent:
    browser = await desk.served.signed_in("care")
    page = (await browser.get(f"/intake/desk/{request}")).text
    return Agent(browser, re.findall(r'name="csrf" value="([^"]+)"', page)[0])


async def test_a_merged_request_is_read_and_answered_in_the_older_one_and_can_be_split(desk: Hearing) -> None:
    first = await asks(desk, "空调漏水，不制冷", "13800000021")
    second = await asks(desk, "空调还在漏水，不制冷，快来", "13800000021")
    agent = await agent_of(desk, first)
    assert str(second) in await agent.sees(first)
    assert "快来" not in await agent.sees(first, "")
    assert await agent.does("merge", first, second) == 303
    assert "快来" in await agent.sees(first, "")
    assert "Split" in await agent.sees(second)
    answered = await agent.browser.post(
        f"/intake/desk/{first}/answers", data={"text": "马上来", "spoken": "true", "csrf": agent.csrf}
    )
    assert answered.status_code == 303
    told = await desk.told(second)
    assert [name for name, *_ in told] == [
        "request_registered",
        "request_merged",
        "request_answered",
        "answer_given",
    ]
    assert told[1][2] == {"main_id": str(first), "by": str(UUID(int=0))}
    assert [sequence for _, sequence, _ in told] == [1, 2, 3, 3]
    assert await agent.does("split", second, first) == 303
    assert "快来" not in await agent.sees(first, "")
    assert "快来" in await agent.sees(second, "")
    assert await agent.does("split", second, first) == 409
    assert await agent.does("merge", second, first) == 303
    steps = await desk.admin.fetch("SELECT step FROM duplicate_step ORDER BY id")
    assert [each["step"] for each in steps] == ["merged", "split", "merged"]
    kept = await desk.admin.fetchval(
        "SELECT count(*) FROM source JOIN message ON message.id = message_id WHERE request_id = ANY($1)",
        [first, second],
    )
    assert kept == 2


async def test_what_cannot_be_one_request_is_not_merged(desk: Hearing) -> None:
    mine = [await asks(desk, f"水泵漏水 {each}", "13800000031") for each in range(3)]
    foreign = await asks(desk, "水泵漏水", "13800000032")
    agent = await agent_of(desk, mine[0])
    assert str(foreign) not in await agent.sees(mine[0])
    assert await agent.does("merge", mine[0], foreign) == 409
    assert await agent.does("merge", mine[0], mine[0]) == 422
    assert await agent.does("merge", mine[0], uuid7()) == 404
    assert await agent.does("merge", mine[0], "nothing") == 422
    assert await agent.does("merge", mine[2], mine[1]) == 303
    for one, other in ((mine[2], mine[0]), (mine[1], mine[0])):  # no chains: it is part, or has parts
        assert await agent.does("merge", one, other) == 409


async def test_what_is_kept_apart_is_not_suggested_again(desk: Hearing) -> None:
    one, other = [await asks(desk, "锅炉报错，没有热水", "13800000041") for _ in range(2)]
    agent = await agent_of(desk, one)
    assert str(other) in await agent.sees(one)
    assert await agent.does("apart", other, one) == 303
    for id in (one, other):
        assert "merge" not in (await agent.sees(id)).split("<details>")[0]
