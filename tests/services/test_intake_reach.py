"""R52: what nobody reads is no answer: it is refused, unless it was said on the phone or a page shows it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.progress.links import path_of
from shared.clock import uuid7

ANSWERED = ["request_registered", "request_answered", "answer_given"]
WARNING = "Nothing written reaches this customer"


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def asked(desk: Hearing, **more: str) -> UUID:
    new = {"customer": {"phone": "13800000083"}, "region": "east", "description": "水泵漏水", **more}
    headers = {"idempotency-key": str(uuid7())}
    answer = await desk.client("adapter").post("/intake/requests", json=new, headers=headers)
    return UUID(answer.json()["request_id"])


async def filled_in(desk: Hearing) -> UUID:
    form = {"phone": "13800000084", "region": "east", "city": "shanghai", "description": "冰箱冒烟"}
    answer = await desk.served.client().post("/intake/form", data=form)
    return await desk.numbered(answer.text)


async def answered(desk: Hearing, id: UUID, **said: bool) -> httpx.Response:
    client = desk.client("care", name="午 Q")
    return await client.post(f"/intake/requests/{id}/answers", json={"text": "马上来", **said})


async def events(desk: Hearing, id: UUID) -> list[str]:
    return [name for name, _, _ in await desk.told(id)]


async def shown(desk: Hearing, id: UUID) -> str:
    browser = await desk.served.signed_in("care")
    return (await browser.get(f"/intake/desk/{id}", headers={"accept-language": "en"})).text


async def test_an_answer_that_nobody_reads_keeps_no_promise_until_it_is_said_on_the_phone(
    desk: Hearing,
) -> None:
    id = await asked(desk)
    refused = await answered(desk, id)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/nobody-reads")
    assert "spoken" in refused.json()["detail"]
    view = (await desk.client("care").get(f"/intake/requests/{id}")).json()
    assert view["answered_at"] is None
    assert await events(desk, id) == ["request_registered"]
    page = await shown(desk, id)
    assert WARNING in page
    assert re.search(r'name="spoken" value="true" required', page)
    assert (await answered(desk, id, spoken=True)).status_code == 201
    assert await events(desk, id) == ANSWERED
    assert re.search(r"To the customer</strong> <span>午 Q</span>", await shown(desk, id))


async def test_the_page_refuses_it_as_well(desk: Hearing) -> None:
    id, browser = await asked(desk), await desk.served.signed_in("care")
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', (await browser.get(f"/intake/desk/{id}")).text))
    path, form = f"/intake/desk/{id}/answers", {"text": "马上来", "csrf": csrf}
    assert (await browser.post(path, data=form)).status_code == 422
    assert await events(desk, id) == ["request_registered"]
    assert (await browser.post(path, data=form | {"spoken": "true"})).status_code == 303
    assert await events(desk, id) == ANSWERED


async def test_who_has_the_link_to_their_page_is_answered_there(desk: Hearing) -> None:
    """R27: the form of the house gives it, and who wrote on the page has it."""
    by_form, wrote = await filled_in(desk), await asked(desk)
    assert WARNING in await shown(desk, wrote)
    settings = desk.served.settings
    said = {"text": "还在漏", "key": str(uuid7())}
    sent = await desk.served.client().post(
        path_of(wrote, settings), data=said, headers={"origin": settings.public_url}
    )
    assert sent.status_code == 303
    for id in (by_form, wrote):
        assert WARNING not in await shown(desk, id)
        assert (await answered(desk, id)).status_code == 201
        assert await events(desk, id) == ANSWERED
        assert "马上来" in (await desk.served.client().get(path_of(id, settings))).text


async def test_chats_are_answered_as_before(desk: Hearing) -> None:
    id = await asked(desk, channel="web_chat")
    assert (await answered(desk, id)).status_code == 201
    assert await events(desk, id) == ANSWERED


async def test_judging_the_same_again_says_so_beside_the_field(desk: Hearing) -> None:
    id, care = await asked(desk), desk.client("care")
    found = await care.get(f"/intake/requests/{id}")
    same = {name: found.json()[name] for name in ("kind", "severity")} | {"reason": "as I see it"}
    headers = {"if-match": found.headers["etag"], "accept-language": "en"}
    refused = await care.put(f"/intake/requests/{id}/judgement", json=same, headers=headers)
    assert refused.status_code == 409
    [fault] = refused.json()["errors"]
    assert (fault["pointer"], fault["detail"]) == ("/severity", "It is judged so already.")
