"""The operations board in a real browser: it counts, it is live in a background tab, in both languages."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from contracts.browsing import beyond, enter
from contracts.serving import Port, Served, serving
from shared.clock import clock, uuid7
from shared.events import Payload
from shared.events.dispatch import EngineerArrived, TicketAssigned, TicketOpened
from shared.events.envelope import event_model
from shared.events.intake import CallMissed
from shared.events.terms import Severity, Site
from shared.inbox import Receiver
from sla_monitor.alerts.actions import judge_due
from sla_monitor.app import service

SCREENSHOTS = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")
PERSON = UUID(int=1)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


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

    async def ticket(
        self, title: str, ago: timedelta, severity: Severity = "urgent", region: str = "east"
    ) -> UUID:
        ticket, at, site = uuid7(), clock.now() - ago, Site(region=region, city="c")
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
    async def board(
        self, query: str = "", *, locale: str = "en-GB", width: int = 1440, height: int = 900
    ) -> AsyncIterator[Page]:
        """The board, signed in and live."""
        context = await self.browser.new_context(
            base_url=self.served.settings.public_url,
            locale=locale,
            viewport={"width": width, "height": height},
        )
        context.set_default_timeout(20_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        page = await context.new_page()
        await enter(page, f"/sla/board{query}", self.served.token("operations"))
        await expect(page.locator('[data-live-state="live"]')).to_be_visible()
        try:
            yield page
            if SCREENSHOTS:
                await page.screenshot(path=f"{SCREENSHOTS}/board-{locale}-{width}.png", full_page=True)
        finally:
            await context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)


async def at(page: Page, address: str) -> None:
    """Wait until the page is at `address`."""
    await page.wait_for_url(lambda url: url.endswith(address))


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str, browser: Browser) -> AsyncIterator[Room]:
    port = Port()
    async with serving(postgres_url, service, public_url=port.url) as served, port.serve(served):
        yield Room(served, browser)


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
async def test_the_board_fits_every_screen_in_both_languages(room: Room, locale: str, promise: str) -> None:
    await room.ticket("A title that is quite a bit longer than it has any right to be on a phone " * 2, HOUR)
    await room.happen(uuid7(), (CallMissed(region="east"), clock.now()))
    async with room.board(locale=locale) as page:
        await expect(page.locator(".clock", has_text=promise).first).to_be_visible()
        await fits_every_screen(page)
        await page.locator(".clock .title a", has_text="A title").first.click()
        await expect(page.locator(".proof").first).to_be_visible()
        await fits_every_screen(page)


async def fits_every_screen(page: Page) -> None:
    """On a phone, on a desk, on a wall."""
    for width in (390, 1280, 1920):
        await page.set_viewport_size({"width": width, "height": 900})
        assert await beyond(page) <= 0


# Filters.


async def test_filters_hold_for_live_rows_and_are_remembered(room: Room) -> None:
    async with room.board("?region=west") as page:
        await room.ticket("Not for the west", HOUR)
        await room.ticket("For the west", HOUR, region="west")
        await expect(page.locator(".clock", has_text="For the west").first).to_be_visible()
        await expect(page.locator(".clock", has_text="Not for the west")).to_have_count(0)
        await page.goto("/sla/board")
        await at(page, "/sla/board?region=west")
        await page.get_by_text("Region: west").click()
        await page.get_by_label("east", exact=True).check()
        await page.get_by_role("button", name="Show these").locator("visible=true").click()
        await at(page, "/sla/board?region=east&region=west")
        await expect(page.locator(".clock", has_text="Not for the west").first).to_be_visible()
        await page.get_by_role("link", name="Show everything").click()
        await at(page, "/sla/board")
        await page.reload()
        assert page.url.endswith("/sla/board")


# Sound.


async def test_a_sound_is_for_a_new_miss_and_for_nothing_else(room: Room) -> None:
    await room.ticket("Missed long before", 3 * HOUR)
    await room.judge()
    async with room.board() as page:
        sounded = page.locator("[data-sounded]")
        button = page.locator("button.sound")
        await expect(button).to_have_attribute("aria-pressed", "false")
        await room.ticket("Missed without a sound", 3 * HOUR)
        await room.judge()
        await expect(page.locator(".miss", has_text="without a sound").first).to_be_visible()
        await expect(sounded).to_have_attribute("data-sounded", "0")
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true")
        await room.ticket("Missed with a sound", 3 * HOUR)
        await room.judge()
        await expect(page.locator(".miss", has_text="with a sound").first).to_be_visible()
        await expect(sounded).not_to_have_attribute("data-sounded", "0")
        heard = await sounded.get_attribute("data-sounded")
        await page.locator(".miss", has_text="with a sound").first.locator(".acknowledge").click()
        await expect(page.locator(".miss.changed", has_text="Somebody looks after it").first).to_be_visible()
        assert await sounded.get_attribute("data-sounded") == heard  # a row that changes is no new miss
        room.served.streams.close()
        await expect(page.locator('[data-live-state="reconnecting"]')).to_be_visible()
        await room.ticket("Missed while the line was down", 3 * HOUR)
        await room.judge()
        room.served.streams.closing.clear()
        await expect(page.locator(".miss", has_text="while the line was down").first).to_be_visible()
        assert await sounded.get_attribute("data-sounded") == heard
        await page.reload()
        await expect(page.locator('[data-live-state="live"]')).to_be_visible()
        await expect(button).to_have_text("Sound waits for a click")
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true")
        await expect(sounded).to_have_attribute("data-sounded", "0")


# Many at once.


async def test_many_misses_are_taken_over_at_once(room: Room) -> None:
    for number in range(3):
        await room.ticket(f"One of three: {number}", 3 * HOUR, region="bulk")
    await room.judge()
    async with room.board("?region=bulk&promise=on_site") as page:
        picks = page.locator(".miss .pick")
        await expect(picks).to_have_count(3)
        await expect(page.locator(".bulk")).to_be_hidden()
        await picks.nth(0).click()
        await picks.nth(2).click(modifiers=["Shift"])
        await expect(page.locator(".bulk")).to_contain_text("3 chosen")
        await page.keyboard.press("Escape")
        await expect(page.locator(".bulk")).to_be_hidden()
        await page.locator("h1").click()
        await page.keyboard.press("j")
        await page.keyboard.press("x")
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await page.keyboard.press("Shift+X")
        await expect(page.locator(".bulk")).to_contain_text("3 chosen")
        await page.keyboard.press("a")
        await expect(page.locator(".outcome")).to_contain_text("3 taken over; 0 not")
        await expect(page.locator(".miss .seen")).to_have_count(3)
        await expect(picks).to_have_count(0)


# A screen on the wall.


async def test_the_wall_shows_whole_rows_and_how_many_more_there_are(room: Room) -> None:
    for number in range(14):
        await room.ticket(f"Row {number}", HOUR)
    async with room.board("?wall=1") as page:
        await expect(page.locator(".live-state")).to_have_text("Live")
        for hidden in (".top", ".tools", ".acknowledge", ".pick"):
            await expect(page.locator(hidden).locator("visible=true")).to_have_count(0)
        for width, height in ((1920, 1080), (3840, 2160)):
            await page.set_viewport_size({"width": width, "height": height})
            await fits(page, height)


async def fits(page: Page, height: int) -> None:
    """Nothing is scrolled or cut, what is not shown is counted, and the type is as large as the screen."""
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    cut = await page.evaluate(
        """[...document.querySelectorAll(".board ul.panel")].flatMap((list) => {
            const { left, right, bottom } = list.getBoundingClientRect();
            return [...list.children].map((row) => row.getBoundingClientRect())
                .filter((row) => row.left < right && row.left >= left && row.bottom > bottom + 1);
        }).length"""
    )
    assert cut == 0
    overflowing = await page.locator(".tile .share").evaluate_all(
        """(shares) => shares.filter((share) => {
            share.textContent = "100.0%";  // as wide as it gets
            return share.scrollWidth > share.clientWidth;
        }).length"""
    )
    assert overflowing == 0
    shown = await page.locator(".running .clock").evaluate_all(
        "(rows) => rows.filter((row) => row.offsetLeft === rows[0].offsetLeft).length"
    )
    count = (await page.locator(".running .count").inner_text()).rstrip("+")
    await expect(page.locator(".running .more")).to_have_text(f"And {int(count) - shown} more.")
    size = await page.locator(".running .countdown").first.evaluate(
        "(it) => parseFloat(getComputedStyle(it).fontSize)"
    )
    assert size >= height / 30


async def test_a_board_that_hears_nothing_says_so(room: Room) -> None:
    async with room.board("?wall=1") as page:
        await expect(page.locator(".stale")).to_be_hidden()
        await page.evaluate("document.querySelector('[data-live-state]').dataset.liveState = 'reconnecting'")
        await expect(page.locator(".stale")).to_contain_text("This is not the present", timeout=15_000)


# On paper.


@pytest.mark.parametrize(
    ("locale", "told"), [("zh-CN", "所依据的事件"), ("en-GB", "The events it follows from")]
)
async def test_a_dossier_fits_a_sheet_of_paper(room: Room, locale: str, told: str) -> None:
    ticket = await room.ticket(
        "A title that is longer than a line of a sheet of paper has room for " * 2, HOUR
    )
    async with room.board(locale=locale, width=700) as page:  # A4 between its margins, in CSS pixels
        await page.goto(f"/sla/subjects/{ticket}")
        await page.emulate_media(media="print")
        assert await beyond(page) <= 0
        await expect(page.get_by_text(told)).to_be_visible()
        await expect(page.locator("[data-print]")).to_be_hidden()
        sheets = await page.pdf(format="A4")
        assert 1 <= sheets.count(b"/Type /Page\n") <= 4
