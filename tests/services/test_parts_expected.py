"""When parts that are short are expected: said by the storekeeper, told to dispatch (R73)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.hearing import Hearing, hearing, told_event
from parts.app import service
from parts.requisitions.loops import serve_waiting
from shared.clock import clock, uuid7
from shared.events.dispatch import PartsRequested
from shared.events.terms import PartLine
from shared.http.auth import Principal, mint
from shared.i18n import ZONE

DAY = timedelta(days=1)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as parts:
        yield parts


@pytest_asyncio.fixture
async def parts(running: Hearing) -> AsyncIterator[Hearing]:
    await empty(
        running.admin,
        "part, warehouse, movement, balance, requisition, requisition_line, closed_ticket,"
        " event_log, inbox, parked, dead_letter, idempotency",
    )
    catalogue = {
        "parts": [{"part_number": "PUMP-7", "name_en": "Pump", "name_zh": "泵"}],
        "warehouses": [{"code": "SH-1", "centre": "shanghai"}],
    }
    async with running.client("storekeeper") as keeper:
        assert (await keeper.put("/parts/catalogue", json=catalogue)).status_code == 200
    yield running


async def short(parts: Hearing) -> UUID:
    """A requisition of which nothing is there."""
    id = uuid7()
    lines = (PartLine(part_number="PUMP-7", quantity=2),)
    payload = PartsRequested(requisition_id=id, engineer_id=UUID(int=1), centre="shanghai", lines=lines)
    await parts.receive(told_event(payload, subject=uuid7(), version=5))
    return id


async def expect(client: httpx.AsyncClient, id: UUID, at: Any, version: int = 1) -> httpx.Response:
    path = f"/parts/requisitions/{id}/expected"
    return await client.post(path, json={"expected_at": at}, headers={"if-match": f'"{version}"'})


async def test_when_parts_come_is_shown_and_told_once_more_when_it_changes(parts: Hearing) -> None:
    """R73."""
    id, at = await short(parts), clock.now() + 2 * DAY
    async with parts.client("storekeeper") as keeper:
        told = await expect(keeper, id, at.isoformat())
        assert told.status_code == 200, told.text
        assert (told.json()["expected_at"], told.headers["etag"]) == (_sent(at), '"2"')
        later = await expect(keeper, id, (at + DAY).isoformat(), 2)
        assert later.json()["expected_at"] == _sent(at + DAY)
    names = [(name, version, data.get("expected_at")) for name, version, data in await parts.told(id)]
    assert names == [
        ("parts_short", 1, None), ("parts_expected", 2, _sent(at)), ("parts_expected", 3, _sent(at + DAY)),
    ]  # fmt: skip


def _sent(at: Any) -> str:
    return str(at.isoformat().replace("+00:00", "Z"))


async def test_parts_that_are_there_are_expected_no_more(parts: Hearing) -> None:
    """R73."""
    id = await short(parts)
    async with parts.client("storekeeper") as keeper:
        await expect(keeper, id, (clock.now() + DAY).isoformat())
        line = {"part_number": "PUMP-7", "quantity": 2}
        delivery = {"warehouse": "SH-1", "reference": "PO-1", "lines": [line]}
        await keeper.post("/parts/receipts", json=delivery, headers={"idempotency-key": "one"})
        async with parts.database.transaction() as tx:
            await serve_waiting(tx, tx.now)
        held = (await keeper.get(f"/parts/requisitions/{id}")).json()
        assert (held["state"], held["expected_at"]) == ("held", None)
        refused = await expect(keeper, id, (clock.now() + DAY).isoformat(), 3)
        assert (refused.status_code, refused.json()["state"]) == (409, "held")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"expected_at": None},
        {"expected_at": "soon"},
        {"expected_at": "2026-11-26T09:00:00"},  # of which zone?
        {"expected_at": 1},
        {"expected_at": "2020-01-01T00:00:00Z"},
        {"expected_at": "2999-01-01T00:00:00Z"},
        {"expected_at": "2999-01-01T00:00:00Z", "more": 1},
    ],
)
async def test_what_is_no_arrival_is_refused_and_nothing_changes(parts: Hearing, body: Any) -> None:
    """R73."""
    id = await short(parts)
    async with parts.client("storekeeper") as keeper:
        path = f"/parts/requisitions/{id}/expected"
        refused = await keeper.post(path, json=body, headers={"if-match": '"1"'})
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"]
    assert [name for name, _, _ in await parts.told(id)] == ["parts_short"]


async def test_only_the_storekeeper_says_so_on_top_of_what_they_have_seen(parts: Hearing) -> None:
    """R73."""
    id, at = await short(parts), (clock.now() + DAY).isoformat()
    async with parts.client("engineer", id=str(UUID(int=1))) as engineer:
        assert (await expect(engineer, id, at)).status_code == 403
    async with parts.client("storekeeper") as keeper:
        assert (await expect(keeper, id, at, 7)).status_code == 412
        path = f"/parts/requisitions/{id}/expected"
        assert (await keeper.post(path, json={"expected_at": at})).status_code == 428
        assert (await expect(keeper, uuid7(), at)).status_code == 404


async def test_the_desk_has_a_form_for_it(parts: Hearing) -> None:
    """R73: in Beijing time, as everywhere; on top of what was seen."""
    id = await short(parts)
    keeper = await _browser(parts)
    shown = (await keeper.get("/parts/desk")).text
    form = dict(re.findall(r'name="(csrf|version)" value="([^"]*)"', shown.partition('class="expect"')[2]))
    path = f"/parts/desk/requisitions/{id}/expected"
    at = (clock.now() + DAY).astimezone(ZONE)
    filled = {**form, "expected_at": at.strftime("%Y-%m-%dT%H:%M")}
    assert (await keeper.post(path, data=filled)).status_code == 303
    assert (await keeper.post(path, data=filled)).status_code == 412
    [told] = [data for name, _, data in await parts.told(id) if name == "parts_expected"]
    assert datetime.fromisoformat(told["expected_at"]) == at.replace(second=0, microsecond=0)
    assert at.strftime("%H:%M") in (await keeper.get("/parts/desk")).text


async def _browser(parts: Hearing) -> httpx.AsyncClient:
    client = parts.served.client()
    principal = Principal("keeper", frozenset({"storekeeper"}))
    token = mint(principal, parts.served.settings, timedelta(hours=1))
    assert (await client.post("/sign-in", data={"token": token})).status_code == 303
    return client
