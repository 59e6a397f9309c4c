"""R117, R118: articles are written, found, used, reviewed; customers help themselves with what is public."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.knowledge import actions, rules, store
from intake.knowledge.rules import About, Content
from shared.clock import uuid7
from shared.http.auth import Role

LATER = date(2199, 1, 1)
LEAK = Content("空调漏水怎么办", "先关闭电源。\n\n清洗滤网，再检查排水管是否堵塞。")
FORM = {
    "title": "水泵不转",
    "body": "检查保险丝。",
    "kind": "troubleshooting",
    "language": "zh",
    "audience": "internal",
    "owner": "desk.one",
    "review_on": "2199-01-01",
}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def published(desk: Hearing, content: Content, **about: Any) -> UUID:
    plain = {
        "kind": "faq",
        "language": "zh",
        "product_line": None,
        "audience": "public",
        "owner": "desk.one",
        "review_on": LATER,
    }
    async with desk.database.transaction() as tx:
        id = await actions.write(tx, About(**plain | about), content, "desk.one")
        await actions.publish(tx, id, 1)
    return id


async def titles(desk: Hearing, asked: str, **limits: Any) -> list[str]:
    async with desk.database.transaction() as tx:
        return [each.title for each in await store.search(tx, rules.asked_for(asked), 10, **limits)]


class Page:
    """Somebody signed in, with the proof that our page sent what they send."""

    def __init__(self, browser: httpx.AsyncClient, csrf: str) -> None:
        self.browser, self.csrf = browser, csrf

    @classmethod
    async def of(cls, desk: Hearing, *roles: Role) -> Page:
        browser = await desk.served.signed_in(*roles)
        shown = (await browser.get("/")).text
        return cls(browser, re.findall(r'"X-CSRF-Token": "([^"]+)"', shown)[0])

    async def send(self, path: str, **form: Any) -> httpx.Response:
        return await self.browser.post(f"/intake/knowledge{path}", data=form | {"csrf": self.csrf})

    async def read(self, path: str) -> str:
        answer = await self.browser.get(f"/intake/knowledge{path}")
        assert answer.status_code == 200, answer.text
        return answer.text


async def test_articles_are_found_by_two_characters_or_a_word_the_most_telling_first(
    desk: Hearing,
) -> None:
    await published(desk, LEAK)
    await published(desk, Content("空调不制冷", "检查制冷剂；漏水时先断电。"))
    await published(desk, Content("The pump does not start", "Look at the fuse of the pump."), language="en")
    await published(desk, Content("内部：漏水赔偿", "请示主管。"), audience="internal")
    await published(desk, Content("热水器漏水", "关阀。"), product_line="heating")
    assert (await titles(desk, "漏水"))[-1] == "空调不制冷"
    assert (await titles(desk, "空調漏水"))[0] == "空调漏水怎么办"
    assert await titles(desk, "PUMPS fuse") == ["The pump does not start"]
    assert "内部：漏水赔偿" not in await titles(desk, "漏水", everybody=True)
    assert "热水器漏水" not in await titles(desk, "漏水", product_line="cooling")
    assert await titles(desk, "发票") == await titles(desk, "") == []


async def test_an_article_is_written_published_changed_reviewed_and_retired(desk: Hearing) -> None:
    page, reader = await Page.of(desk, "care"), await Page.of(desk, "engineer")
    made = await page.send("", **FORM)
    assert made.status_code == 303
    id = made.headers["location"].rpartition("/")[2]
    assert (await reader.browser.get(f"/intake/knowledge/{id}")).status_code == 404
    assert (await page.send(f"/{id}/publish", seen="1")).status_code == 303
    assert "检查保险丝" in await reader.read(f"/{id}")
    assert (await page.send(f"/{id}", **FORM | {"seen": "1", "body": "先断电。"})).status_code == 303
    assert "检查保险丝" in await reader.read(f"/{id}?version=2")  # a draft is for editors
    assert "先断电" in await page.read(f"/{id}?version=2")
    # On top of what was changed meanwhile.
    for path, form in (
        (f"/{id}", FORM),
        (f"/{id}/publish", {}),
        (f"/{id}/review", {"next_on": "2199-01-01"}),
    ):
        assert (await page.send(path, **form | {"seen": "1"})).status_code == 409
    assert (await page.send(f"/{id}/publish", seen="2")).status_code == 303
    assert await titles(desk, "保险丝") == []
    assert (await page.send(f"/{id}/review", seen="2", next_on="2026-01-01")).status_code == 303
    assert "水泵不转" in (await page.read("")).split("<table")[0]  # due for review
    assert (await page.send(f"/{id}/retire", seen="2")).status_code == 303
    assert await titles(desk, "水泵") == []
    wrong = await page.send("", **FORM | {"owner": " ", "review_on": "tomorrow"})
    assert wrong.status_code == 422
    every = "SELECT body FROM article_version WHERE article_id = $1 ORDER BY version"
    assert [each["body"] for each in await desk.admin.fetch(every, id)] == ["检查保险丝。", "先断电。"]


async def test_what_may_help_is_suggested_beside_the_answer_and_counted_once(
    desk: Hearing,
) -> None:
    wanted = await published(desk, Content("冰箱结霜", "断电化霜八小时，检查门封条。"))
    secret = await published(desk, Content("冰箱结霜的赔偿", "可赔偿两百元。"), audience="internal")
    body = {"customer": {"phone": "13800000055"}, "description": "家里的冰箱结霜很厚，门关不上"}
    asked = await desk.client("adapter").post(
        "/intake/requests", json=body, headers={"idempotency-key": str(uuid7())}
    )
    request = asked.json()["request_id"]
    page = await Page.of(desk, "care")
    assert "knowledge/suggestions" in (await page.browser.get(f"/intake/desk/{request}")).text
    for _ in range(2):
        shown = await page.read(f"/suggestions?request={request}")
        assert str(wanted) in shown
        assert 'data-insert="断电化霜八小时' in shown
        assert str(secret) in shown
        assert "可赔偿" not in shown  # what is internal is not put into an answer by a press
    assert str(wanted) not in await page.read(f"/suggestions?request={request}&text=The+pump")
    for what in ("used", "used", "helped"):
        sent = await page.send(f"/{wanted}/uses", request=request, what=what)
        assert sent.status_code == 204
    async with desk.database.transaction() as tx:
        uses = await store.load_uses(tx, [wanted])
    assert uses[wanted] == {"suggested": 1, "used": 1, "helped": 1}
    assert (await page.send(f"/{uuid7()}/uses", request=request)).status_code == 404


async def test_customers_help_themselves_with_what_is_public_and_say_whether_it_helped(desk: Hearing) -> None:
    known = await published(desk, Content("洗衣机<不排水>", "清理过滤器。"))
    hidden = await published(desk, Content("洗衣机内部", "密码"), audience="internal")
    anybody = desk.served.client()
    shown = (await anybody.get("/intake/help", params={"q": "洗衣机"})).text
    assert str(known) in shown
    assert "洗衣机&lt;不排水&gt;" in shown
    assert str(hidden) not in shown
    assert (await anybody.get(f"/intake/help/{hidden}")).status_code == 404
    assert (await anybody.post(f"/intake/help/{hidden}", data={"helped": "yes"})).status_code == 404
    assert (await anybody.post(f"/intake/help/{known}", data={"helped": "maybe"})).status_code == 422
    assert "Thank you" in (await anybody.post(f"/intake/help/{known}", data={"helped": "no"})).text
    async with desk.database.transaction() as tx:
        assert (await store.load_uses(tx, [known, hidden])) == {known: {"did_not_help": 1}, hidden: {}}
