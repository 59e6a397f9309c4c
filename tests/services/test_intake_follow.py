"""R27: the customer sees how far it is by a signed link, and adds to it, once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest_asyncio

from contracts.hearing import Hearing, hearing, told_event
from intake.app import service
from intake.progress.links import path_of, request_of
from intake.progress.rules import LINGERS, may_look, steps
from shared.clock import uuid7
from shared.events.dispatch import TicketOpened
from shared.events.terms import Site

FORM = {"phone": "13800000008", "region": "east", "city": "上海", "description": "水泵漏水"}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


def test_steps_follow_what_happened_and_an_end_leaves_none_open() -> None:
    assert [each.done for each in steps(NOON, None, False, None)] == [True, False, False, False]
    assert [each.done for each in steps(NOON, NOON, True, None)] == [True, True, True, False]
    assert all(each.done for each in steps(NOON, None, True, NOON))


def test_a_link_ends_some_time_after_the_request() -> None:
    assert may_look(None, NOON)
    assert may_look(NOON, NOON + LINGERS - timedelta(seconds=1))
    assert not may_look(NOON, NOON + LINGERS)


async def test_the_form_leads_to_the_page_and_what_is_added_joins_once(desk: Hearing) -> None:
    browser = desk.served.client()
    done = (await browser.post("/intake/form", data=FORM, headers={"accept-language": "en"})).text
    [path] = re.findall(r'href="(/intake/progress/[\w-]+)"', done)
    for page in (await browser.get("/intake/form")).text, done, (await browser.get(path)).text:
        assert 'href="/sla/service-policy"' in page  # R135: what is promised is one press away
    id = request_of(path.rpartition("/")[2], desk.served.settings)
    assert id is not None
    assert path == path_of(id, desk.served.settings)
    opened = TicketOpened(
        request_id=id,
        customer_id=uuid7(),
        kind="fault",
        severity="important",
        site=Site(region="east", city="shanghai"),
        title="x",
        owner_id=UUID(int=1),
    )
    shown = (await browser.get(path, headers={"accept-language": "en"})).text
    assert (shown.count('class="done"'), "not yet" in shown, "水泵漏水" in shown) == (1, True, True)
    await desk.receive(told_event(opened, subject=uuid7(), version=1))
    [key] = re.findall(r'name="key" value="([^"]+)"', shown)
    for _ in range(2):
        answer = await browser.post(path, data={"key": key, "text": " <i>现在停机了</i> "})
        assert (answer.status_code, answer.headers["location"]) == (303, path)
    shown = (await browser.get(path, headers={"accept-language": "zh-CN"})).text
    assert (shown.count('class="done"'), shown.count("&lt;i&gt;现在停机了&lt;/i&gt;")) == (2, 1)
    assert path in (await (await desk.served.signed_in("care")).get(f"/intake/desk/{id}")).text


async def test_nobody_looks_or_writes_with_a_link_that_is_not_ours(desk: Hearing) -> None:
    browser = desk.served.client()
    path = path_of(uuid7(), desk.served.settings)
    forged = path[:-3] + ("AAA" if path[-3:] != "AAA" else "BBB")
    for wrong in (
        path,
        forged,
        "/intake/progress/x",
        "/intake/progress/" + "A" * 43,
        "/intake/progress/%C3%A9",
    ):
        assert (await browser.get(wrong)).status_code == 404
        assert (await browser.post(wrong, data={"key": str(uuid7()), "text": "x"})).status_code == 404
    foreign = {"sec-fetch-site": "cross-site"}
    answer = await browser.post(path, data={"key": str(uuid7()), "text": "x"}, headers=foreign)
    assert answer.status_code == 403
