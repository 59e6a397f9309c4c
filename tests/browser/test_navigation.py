"""The way to all pages and what is most pressing on the board: in sight at every width, in both languages."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from contracts.browsing import BOXES, beyond, enter
from contracts.serving import Port, Served, serving
from dispatch.app import service as dispatch
from feedback.app import service as feedback
from intake.app import service as intake
from parts.app import service as parts
from shared.clock import uuid7
from shared.http.auth import Principal, mint
from sla_monitor.app import service as sla

SCREENSHOTS = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")


@pytest_asyncio.fixture(scope="module")
async def house(postgres_url: str) -> AsyncIterator[Served]:
    port = Port()
    async with (
        serving(postgres_url, sla, intake, dispatch, parts, feedback, public_url=port.url) as served,
        port.serve(served),
    ):
        yield served


async def signed_in(house: Served, browser: Browser, locale: str, width: int) -> Page:
    context = await browser.new_context(
        base_url=house.settings.public_url, locale=locale, viewport={"width": width, "height": 900}
    )
    context.set_default_timeout(20_000)
    page = await context.new_page()
    who = Principal(str(uuid7()), frozenset({"operations"}))
    await enter(page, "/sla/board", mint(who, house.settings, timedelta(hours=1)))
    return page


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
async def test_no_link_is_cut_off_and_the_present_one_stands_out(
    house: Served, browser: Browser, locale: str
) -> None:
    page = await signed_in(house, browser, locale, 390)
    try:
        for width in (390, 768, 1280, 1920):
            await page.set_viewport_size({"width": width, "height": 900})
            nav = page.locator("header.top nav")
            assert await nav.evaluate("(it) => it.scrollWidth <= it.clientWidth")
            boxes = await nav.locator("a").evaluate_all(BOXES)
            assert len(boxes) >= 9
            for box in boxes:
                assert box["left"] >= 0
                assert box["right"] <= width
                assert box["height"] >= 44
            if width >= 1280:  # what belongs in one row stands in one
                rows = await nav.locator(".row").evaluate_all(BOXES)
                assert [box for box in rows if box["height"] > 60] == []
            await expect(page.locator('header.top nav a[aria-current="page"]')).to_be_visible()
            assert await beyond(page) <= 0
            if SCREENSHOTS:
                await page.screenshot(path=f"{SCREENSHOTS}/navigation-{locale}-{width}.png")
    finally:
        await page.context.close()


async def test_on_a_phone_what_was_missed_stands_above_what_runs(house: Served, browser: Browser) -> None:
    page = await signed_in(house, browser, "en-GB", 390)
    try:
        missed = await page.locator(".board > .missed").bounding_box()
        running = await page.locator(".board > .running").bounding_box()
        assert missed is not None
        assert running is not None
        assert missed["y"] < running["y"]
    finally:
        await page.context.close()
