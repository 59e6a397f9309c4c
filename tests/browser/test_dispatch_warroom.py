"""The war room in a real browser: one glance, and what others do is seen at once (R22, R23, R39)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from contracts.browsing import beyond, enter
from contracts.dispatching import EXPERT_D, LEADER_E, SAMPLE, Desk, dispatching, person
from contracts.serving import Port

CHIEF = person(21)
TYPED = "The customer has switched it off / 客户已停机"


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    port = Port()
    async with dispatching(postgres_url, public_url=port.url) as desk, port.serve(desk.served):
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> AsyncIterator[Desk]:
    await running.clear()
    await running.put(SAMPLE, 0)
    yield running
    assert await running.violations() == {}


@asynccontextmanager
async def at(
    desk: Desk, browser: Browser, path: str, who: Any, *roles: Any, **shape: Any
) -> AsyncIterator[Page]:
    """A browser of their own for somebody; no page may complain."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(f"{message.text} {message.location}")

    size: ViewportSize = {"width": shape.get("width", 1280), "height": 900}
    context = await browser.new_context(
        base_url=desk.served.settings.public_url, locale=shape.get("locale", "en-GB"), viewport=size
    )
    context.set_default_timeout(30_000)
    context.on("console", hear)
    page = await context.new_page()
    await enter(page, path, desk.token_of(who, *roles))
    yield page
    assert await beyond(page) <= 0, page.url
    await context.close()
    assert said == []


async def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("AFTERCARE_TEST_SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("locale", "width", "approve", "waits", "approved", "saw", "done"),
    [
        ("en-GB", 1280, "Approve the solution", "Leadership has to approve the solution", "Approved",
         "I have seen it and take part", "Done"),
        ("zh-CN", 390, "批准方案", "方案待领导小组审批", "已批准", "我已知悉并参与", "完成"),
    ],
)  # fmt: skip
async def test_a_leader_approves_and_the_engineer_sees_it_at_once(
    desk: Desk, browser: Browser, locale: str, width: int, approve: str, waits: str, approved: str,
    saw: str, done: str,
) -> None:  # fmt: skip
    """R23: what the engineer is typing meanwhile stays where it is."""
    await desk.set_provider("https://meet.example.com/{room}")
    ticket = await desk.ticket(await desk.ask("urgent", title="The line stands still / 产线停机"))
    path, shape = f"/dispatch/tickets/{ticket.id}/warroom", {"locale": locale, "width": width}
    async with AsyncExitStack() as both:
        engineer = await both.enter_async_context(at(desk, browser, path, EXPERT_D, "engineer", **shape))
        chief = await both.enter_async_context(at(desk, browser, path, CHIEF, "operations", **shape))
        glance, card = engineer.locator(".glance"), chief.locator("#solution")
        await expect(engineer.locator("[data-live-state=live]")).to_be_visible()
        await expect(chief.locator("[data-live-state=live]")).to_be_visible()
        await engineer.get_by_role("button", name=saw).click()
        await expect(chief.locator(".members .ticked")).to_have_count(1)
        await chief.locator(".steps button").filter(has_text=done).first.click()
        await expect(engineer.locator(".steps .ticked")).to_have_count(1)
        body = {
            "text": "Replace the drive / 更换驱动",
            "grounds": ["danger", "replacement"],
            "cost": 1_500_000,
        }
        proposing = desk.acting(LEADER_E, "engineer")
        sent = await proposing.post(f"/dispatch/tickets/{ticket.id}/solutions", json=body)
        assert sent.status_code == 201, sent.text
        await expect(glance).to_contain_text(waits)
        await engineer.locator("#note_text").fill(TYPED)
        await expect(card.get_by_role("button", name=approve)).to_be_visible()
        await picture(chief, f"warroom-{locale}")
        await card.get_by_role("button", name=approve).click()
        await expect(card).to_contain_text(approved)
        await expect(engineer.locator("#solution")).to_contain_text(approved)
        await expect(glance).not_to_contain_text(waits)
        await expect(engineer.locator("#note_text")).to_have_value(TYPED)
        await engineer.locator("#notes ~ div button").click()
        await expect(engineer.locator("#note_text")).to_have_value("")
        await expect(chief.locator(".notes")).to_contain_text("客户已停机")
        await picture(engineer, f"warroom-engineer-{locale}")


async def test_a_session_of_remote_assistance_is_begun_with_one_tap_and_joined_from_the_room(
    desk: Desk, browser: Browser
) -> None:
    """R136."""
    await desk.set_provider("https://meet.example.com/{room}")
    ticket = await desk.ticket(await desk.ask("urgent", title="产线停机"))
    shape = {"locale": "zh-CN", "width": 390}
    page_path, room_path = (f"/dispatch/tickets/{ticket.id}/{name}" for name in ("page", "warroom"))
    async with AsyncExitStack() as both:
        engineer = await both.enter_async_context(at(desk, browser, page_path, EXPERT_D, "engineer", **shape))
        leader = await both.enter_async_context(at(desk, browser, room_path, LEADER_E, "engineer", **shape))
        await expect(leader.locator("[data-live-state=live]")).to_be_visible()
        card = engineer.locator("#remote")
        await card.locator("[name=invite_customer]").check()
        await card.get_by_role("button", name="发起远程协助").click()
        join = leader.locator("#remote").get_by_role("link", name="加入远程协助")
        await expect(join).to_be_visible()
        assert str(await join.get_attribute("href")).startswith("https://meet.example.com/")
        await card.locator("summary").first.click()
        await card.locator("[name=recording_url]").fill("https://recordings.example.com/1")
        await card.locator("details[open] button").click()
        await expect(leader.locator("#remote").get_by_role("link", name="录像")).to_be_visible()
        await picture(engineer, "remote-ended-zh-CN")
