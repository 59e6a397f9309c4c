"""What customers and storekeepers touch, in a real browser: the survey, the parts desk, the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect
from sqlalchemy import text

from contracts.browsing import beyond, enter
from contracts.hearing import told_event
from contracts.serving import Port, Served, serving
from feedback.app import service as feedback
from parts.app import service as parts
from parts.catalogue.actions import save_catalogue
from parts.stock.actions import receive_delivery
from shared.clock import clock, uuid7
from shared.db import Database
from shared.events.dispatch import PartsRequested, TicketClosed
from shared.events.terms import PartLine, Site
from shared.i18n import ZONE
from shared.inbox import Receiver

ENGINEER = UUID(int=1)


@dataclass
class Counter:
    """Both services behind a port, and a browser in front of it."""

    served: Served
    parts: Database
    feedback: Database
    browser: Browser
    said: list[str] = field(default_factory=list)

    async def survey(self) -> str:
        """The link of a new one."""
        payload = TicketClosed(
            request_id=uuid7(), customer_id=uuid7(), engineer_id=ENGINEER, reason="accepted",
            severity="general", site=Site(region="east", city="c"), episode=1,
        )  # fmt: skip
        message = told_event(payload, subject=uuid7(), version=9)
        await Receiver(self.feedback, feedback.consumers).receive([message], "live")
        newest = text("SELECT body::json #>> '{data,link}' FROM event_log ORDER BY id DESC LIMIT 1")
        async with self.feedback.transaction() as tx:
            return str((await tx.execute(newest)).scalar_one())

    async def ask(self, part: str, quantity: int) -> None:
        line = PartLine(part_number=part, quantity=quantity)
        payload = PartsRequested(
            requisition_id=uuid7(), engineer_id=ENGINEER, centre="shanghai", lines=(line,)
        )
        message = told_event(payload, subject=uuid7(), version=5)
        await Receiver(self.parts, parts.consumers).receive([message], "live")

    @asynccontextmanager
    async def page(self, *, locale: str = "en-GB", width: int = 1280) -> AsyncIterator[Page]:
        context = await self.browser.new_context(
            base_url=self.served.settings.public_url, locale=locale, viewport={"width": width, "height": 800}
        )
        context.set_default_timeout(10_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        yield await context.new_page()
        await context.close()

    async def sign_in(self, page: Page, path: str) -> None:
        await enter(page, path, self.served.token("storekeeper", "care"))
        await expect(page.locator("[data-live-state=live]")).to_be_visible()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str, browser: Browser) -> AsyncIterator[Counter]:
    port = Port()
    async with (
        serving(postgres_url, feedback, parts, public_url=port.url) as served,
        port.serve(served),
    ):
        stock = served.streams.watches["parts.stock"].database
        await stock.transact(lambda tx: save_catalogue(tx, {"PUMP-7": ("Pump", "泵")}, {"S": "shanghai"}))
        yield Counter(served, stock, served.database, browser)


@pytest_asyncio.fixture
async def counter(running: Counter) -> AsyncIterator[Counter]:
    """After the test, nothing may have been complained about."""
    running.said.clear()
    yield running
    assert running.said == []


async def test_a_customer_answers_with_the_keyboard_alone(counter: Counter) -> None:
    link = await counter.survey()
    async with counter.page() as page:
        await page.goto(link)
        await page.get_by_role("radio", name="Very satisfied").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("radio", name="Satisfied", exact=True)).to_be_checked()
        await page.keyboard.press("Tab")
        await page.keyboard.type("Fine work")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        # A script is quicker than a person: it is asked once more, and loses nothing.
        again = page.get_by_role("alert")
        thanks = page.get_by_role("heading", name="Thank you")
        await expect(again.or_(thanks).first).to_be_visible()
        while await again.is_visible():
            await expect(page.locator("#comment")).to_have_value("Fine work")
            await page.get_by_role("button", name="Send").click()
            await expect(again.or_(thanks).first).to_be_visible()
        await expect(thanks).to_be_visible()


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
async def test_the_survey_fits_and_its_choices_are_large(counter: Counter, locale: str) -> None:
    link = await counter.survey()
    async with counter.page(width=1280, locale=locale) as page:
        await page.goto(link)
        assert await beyond(page) <= 0
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await beyond(page) <= 0
        for choice in await page.locator(".faces label").all():
            box = await choice.bounding_box()
            assert box is not None
            assert box["height"] >= 56
            await choice.click()
            await expect(choice.locator("input")).to_be_checked()


async def test_the_desk_and_its_figures_change_while_one_looks(counter: Counter) -> None:
    async with counter.page() as page:
        await counter.sign_in(page, "/parts/desk")
        await counter.ask("PUMP-7", 3)
        short = page.locator("[data-feed='parts.figures'] dd").first
        await expect(short).to_have_text("1")
        await expect(page.locator("[data-feed='parts.requisitions'] th")).to_have_text(["3 × PUMP-7"])
        await counter.parts.transact(lambda tx: receive_delivery(tx, "S", [("PUMP-7", 5)], "PO-1"))
        await expect(page.locator("[data-feed='parts.stock'] tr")).to_have_count(1)


@pytest.mark.parametrize("path", ["/parts/desk", "/feedback/dashboard"])
async def test_no_page_scrolls_sideways(counter: Counter, path: str) -> None:
    async with counter.page(width=1280) as page:
        await counter.sign_in(page, path)
        for width in (1280, 360):
            await page.set_viewport_size({"width": width, "height": 740})
            assert await beyond(page) <= 0


async def test_an_answer_shows_on_the_dashboard_while_one_looks(counter: Counter) -> None:
    link = await counter.survey()
    async with counter.page() as page:
        await counter.sign_in(page, "/feedback/dashboard")
        await page.request.post(link, form={"score": "2", "comment": "<b>Slow</b>"})
        newest = page.locator("[data-feed='feedback.answers'] tr").first
        await expect(newest).to_contain_text("<b>Slow</b>")
        await expect(newest).to_contain_text("not counted")


async def test_the_storekeeper_says_on_a_live_row_when_short_parts_come(counter: Counter) -> None:
    """R73: dispatchers see it, and no form."""
    at = (clock.now() + timedelta(days=2)).astimezone(ZONE)
    async with counter.page(width=390) as page:
        await counter.sign_in(page, "/parts/desk")
        await counter.ask("PUMP-404", 1)
        row = row_of(page)
        await row.locator("[name=expected_at]").fill(at.strftime("%Y-%m-%dT%H:%M"))
        await row.get_by_role("button", name="Note").click()
        await expect(row).to_contain_text(at.strftime("%H:%M"))
        assert await beyond(page) <= 0
    async with counter.page() as page:
        await enter(page, "/parts/desk", counter.served.token("dispatcher"))
        await expect(row_of(page)).to_contain_text(at.strftime("%H:%M"))
        await expect(row_of(page).locator("form")).to_be_hidden()


def row_of(page: Page) -> Locator:
    return page.locator("tr", has_text="PUMP-404")
