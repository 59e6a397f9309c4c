"""An engineer's own day on the phone: what comes next on top, also in a cellar (R25, R54)."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from chaos.proxy import FaultProxy
from contracts.browsing import beyond, enter
from contracts.dispatching import JUNIOR_A, SAMPLE, Desk, dispatching, heard, post
from contracts.serving import Port, clock_kept
from dispatch.organisation.roster import Hours, Shift, Working
from shared.clock import clock, uuid7
from shared.events.parts import PartsShort
from shared.events.sla import ClockStarted
from shared.events.terms import PartLine
from shared.i18n import ZONE

DAY = "/dispatch/app/day"
KEPT = """async () => {
  const pages = await caches.open("aftercare-pages");
  while (!(await pages.match("/dispatch/app/day"))) await new Promise((look) => setTimeout(look, 50));
}"""
ALWAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = Shift(code="office", weekly=(Working(days=ALWAYS, hours=(Hours(begins="09:00", ends="18:00"),)),))
ALONE = SAMPLE.model_copy(
    update={
        "shifts": (OFFICE,),
        "people": tuple(
            each.model_copy(
                update={"shift": "office"} if each.id == JUNIOR_A else {"product_lines": ("fans",)}
            )
            for each in SAMPLE.people
        ),
    }
)
"""Everything that is about pumps goes to one engineer."""


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[tuple[Desk, FaultProxy]]:
    """Dispatch behind a network that can go away."""
    port = Port()
    async with FaultProxy("127.0.0.1", int(port.url.rpartition(":")[2]), seed=1) as network:
        public_url = f"http://127.0.0.1:{network.port}"
        async with dispatching(postgres_url, public_url=public_url) as desk, port.serve(desk.served):
            yield desk, network


@pytest_asyncio.fixture
async def network(running: tuple[Desk, FaultProxy]) -> AsyncIterator[tuple[Desk, FaultProxy]]:
    """At ten in the morning."""
    with clock_kept():
        clock.set(at(10, days=1))
        await running[0].clear()
        await running[0].put(ALONE, 0)
        yield running
        running[1].heal()


def at(hour: int, days: int = 0) -> datetime:
    today = clock.now().astimezone(ZONE).date()
    return datetime.combine(today + timedelta(days=days), time(hour), ZONE)


async def ask(desk: Desk, title: str) -> Any:
    return await desk.ticket(await desk.ask(product_line="pumps", title=title))


async def furnish(desk: Desk) -> Any:
    """A visit at two, work that is late already and waits for a part, and more than fits; the late ticket."""
    visit, late = await ask(desk, "The pump at the gate leaks"), await ask(desk, "Cold water only")
    for _ in range(3):
        await ask(desk, "A noise in the boiler room")
    async with desk.acting(JUNIOR_A, "engineer") as engineer:
        version = (await post(engineer, visit.id, "accept", visit.version))["version"]
        begins, ends = at(14).isoformat(), at(16).isoformat()
        await post(engineer, visit.id, "visits", version, starts_at=begins, ends_at=ends)
    promised = {"about": late.id, "about_kind": "ticket", "promise": "on_site", "deadline": at(9)}
    lines = (PartLine(part_number="SEAL-12", quantity=2),)
    short = PartsShort(ticket_id=late.id, missing=lines)
    await desk.receive(heard(ClockStarted(**promised, started_at=at(8)), uuid7()), heard(short, uuid7()))
    return late


async def test_the_day_has_the_next_job_on_top_and_is_there_without_a_network(
    network: tuple[Desk, FaultProxy], browser: Browser
) -> None:
    desk, way = network
    late = await furnish(desk)
    context = await browser.new_context(
        base_url=desk.served.settings.public_url, locale="en-GB", viewport={"width": 390, "height": 844}
    )
    context.set_default_timeout(20_000)
    page = await context.new_page()
    try:
        await enter(page, "/dispatch/app", desk.token_of(JUNIOR_A, "engineer"))
        await page.get_by_role("link", name="My day").click()
        next_one = page.locator(".day > .next")
        await expect(next_one).to_have_attribute("data-ticket", str(late.id))
        await expect(next_one).to_contain_text(re.compile(r"11:\d\d–13:\d\d"))
        await expect(next_one).to_contain_text(re.compile(r"2 hr( \d+ min)? late"))
        await expect(next_one).to_contain_text("1 hr, leave at 10:")
        await expect(next_one).to_contain_text("SEAL-12 × 2")
        await expect(page.locator(".day > li").nth(2)).to_contain_text("14:00–16:00")
        await expect(page.locator(".left-over")).to_contain_text("no time left on this day")
        await _looks_well(page, "en")
        await next_one.get_by_role("button", name="Take the job").click()
        await expect(page.locator(".day > .next [data-step=accepted]")).to_be_visible()

        await page.goto("/dispatch/app")
        await page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        await page.reload()
        async with asyncio.timeout(30):
            await page.evaluate(KEPT)
        way.refuse()
        way.reset()
        await page.get_by_role("link", name="My day").click()
        await expect(page.locator("html[data-kept]")).to_have_count(1)
        await expect(page.locator(".day > .next")).to_have_attribute("data-ticket", str(late.id))
    finally:
        await context.close()


async def _looks_well(page: Page, language: str) -> None:
    assert await beyond(page) <= 0, page.url
    if folder := os.environ.get("AFTERCARE_TEST_SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/my-day-{language}.png", full_page=True)


async def test_the_day_speaks_chinese_and_tomorrow_is_a_tap_away(
    network: tuple[Desk, FaultProxy], browser: Browser
) -> None:
    desk, _ = network
    await furnish(desk)
    context = await browser.new_context(
        base_url=desk.served.settings.public_url, locale="zh-CN", viewport={"width": 390, "height": 844}
    )
    context.set_default_timeout(20_000)
    page = await context.new_page()
    try:
        await enter(page, DAY, desk.token_of(JUNIOR_A, "engineer"))
        await expect(page.get_by_role("heading", name="我的日程")).to_be_visible()
        await _looks_well(page, "zh")
        await page.get_by_role("link", name="后一天").click()
        await expect(page.locator(".day > li").first).to_contain_text("09:00 出发")
        await _looks_well(page, "zh-tomorrow")
    finally:
        await context.close()
