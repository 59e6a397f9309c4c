"""Alerts worked through by keyboard, and a sink set up, in a real browser, in both languages."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from contracts.browsing import beyond, enter
from contracts.clocking import ENGINEER, assigned
from contracts.hearing import told_event
from contracts.serving import Port, Served, serving
from shared.clock import clock, uuid7
from shared.events.dispatch import TicketOpened
from shared.events.terms import Site
from shared.inbox import Receiver
from sla_monitor.alerts.actions import judge_due
from sla_monitor.app import service

SCREENSHOTS = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")
HOUR = timedelta(hours=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Room:
    """The service behind a real port, and a browser to look at it."""

    served: Served
    browser: Browser
    said: list[str] = field(default_factory=list)

    async def missed(self, title: str) -> None:
        """An urgent ticket nobody came to."""
        ticket, at = uuid7(), clock.now() - 3 * HOUR
        opened = TicketOpened(
            request_id=uuid7(), customer_id=uuid7(), kind="fault", severity="urgent", title=title,
            site=Site(region="east", city="shanghai"), owner_id=ENGINEER,
        )  # fmt: skip
        bodies = [
            told_event(payload, subject=ticket, version=number, at=at)
            for number, payload in enumerate((opened, assigned()), start=1)
        ]
        await Receiver(self.served.database, service.consumers).receive(bodies, "live")
        now = clock.now()
        heard = {"dispatch": now, "intake": now}
        await self.served.database.transact(lambda tx: judge_due(tx, now, heard, LONG_AGO))

    @asynccontextmanager
    async def page(self, path: str, *, locale: str = "en-GB") -> AsyncIterator[Page]:
        """A page, signed in as who may do everything here."""
        context = await self.browser.new_context(
            base_url=self.served.settings.public_url, locale=locale, viewport={"width": 1280, "height": 850}
        )
        context.set_default_timeout(10_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        page = await context.new_page()
        await enter(page, path, self.served.token("operations", "admin"))
        yield page
        await context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str, browser: Browser) -> AsyncIterator[Room]:
    port = Port()
    async with serving(postgres_url, service, public_url=port.url) as served, port.serve(served):
        yield Room(served, browser)


@pytest_asyncio.fixture
async def room(running: Room) -> Room:
    running.said.clear()
    return running


async def test_alerts_are_worked_through_by_keyboard(room: Room) -> None:
    for title in ("The boiler is cold", "The press stands still"):
        await room.missed(title)
    async with room.page("/sla/alerts?promise=on_site&missed=true") as page:
        rows = page.locator("tbody tr[data-id]")
        await expect(rows).to_have_count(2)
        for key in ("j", "x", "s"):
            await page.keyboard.press(key)
        await page.locator("#snooze input").fill("The customer asked for the afternoon")
        await page.keyboard.press("Enter")
        await expect(page.locator(".outcome")).to_have_text("Done for 1.")
        await expect(rows.first).to_contain_text("The customer asked for the afternoon")
        await page.keyboard.press("j")
        for key in ("j", "x", "g"):
            await page.keyboard.press(key)
        await page.locator("#assign input").fill(str(ENGINEER))
        await page.keyboard.press("Enter")
        await expect(page.locator(".alerts")).to_contain_text("assigned to")
        await page.locator("thead input").check()
        await expect(page.locator(".chosen strong")).to_have_text("2 chosen")
        await page.keyboard.press("a")
        await expect(page.locator(".outcome")).to_have_text("Done for 2.")
        await expect(page.locator(".chip.good")).to_have_count(2)
        await expect(page.locator("thead input")).not_to_be_checked()
    assert room.said == []


async def test_what_changed_meanwhile_is_said_and_left(room: Room) -> None:
    await room.missed("The conveyor is stuck")
    path = "/sla/alerts?state=open&promise=accept&missed=true"
    async with room.page(path) as page:
        await page.evaluate(
            "for (const row of document.querySelectorAll('tr[data-id]')) row.dataset.version = 7"
        )
        await page.locator("thead input").check()
        await page.locator('[data-do="acknowledge"]').click()
        await expect(page.locator(".outcome")).to_contain_text("had changed meanwhile")
        await expect(page.locator(".chip.urgent", has_text="Open").first).to_be_visible()
    assert room.said == []


async def test_a_sink_is_set_up_and_what_is_wrong_stands_beside_its_field(room: Room) -> None:
    async with room.page("/sla/sinks/new/webhook") as page:
        await page.locator("#name").fill("The control room")
        await page.locator("#config-url").fill("https://example.com/hook")
        await page.locator("#secret").fill(SECRET)
        await page.locator("#zone").fill("Atlantis/Capital")
        await page.locator("button.primary").click()
        await expect(page.locator('[data-at="/terms/zone"] .error')).to_be_visible()
        await page.locator("#zone").fill("Asia/Shanghai")
        await page.locator("button.primary").click()
        await expect(page.locator("h1")).to_have_text("The control room")
        await page.locator('[data-post="test"]').click()
        await expect(page.locator("tbody")).to_contain_text("test")
        assert SECRET not in await page.content()
        await page.goto("/sla/sinks")
        await expect(page.locator(".sinks")).to_contain_text("The control room")
    assert [each for each in room.said if "422" not in each] == []  # the browser's own word on the refusal


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_the_pages_fit_every_screen(room: Room, locale: str) -> None:
    await room.missed("A title that is quite a bit longer than it has any right to be on a phone " * 2)
    async with room.page("/sla/alerts", locale=locale) as page:
        for path in ("/sla/alerts", "/sla/sinks", "/sla/sinks/new/mail"):
            for width in (390, 1280):
                await page.set_viewport_size({"width": width, "height": 850})
                await page.goto(path)
                assert await beyond(page) == 0
                if SCREENSHOTS:
                    name = f"{path[1:].replace('/', '-')}-{locale}-{width}.png"
                    await page.screenshot(path=f"{SCREENSHOTS}/{name}", full_page=True)
    assert room.said == []
