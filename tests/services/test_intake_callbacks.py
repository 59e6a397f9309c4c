"""Whom to call back stands on the service desk until somebody has spoken to them (R51)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.desk import callbacks
from shared.clock import clock, uuid7

DESK = "/intake/desk"
AGAIN = "/intake/desk/callbacks"


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as found:
        yield found


@pytest_asyncio.fixture
async def desk(running: Hearing) -> Hearing:
    await empty(running.admin, "request, customer, call, audit")
    return running


async def tell(desk: Hearing, call_id: str, event: str, caller: str | None = None, **more: Any) -> None:
    told = {"call_id": call_id, "event": event, "region": "east", "caller": caller, **more}
    client = desk.client("adapter", channel="phone")
    headers = {"idempotency-key": str(uuid7())}
    answer = await client.post("/intake/channels/phone", json=told, headers=headers)
    assert answer.status_code == 202, answer.text


def ago(**length: float) -> str:
    return (clock.now() - timedelta(**length)).isoformat()


async def waiting(desk: Hearing, path: str = DESK, **scope: Any) -> list[str]:
    """The numbers that somebody is shown, in their order."""
    answer = await desk.client("care", **scope).get(path)
    assert answer.status_code == 200, answer.text
    return re.findall(r'href="tel:([^"]+)"', answer.text)


@pytest.mark.parametrize("path", [DESK, AGAIN])
async def test_who_reached_nobody_is_shown_the_oldest_first(desk: Hearing, path: str) -> None:
    await tell(desk, "late", "missed", "13800000002", occurred_at=ago(seconds=60))
    await tell(desk, "early", "busy", "13800000001", occurred_at=ago(seconds=120))
    for event in ("rang", "answered", "ended"):
        await tell(desk, "fine", event, "13800000003")
    assert await waiting(desk, path) == ["+8613800000001", "+8613800000002"]


@pytest.mark.parametrize("how", ["returned", "answered later", "returned later"])
async def test_who_was_spoken_to_does_not_wait_any_more(desk: Hearing, how: str) -> None:
    await tell(desk, "one", "missed", "13800000001", occurred_at=ago(seconds=90))
    await tell(desk, "other", "missed", "13800000002", occurred_at=ago(seconds=80))
    await tell(desk, "before", "answered", "13800000002", occurred_at=ago(seconds=85))
    if how == "returned":
        await tell(desk, "one", "returned")
    else:
        await tell(desk, "two", "missed", "+86 138 0000 0001", occurred_at=ago(seconds=60))
        await tell(desk, "two", how.split()[0], occurred_at=ago(seconds=50))
    assert await waiting(desk) == ["+8613800000002"]


async def test_everybody_is_shown_the_calls_of_their_own_regions(desk: Hearing) -> None:
    """R125: as its request is, or by its region if it became none."""
    asked = {"customer": {"phone": "13800000002"}, "region": "north", "description": "水泵漏水"}
    headers = {"idempotency-key": str(uuid7())}
    await desk.client("care").post("/intake/requests", json=asked, headers=headers)
    await tell(desk, "alone", "missed", "13800000001", occurred_at=ago(seconds=90))
    await tell(desk, "asked", "missed", "13800000002", occurred_at=ago(seconds=80))
    for path in (DESK, AGAIN):
        assert await waiting(desk, path, regions=frozenset({"east"})) == ["+8613800000001"]
        assert await waiting(desk, path, regions=frozenset({"north"})) == ["+8613800000002"]
        assert await waiting(desk, path, regions=frozenset({"south"})) == []
        assert await waiting(desk, path, customer_levels=frozenset({"standard"})) == ["+8613800000002"]
        assert await waiting(desk, path, product_lines=frozenset({"cooling"})) == []
        assert len(await waiting(desk, path)) == 2


async def test_a_known_customer_is_named_with_their_request_and_the_look_is_recorded_once(
    desk: Hearing,
) -> None:
    asked = {
        "customer": {"phone": "13800000002", "name": "王敏"},
        "region": "east",
        "description": "水泵漏水",
    }
    headers = {"idempotency-key": str(uuid7())}
    answer = await desk.client("care").post("/intake/requests", json=asked, headers=headers)
    await tell(desk, "asked", "missed", "13800000002")
    await tell(desk, "alone", "missed", "13800000001")
    await tell(desk, "hidden", "missed")
    for _ in range(2):
        shown = (await desk.client("care").get(AGAIN)).text
        assert f"/intake/desk/{answer.json()['request_id']}" in shown
        assert ("王敏" in shown, "Number not known" in shown) == (True, True)
    looks = await desk.admin.fetch("SELECT action, subject, actor FROM audit ORDER BY action")
    customer = await desk.admin.fetchval("SELECT id FROM customer")
    alone = await desk.admin.fetchval("SELECT id FROM call WHERE external_id = 'alone'")
    assert [tuple(each) for each in looks] == [
        ("caller_read", str(alone), "desk.one"),
        ("customer_read", str(customer), "desk.one"),
    ]


async def test_the_list_is_short_and_counts_the_rest(desk: Hearing) -> None:
    for number in range(callbacks.SHOWN + 2):
        await tell(
            desk, f"call:{number}", "busy", f"138000001{number:02}", occurred_at=ago(minutes=90 - number)
        )
    await tell(desk, "old", "missed", "13800000001", occurred_at=ago(days=4))
    shown = await waiting(desk)
    assert (len(shown), shown[0]) == (callbacks.SHOWN, "+8613800000100")
    assert "Besides these: 2" in (await desk.client("care").get(AGAIN)).text
