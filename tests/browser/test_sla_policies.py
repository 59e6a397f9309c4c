"""The policy editor in a real browser: by mouse and keyboard, at a desk and on a phone, in both languages."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from contracts.browsing import beyond, enter
from contracts.hearing import told_event
from contracts.serving import Port, Served, serving
from shared.clock import clock, uuid7
from shared.events.dispatch import TicketAssigned, TicketOpened
from shared.events.terms import Site
from shared.inbox import Receiver
from sla_monitor.app import service
from sla_monitor.moves.actions import go_on

SCREENSHOTS = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")
ON_SITE = "/promises/4"  # in the policy that ships
PERSON = UUID(int=1)


@dataclass
class Room:
    """The service behind a real port, and a browser to edit its policies with."""

    served: Served
    browser: Browser
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def editor(self, *, locale: str = "en-GB", width: int = 1440) -> AsyncIterator[Page]:
        """The policy in force, opened by somebody who may publish."""
        context = await self.browser.new_context(
            base_url=self.served.settings.public_url, locale=locale, viewport={"width": width, "height": 900}
        )
        context.set_default_timeout(20_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        page = await context.new_page()
        await enter(page, "/sla/policies", self.served.token("operations"))
        await self.picture(page, f"policies-{locale}-{width}")
        await page.locator("a.button").click()
        await expect(page.locator(".foreseen").first).to_be_visible()
        await page.locator("#promise-on_site > summary").click()
        yield page
        await self.picture(page, f"policy-{locale}-{width}")
        await context.close()

    async def ticket(self, title: str) -> None:
        """An urgent one of nine minutes ago."""
        subject, site = uuid7(), Site(region="east", city="c")
        opened = TicketOpened(
            request_id=PERSON, customer_id=PERSON, kind="fault", severity="urgent", site=site, title=title,
            owner_id=PERSON,
        )  # fmt: skip
        assigned = TicketAssigned(
            request_id=PERSON, engineer_id=PERSON, tier="senior", severity="urgent", centre="C1",
            same_city=True, site=site,
        )  # fmt: skip
        began = clock.now() - timedelta(minutes=9)
        told = [
            told_event(payload, subject=subject, version=number, at=began)
            for number, payload in enumerate((opened, assigned), start=1)
        ]
        await Receiver(self.served.database, service.consumers).receive(told, "live")

    async def picture(self, page: Page, name: str) -> None:
        if SCREENSHOTS:
            await page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str, browser: Browser) -> AsyncIterator[Room]:
    port = Port()
    async with serving(postgres_url, service, public_url=port.url) as served, port.serve(served):
        expect.set_options(timeout=20_000)  # what the server renders takes its time on a busy machine
        yield Room(served, browser)


@pytest_asyncio.fixture
async def room(running: Room) -> AsyncIterator[Room]:
    """After the test, no page may have complained about anything."""
    running.said.clear()
    yield running
    assert running.said == []


async def test_a_changed_target_shows_at_once_what_it_would_promise(room: Room) -> None:
    async with room.editor() as page:
        await page.locator("[data-start]").fill("2026-11-20T10:00")
        foreseen = page.locator(".foreseen p", has_text="Arrive on site")
        await expect(foreseen.locator('time[datetime="2026-11-20T04:00:00+00:00"]')).to_be_visible()
        length = page.locator(f'[data-at="{ON_SITE}/cases/0/target/length"] input')
        await length.fill("5")
        await length.blur()
        await expect(foreseen.locator('time[datetime="2026-11-20T07:00:00+00:00"]')).to_be_visible()
        await expect(page.locator(".alterations li")).to_have_count(1)
        await expect(page.locator(".alterations")).to_contain_text("PT2H")


async def test_a_finding_stands_beside_its_field_and_goes_when_it_is_mended(room: Room) -> None:
    async with room.editor() as page:
        stops = page.locator(f'[data-at="{ON_SITE}/stops"]')
        await page.locator(f'[data-fold="{ON_SITE}/stops"] > summary').click()
        start = stops.locator('input[value="dispatch.ticket_assigned"]')
        await start.check()
        await expect(stops.locator(".beside.error")).to_contain_text("also keeps it")
        await expect(page.locator("[data-count]")).to_have_text("1")
        await expect(page.locator(".findings li")).to_contain_text("Arrive on site · Is kept by")
        await page.locator(".findings button").focus()
        await page.keyboard.press("Enter")  # leads to the field
        assert (
            await page.evaluate("document.activeElement.closest('[data-at]').dataset.at")
            == f"{ON_SITE}/stops"
        )
        await page.locator("[data-open=publish]").click()
        await expect(page.locator("[data-publish]")).to_be_disabled()
        await page.keyboard.press("Escape")
        await start.uncheck()
        await expect(page.locator(".beside")).to_have_count(0)


async def test_the_form_follows_its_shape(room: Room) -> None:
    async with room.editor() as page:
        kind = page.locator(f'[data-at="{ON_SITE}/cases/0/target"]')
        length = page.locator(f'[data-at="{ON_SITE}/cases/0/target/length"] input')
        await length.fill("-5")
        await length.blur()
        await expect(page.locator(".findings li")).to_have_count(1)
        await expect(page.locator(".findings li")).to_contain_text("Arrive on site · Length")
        await expect(page.locator(".beside")).to_contain_text("greater than 0")
        room.said.clear()  # the browser notes the 422
        await length.fill("2")
        await length.blur()
        await expect(page.locator(".findings li")).to_have_count(0)
        await kind.select_option("by_hours")
        await expect(page.locator(f'[data-at="{ON_SITE}/cases/0/target/in_hours"]')).to_be_visible()
        await page.locator(f'[data-at="{ON_SITE}/cases/0/target/carry"]').check()
        await page.locator(f'[data-act="add-step"][data-of="{ON_SITE}/ladder"]').click()
        await expect(page.locator(f'[data-at="{ON_SITE}/ladder/5/minutes_after"]')).to_have_value("90")
        await page.locator('[data-act="add-promise"]').click()
        added = page.locator("#promise-house_11")
        await expect(added).to_be_visible()
        await added.locator('[data-act="remove"][data-of="/promises/10"]').click()
        await expect(added).to_have_count(0)
        draft = json.loads(await page.locator("[data-json]").input_value())
        target = draft["promises"][4]["cases"][0]["target"]
        assert (target["kind"], target["carry"], target["in_hours"]["length"]) == ("by_hours", True, "PT2H")


async def test_an_expert_writes_json_and_hears_what_is_wrong_with_it(room: Room) -> None:
    async with room.editor() as page:
        await page.locator("details:has(#policy-json) summary").click()
        text = page.locator("#policy-json")
        whole = json.loads(await text.input_value())
        await text.fill("{ not json")
        await text.blur()
        await expect(page.locator("[data-json-error]")).to_be_visible()
        await page.locator("[data-open=publish]").click()
        await expect(page.locator("[data-publish]")).to_be_disabled()
        await page.keyboard.press("Escape")
        whole["promises"][4]["about"] = "people"
        await text.fill(json.dumps(whole))
        await text.blur()
        await expect(page.locator(".findings .error, .findings li.error").first).to_contain_text(
            "must be 'ticket'"
        )
        room.said.clear()  # the browser notes the 422
        whole["promises"][4] |= {"about": "ticket", "enabled": False}
        await text.fill(json.dumps(whole))
        await text.blur()
        await expect(page.locator("#promise-on_site.off")).to_be_visible()
        await expect(page.locator("[data-json-error]")).to_be_hidden()


async def test_warnings_are_accepted_one_version_is_published_and_what_runs_is_moved(room: Room) -> None:
    await room.ticket("The press stands still")
    async with room.editor() as page:
        await page.locator("details:has(#policy-json) > summary").click()
        text = page.locator("#policy-json")
        whole = json.loads(await text.input_value())
        whole["promises"][4]["ladder"] = []
        whole["promises"][4]["cases"][0]["target"]["length"] = "PT5H"
        await text.fill(json.dumps(whole))
        await text.blur()
        await expect(page.locator(".findings li.warning")).to_have_count(1)
        await page.locator("[data-open=publish]").click()
        await page.locator("[data-note]").fill("Quicker than promised")
        await page.locator("[data-publish]").click()
        await expect(page.locator("[data-refused]")).to_contain_text("accept_warnings")
        room.said.clear()  # the browser notes the 422
        await page.locator("[data-accept]").check()
        await page.locator("[data-publish]").click()
        await page.wait_for_url("**/sla/policies/2")
        await expect(page.locator("main")).to_contain_text("Quicker than promised")
        await page.locator("[data-move] summary").click()
        await page.locator("[data-look]").click()
        await expect(page.locator("[data-result]")).to_contain_text("1 of 1 looked at")
        await expect(page.locator(".moved li")).to_contain_text("Arrive on site")
        await page.locator("[data-go]").click()
        await expect(page.locator("[data-result]")).to_contain_text("0 of 1 moved")
        while await room.served.database.transact(lambda tx: go_on(tx, tx.now)) is not None:
            pass
        await expect(page.locator("[data-result]")).to_contain_text("Done.")


@pytest.mark.parametrize(("locale", "width"), [("zh-CN", 1440), ("en-GB", 390)])
async def test_the_editor_fits_a_phone_and_speaks_both_languages(room: Room, locale: str, width: int) -> None:
    async with room.editor(locale=locale, width=width) as page:
        heading = "到达现场" if locale == "zh-CN" else "Arrive on site"
        await expect(page.locator("#promise-on_site h3")).to_have_text(heading)
        assert await beyond(page) == 0
