"""The pages of calendars in a real browser: by mouse and by keyboard, on a phone, in both languages."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, FilePayload, Page, expect

from contracts.browsing import beyond, enter
from contracts.serving import Port, Served, serving
from sla_monitor.app import service

SCREENSHOTS = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")
FILE = b"""BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20280801\r
DTEND;VALUE=DATE:20280804\r
SUMMARY:\xe5\x8e\x82\xe4\xbc\x91\r
END:VEVENT\r
END:VCALENDAR\r
"""


@dataclass
class Room:
    """The service behind a real port, and a browser to look at its calendars."""

    served: Served
    browser: Browser
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def calendar(self, query: str, *, locale: str = "en-GB", width: int = 1280) -> AsyncIterator[Page]:
        """A calendar, signed in."""
        context = await self.browser.new_context(
            base_url=self.served.settings.public_url, locale=locale, viewport={"width": width, "height": 900}
        )
        context.set_default_timeout(10_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        page = await context.new_page()
        await enter(page, f"/sla/calendars/{query}", self.served.token("operations"))
        yield page
        if SCREENSHOTS:
            name = f"{SCREENSHOTS}/calendar-{query.partition('?')[2]}-{locale}-{width}.png"
            await page.screenshot(path=name, full_page=True)
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
async def room(running: Room) -> AsyncIterator[Room]:
    """After the test, no page may have complained about anything."""
    running.said.clear()
    yield running
    assert running.said == []


async def test_days_are_chosen_by_hand_and_published(room: Room) -> None:
    async with room.calendar("cn?year=2026") as page:
        days = "2026-12-24", "2026-12-26", "2026-10-10", "2026-10-01", "2026-10-02"
        for day in days:
            await page.locator(f'[data-day="{day}"]').click()
        rows = page.locator("[data-rows] li")
        await expect(rows).to_have_count(len(days))  # one more than there were
        chosen = [await row.locator("select").input_value() for row in await rows.all()]
        assert chosen == ["off", "work", "usual", "usual", "usual"]
        for number, name in enumerate(("盘点", "年终盘点")):
            await rows.nth(number).locator('[name="day_name"]').fill(name)
        # By keyboard: Enter takes the step that the field belongs to.
        await rows.nth(1).locator('[name="day_name"]').press("Enter")
        await expect(page.locator(".changes")).to_contain_text("5 days")
        await expect(page.locator('[data-day="2026-12-26"]')).to_have_class("day make_up changed")
        await page.get_by_role("button", name="Publish").click()
        await page.wait_for_url("**/sla/calendars/cn?year=2026")
        await expect(page.locator("table.stack").last).to_contain_text("desk.one")


async def test_a_file_is_imported_over_its_difference(room: Room) -> None:
    async with room.calendar("cn?year=2028") as page:
        await expect(page.locator(".note")).to_contain_text("The holidays of 2028 are not confirmed")
        await page.get_by_text("A file with days (iCalendar)").click()
        file = FilePayload(name="factory.ics", mimeType="text/calendar", buffer=FILE)
        await page.locator('[name="file"]').set_input_files(files=[file])
        await page.get_by_role("button", name="Show what this file changes").click()
        await expect(page.locator(".day-changes li")).to_have_count(3)
        await expect(page.locator(".day.holiday.changed")).to_have_count(3)


@pytest.mark.parametrize(
    ("locale", "width", "words", "ends"),
    [
        ("zh-CN", 390, "调休上班日", "2026年10月8日 周四 10:00"),
        ("en-GB", 1280, "make-up working day", "Thu 8 Oct 2026, 10:00"),
    ],
)
async def test_a_year_fits_every_screen_in_both_languages(
    room: Room, locale: str, width: int, words: str, ends: str
) -> None:
    query = "cn?year=2026&start=2026-09-30T17:00&hours=2"
    async with room.calendar(query, locale=locale, width=width) as page:
        await expect(page.locator(".legend")).to_contain_text(words)
        # 1 h until closing on 30 September; 1–7 October are off, Thursday the 8th goes on at 09:00.
        await expect(page.locator(".sum")).to_contain_text(ends)
        await expect(page.locator(".intervals li")).to_have_count(2)
        await page.locator(".editor details").evaluate_all(
            "all => all.forEach(each => { each.open = true; })"
        )
        assert await beyond(page) <= 0


async def test_a_calendar_is_begun_like_another_and_published(room: Room) -> None:
    async with room.calendar("cn?year=2030") as page:
        await page.goto("/sla/calendars")
        await page.get_by_label("Name").fill("north")
        await page.get_by_role("button", name="Begin a draft").click()
        await expect(page.locator(".changes")).to_contain_text("days")
        await page.get_by_role("button", name="Publish").click()
        await page.wait_for_url("**/sla/calendars/north?year=*")
        await page.goto("/sla/calendars")
        await expect(page.locator(".cards")).to_contain_text("north")
