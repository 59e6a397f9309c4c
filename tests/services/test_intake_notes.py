"""R04: what colleagues write to each other stands in the conversation, and never reaches the customer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.progress.links import path_of
from intake.requests.rules import HOUSE_FORM
from shared.clock import uuid7

SECRET = "客户上次拒付，先收款 canary-58"


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def asked(desk: Hearing, text: str = "水泵漏水") -> UUID:
    new = {"customer": {"phone": "13800000071"}, "region": "east", "description": text}
    headers = {"idempotency-key": str(uuid7())}
    answer = await desk.client("adapter", id=HOUSE_FORM).post("/intake/requests", json=new, headers=headers)
    return UUID(answer.json()["request_id"])


async def noted(desk: Hearing, request: UUID, text: str, **who: Any) -> httpx.Response:
    return await desk.client("care", **who).post(f"/intake/requests/{request}/notes", json={"text": text})


async def shown(desk: Hearing, id: UUID) -> str:
    answer = await (await desk.served.signed_in("care")).get(f"/intake/desk/{id}")
    assert answer.status_code == 200
    return answer.text


async def test_a_note_stands_in_its_place_and_nothing_of_it_leaves(desk: Hearing) -> None:
    id, client = await asked(desk), desk.client("care")
    await client.post(f"/intake/requests/{id}/answers", json={"text": "我们先看一下"})
    assert (await noted(desk, id, SECRET, name="午 Q")).status_code == 201
    await client.post(f"/intake/requests/{id}/answers", json={"text": "明天上午到"})
    page = await shown(desk, id)
    places = [page.index(words) for words in ("我们先看一下", SECRET, "明天上午到")]
    assert places == sorted(places)
    assert re.search(r'class="said note".*?午 Q.*?never shown to the customer', page, re.DOTALL)
    customers = await desk.served.client().get(path_of(id, desk.served.settings))
    assert "我们先看一下" in customers.text
    said = await client.get(f"/intake/requests/{id}/messages")
    waiting = await desk.admin.fetch("SELECT text FROM message WHERE direction = 'out'")
    told = [data for _, _, data in await desk.told()]
    for place in (customers.text, said.text, str(waiting), str(told)):
        assert "canary-58" not in place


async def test_who_wrote_when_is_kept_and_who_reads_is_recorded(desk: Hearing) -> None:
    id = await asked(desk)
    await noted(desk, id, SECRET, id="desk.seven", name="午 Q")
    [note] = (await desk.client("operations", id="reader").get(f"/intake/requests/{id}/notes")).json()
    assert (note["author"], note["author_name"], note["text"]) == ("desk.seven", "午 Q", SECRET)
    assert note["at"].startswith("20")
    assert await desk.admin.fetchval("SELECT count(*) FROM audit WHERE actor = 'reader'") == 1


async def test_a_note_from_the_page_is_kept_once_and_bad_input_says_where(desk: Hearing) -> None:
    id, browser = await asked(desk), await desk.served.signed_in("dispatcher")
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', (await browser.get(f"/intake/desk/{id}")).text))
    path = f"/intake/desk/{id}/notes"
    assert (await browser.post(path, data={"text": "x"})).status_code == 403
    answer = await browser.post(path, data={"text": "等\r\n配件", "csrf": csrf})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/intake/desk/{id}#note-")
    assert await desk.admin.fetchval("SELECT text FROM note WHERE request_id = $1", id) == "等\n配件"
    empty = await noted(desk, id, " ")
    assert (empty.status_code, empty.json()["errors"][0]["pointer"]) == (422, "/text")


async def test_limits_hold_for_notes_too(desk: Hearing) -> None:
    """R125."""
    north: dict[str, Any] = {"regions": frozenset({"north"})}
    id = await asked(desk)
    assert (await noted(desk, id, "x", **north)).status_code == 404
    assert (await desk.client("care", **north).get(f"/intake/requests/{id}/notes")).status_code == 404
    assert await desk.admin.fetchval("SELECT count(*) FROM note WHERE request_id = $1", id) == 0


async def test_what_is_merged_brings_its_notes(desk: Hearing) -> None:
    main, part = await asked(desk, "水泵漏水"), await asked(desk, "水泵还在漏水")
    await noted(desk, part, SECRET)
    page = await desk.served.signed_in("care")
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', (await page.get(f"/intake/desk/{main}")).text))
    merged = await page.post(f"/intake/desk/{main}/merge", data={"other": str(part), "csrf": csrf})
    assert merged.status_code == 303
    assert SECRET in await shown(desk, main)


async def test_erasing_the_customer_clears_notes_and_nothing_more_is_written(desk: Hearing) -> None:
    """R127: the words go, who wrote when stays; the page says so and offers nothing."""
    id = await asked(desk)
    await noted(desk, id, SECRET)
    unsent = await desk.client("care").post(f"/intake/requests/{id}/answers", json={"text": "x"})
    customer = await desk.admin.fetchval("SELECT customer_id FROM request WHERE id = $1", id)
    assert (await desk.client("care").post(f"/intake/customers/{customer}/erase")).status_code == 200
    assert await desk.admin.fetch("SELECT id FROM note WHERE text LIKE '%canary-58%'") == []
    for what in ("notes", "answers"):
        refused = await desk.client("care").post(f"/intake/requests/{id}/{what}", json={"text": "x"})
        assert refused.status_code == 409
    again = f"/intake/messages/{unsent.json()['message_id']}/retry"
    assert (await desk.client("care").post(again, json={"decision": "send_again"})).status_code == 409
    page = await shown(desk, id)
    assert "This customer was erased on" in page
    assert "Send again" not in page
    assert f'action="/intake/desk/{id}/answers"' not in page
    assert f'action="/intake/desk/{id}/notes"' not in page
