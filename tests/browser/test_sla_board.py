"""The operations board in a real browser: it counts, it is live in a background tab, in both languages."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from contracts.serving import Served, serving
from shared.clock import clock, uuid7
from shared.events import Payload
from shared.events.dispatch import EngineerArrived, TicketAssigned, TicketOpened
from shared.events.envelope import event_model
from shared.events.intake import CallMissed
from shared.events.terms import Severity, Site
from shared.inbox import Receiver
from sla_monitor.alerts.actions import judge_due
from sla_monitor.app import service

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
SCREENSHOTS = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")
PERSON = UUID(int=1)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"Chromium is not installed at {CHROMIUM}")


class _Server(uvicorn.Server):
    """In the tests' own loop, with its signals left alone."""

    def install_signal_handlers(self) -> None: ...


@dataclass
class Room:
    """The service behind a real port, and a browser to look at its board."""

    served: Served
    browser: Browser
    said: list[str] = field(default_factory=list)

    async def happen(self, subject: UUID, *happened: tuple[Payload, datetime]) -> None:
        bodies = []
        for payload, at in happened:
            event = event_model(type(payload))(
                id=uuid7(), source="/aftercare/test", type=payload.type, subject=str(subject),
                sequence="0000000001", time=at, data=payload,
            )  # fmt: skip
            bodies.append(b"[" + event.model_dump_json(exclude_none=True).encode() + b"]")
        await Receiver(self.served.database, service.consumers).receive(bodies, "live")

    async def ticket(self, title: str, ago: timedelta, severity: Severity = "urgent") -> UUID:
        ticket, at, site = uuid7(), clock.now() - ago, Site(region="east", city="c")
        opened = TicketOpened(
            request_id=PERSON, customer_id=PERSON, kind="fault", severity=severity, site=site, title=title,
            owner_id=PERSON,
        )  # fmt: skip
        assigned = TicketAssigned(
            request_id=PERSON, engineer_id=PERSON, tier="senior", severity=severity, centre="C1",
            same_city=True, site=site,
        )  # fmt: skip
        await self.happen(ticket, (opened, at), (assigned, at))
        return ticket

    async def judge(self) -> None:
        now = clock.now()
        heard = {"dispatch": now, "intake": now}
        await self.served.database.transact(lambda tx: judge_due(tx, now, heard, LONG_AGO))

    @asynccontextmanager
    async def board(self, *, locale: str = "en-GB", width: int = 1440) -> AsyncIterator[Page]:
        """The board, signed in and live."""
        context = await self.browser.new_context(
            base_url=self.served.settings.public_url, locale=locale, viewport={"width": width, "height": 900}
        )
        context.set_default_timeout(10_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        page = await context.new_page()
        await page.goto("/sla/board")
        await page.locator("#token").fill(self.served.token("operations"))
        await page.locator("button.primary").click()
        await page.wait_for_url("**/sla/board")
        await expect(page.locator('[data-live-state="live"]')).to_be_visible()
        yield page
        if SCREENSHOTS:
            await page.screenshot(path=f"{SCREENSHOTS}/board-{locale}-{width}.png", full_page=True)
        await context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Room]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with serving(postgres_url, service, public_url=url) as served, async_playwright() as playwright:
        server = _Server(uvicorn.Config(served.app, lifespan="off", log_config=None, access_log=False))
        task = asyncio.create_task(server.serve([listening]))
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield Room(served, browser)
        await browser.close()
        served.streams.close()
        server.should_exit = True
        await task


@pytest_asyncio.fixture
async def room(running: Room) -> AsyncIterator[Room]:
    """After the test, no page may have complained about anything."""
    running.said.clear()
    yield running
    assert running.said == []


async def test_a_promise_is_counted_down_from_the_moment_it_is_made(room: Room) -> None:
    async with room.board() as page:
        await room.ticket("The conveyor is stuck", 100 * MINUTE)
        clock_row = page.locator(".clock", has_text="Arrive on site").filter(has_text="conveyor")
        await expect(clock_row).to_have_class(
            re.compile(r"\bsoon\b"), timeout=20_000
        )  # 100 of 120 minutes are gone
        shown = await clock_row.locator(".countdown").inner_text()
        assert shown == "20:00" or shown.startswith("19:")
        assert 830 <= int(await clock_row.locator("progress").get_attribute("value") or 0) <= 836
        await expect(clock_row.locator(".countdown")).not_to_have_text(shown)  # it ticks


async def test_a_breach_changes_sides_also_while_the_tab_is_in_the_background(room: Room) -> None:
    ticket = await room.ticket("The boiler is cold", 119 * MINUTE + timedelta(seconds=58))
    async with room.board() as page:
        await expect(page.locator(".running", has_text="boiler")).to_have_count(1)
        front = await page.context.new_page()
        await front.goto("/sla/board")
        await front.bring_to_front()
        missed = page.locator(".miss.open", has_text="boiler").filter(has_text="Arrive on site")
        async with asyncio.timeout(15):
            while not await missed.count():
                await room.judge()
                await page.wait_for_timeout(100)
        assert "missed)" in await page.title()
        await expect(page.locator(".clock", has_text="boiler").filter(has_text="on site")).to_have_count(0)
        await missed.get_by_role("button", name="I look after it").click()
        await expect(missed).to_contain_text("Somebody looks after it")
        await room.happen(ticket, (EngineerArrived(engineer_id=PERSON), clock.now()))
        await expect(page.locator(".miss:not(.open)", has_text="boiler")).to_contain_text("done")


@pytest.mark.parametrize(("locale", "promise"), [("zh-CN", "到达现场"), ("en-GB", "Arrive on site")])
@pytest.mark.parametrize("width", [390, 1280, 1920])
async def test_the_board_fits_every_screen_in_both_languages(
    room: Room, locale: str, promise: str, width: int
) -> None:
    await room.ticket("A title that is quite a bit longer than it has any right to be on a phone " * 2, HOUR)
    await room.happen(uuid7(), (CallMissed(region="east"), clock.now()))
    async with room.board(locale=locale, width=width) as page:
        await expect(page.locator(".clock", has_text=promise).first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.locator(".clock .title a", has_text="A title").first.click()
        await expect(page.locator(".proof").first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
