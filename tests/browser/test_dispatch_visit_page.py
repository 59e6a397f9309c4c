"""The customer's page of a visit in a real browser, on a phone and at a desk, without any script (R58)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from contracts.browsing import beyond
from contracts.dispatching import SAMPLE, Desk, dispatching, post
from contracts.serving import Port


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Desk]:
    port = Port()
    async with dispatching(postgres_url, public_url=port.url) as desk, port.serve(desk.served):
        yield desk


@pytest_asyncio.fixture
async def desk(served: Desk) -> AsyncIterator[Desk]:
    await served.clear()
    await served.put(SAMPLE, 0)
    yield served
    assert await served.violations() == {}


@asynccontextmanager
async def at_home(desk: Desk, browser: Browser, width: int, locale: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        base_url=desk.served.settings.public_url,
        locale=locale,
        viewport={"width": width, "height": 800},
        java_script_enabled=False,
    )
    context.set_default_timeout(10_000)
    yield await context.new_page()
    await context.close()


async def picture(page: Page, name: str) -> None:
    if at := os.environ.get("AFTERCARE_TEST_SCREENSHOTS"):
        await page.screenshot(path=f"{at}/{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("locale", "width", "words"),
    [
        (
            "zh-CN",
            390,
            ("约定这个时间", "上门时间已约定", "我要改时间", "改到这个时间", "取消上门", "请选择上门时间"),
        ),
        (
            "en-GB",
            1280,
            (
                "Agree on this time",
                "Your visit is agreed",
                "I need another time",
                "Move the visit to this time",
                "Cancel the visit",
                "Choose a time for our visit",
            ),
        ),
    ],
)
async def test_a_customer_chooses_moves_and_cancels_a_visit_without_scripts(
    desk: Desk, browser: Browser, locale: str, width: int, words: tuple[str, ...]
) -> None:
    """R58: with the keyboard where there is one, and on a phone that runs none of our scripts."""
    agree, agreed, another, move, cancel, choose = words
    ticket = await desk.ticket(await desk.ask("general", title="水泵异响 / The pump makes a noise"))
    engineer = desk.acting(ticket.engineer_id, "engineer")
    await post(engineer, ticket.id, "visit-link", ticket.version)
    async with at_home(desk, browser, width, locale) as page:
        await page.goto(await desk.link_to(ticket.id))
        await expect(page.get_by_role("heading", name=choose)).to_be_visible()
        await expect(page.get_by_role("radio")).to_have_count(9)
        await picture(page, f"visit-choose-{locale}")
        assert await beyond(page) <= 0
        await page.get_by_role("radio").nth(1).focus()
        await page.keyboard.press("Space")
        await page.get_by_role("button", name=agree).click()
        await expect(page.get_by_role("heading", name=agreed)).to_be_visible()
        await page.locator("summary", has_text=another).click()
        await page.get_by_role("radio").nth(2).check()
        await page.locator("#why-move").fill("出差 / away")
        await picture(page, f"visit-move-{locale}")
        assert await beyond(page) <= 0
        await page.get_by_role("button", name=move).click()
        await expect(page.get_by_role("heading", name=agreed)).to_be_visible()
        await page.locator("summary", has_text=cancel).click()
        await page.locator("#why-cancel").fill("好了 / it works again")
        await page.get_by_role("button", name=cancel).click()
        await expect(page.get_by_role("heading", name=choose)).to_be_visible()
        assert await beyond(page) <= 0
    states = await desk.rows("SELECT state FROM visit ORDER BY id")
    assert [row.state for row in states] == ["moved", "cancelled"]
