"""What is done about a row of the board: by mouse, by keyboard, on a phone, and when somebody was faster."""

from __future__ import annotations

import os
import re
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
from contracts.dispatching import EXPERT_D, JUNIOR_A, SAMPLE, heard, registered
from contracts.hearing import told_event
from contracts.serving import Port, Served, serving
from dispatch.app import service as dispatch
from dispatch.organisation.actions import import_organisation
from shared.clock import clock, uuid7
from shared.db import Database, Tx
from shared.events.dispatch import EngineerArrived
from shared.http.auth import Principal, Role, mint
from shared.http.etag import Precondition
from shared.i18n import ZONE
from shared.inbox import Receiver
from shared.outgoing import Allowed, Outgoing
from sla_monitor.app import service as sla
from sla_monitor.sinks.actions import Wanted, add_sink
from sla_monitor.sinks.rules import Terms

SCREENSHOTS = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
REFUSALS = ("409", "412")
"""A browser reports what a service refuses as an error of the page; here it is what is tested."""


@dataclass
class Room:
    """Both services behind one port, as `make run` and the gateway serve them."""

    served: Served
    browser: Browser
    said: list[str] = field(default_factory=list)

    @property
    def tickets(self) -> Database:
        return self.served.others["dispatch"].database

    async def ticket(self, title: str, severity: str = "important") -> UUID:
        """A request becomes a ticket, and its promises begin."""
        request = uuid7()
        asked = heard(registered(severity, title=title), request)
        await Receiver(self.tickets, dispatch.consumers).receive([asked], "live")
        async with self.tickets.transaction() as tx:
            found = await tx.execute(text("SELECT id FROM ticket WHERE request_id = :id"), {"id": request})
            ticket: UUID = found.scalar_one()
        await self.tell(ticket)
        return ticket

    async def tell(self, ticket: UUID) -> None:
        """All that dispatch told of a ticket reaches the monitor, again and again."""
        query = text("SELECT body FROM event_log WHERE subject = :id ORDER BY id")
        async with self.tickets.transaction() as tx:
            bodies = (await tx.execute(query, {"id": str(ticket)})).scalars().all()
        events = [f"[{each}]".encode() for each in bodies]
        await Receiver(self.served.database, sla.consumers).receive(events, "live")

    async def channel(self) -> None:
        """A way out that leadership hears of things by."""
        outgoing = Outgoing(Allowed.read("127.0.0.0/8"), self.served.settings.public_url)
        wanted = Wanted("The control room", {"url": "http://127.0.0.1:9/hook"}, Terms(), True, SECRET)
        await self.served.database.transact(lambda tx: add_sink(tx, "me", outgoing, "webhook", wanted))

    @asynccontextmanager
    async def board(
        self, *roles: Role, locale: str = "en-GB", width: int = 1440, height: int = 900
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
        who = Principal(str(uuid7()), frozenset(roles or ("operations",)))
        token = mint(who, self.served.settings, timedelta(hours=1))
        await enter(page, "/sla/board", token)
        await expect(page.locator('[data-live-state="live"]')).to_be_visible()
        try:
            yield page
        finally:
            await context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        refused = "Failed to load resource" in message.text and any(code in message.text for code in REFUSALS)
        if message.type in ("error", "warning") and not refused:
            self.said.append(message.text)


async def picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        await page.screenshot(path=f"{SCREENSHOTS}/hands-{name}.png")


def row_of(page: Page, title: str, promise: str = "Arrive on site") -> Locator:
    return page.locator(".clock", has_text=promise).filter(has_text=title)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str, browser: Browser) -> AsyncIterator[Room]:
    port = Port()
    async with (
        serving(postgres_url, sla, dispatch, public_url=port.url) as served,
        port.serve(served),
    ):
        room = Room(served, browser)

        async def organise(tx: Tx) -> None:
            await import_organisation(tx, SAMPLE, Precondition(frozenset({"0"})), "admin")

        await room.tickets.transact(organise)
        yield room


@pytest_asyncio.fixture
async def room(running: Room) -> AsyncIterator[Room]:
    """After the test, no page may have complained about anything."""
    running.said.clear()
    yield running
    assert running.said == []


# Reassign.


async def engineer_of(room: Room, ticket: UUID) -> UUID:
    async with room.tickets.transaction() as tx:
        found = await tx.execute(text("SELECT engineer_id FROM ticket WHERE id = :id"), {"id": ticket})
        engineer: UUID = found.scalar_one()
    return engineer


async def test_a_ticket_is_given_to_the_next_best_in_two_clicks(room: Room) -> None:
    ticket = await room.ticket("The lathe trembles")
    before = await engineer_of(room, ticket)
    async with room.board() as page:
        row = row_of(page, "lathe")
        await row.get_by_role("button", name="Reassign").click()
        dialog = page.locator("#hand-reassign")
        await expect(dialog).to_be_visible()
        await expect(dialog.locator("[data-about]")).to_have_text("Arrive on site · The lathe trembles")
        await expect(dialog.get_by_label("Reason")).to_have_value("")
        suggested = dialog.locator("datalist option")
        await expect(suggested).to_have_attribute("value", "Promise at risk: Arrive on site")
        groups = dialog.locator("optgroup")
        await expect(groups.first).to_have_attribute("label", "Suggested, the best first")
        chosen = await dialog.locator("select").input_value()
        await dialog.get_by_role("button", name="Assign").click()
        await expect(dialog).to_be_visible()  # without a reason nothing is done
        await dialog.get_by_label("Reason").fill("The other one is nearer")
        await picture(page, "reassign")
        await dialog.get_by_role("button", name="Assign").click()
        await expect(dialog).to_be_hidden()
        await expect(row.locator(".said.good")).to_contain_text("Given to")
        await picture(page, "reassigned")
        assert UUID(chosen) == await engineer_of(room, ticket) != before
        await room.tell(ticket)  # the row is written anew
        await expect(row.locator(".said.good")).to_contain_text("Given to")


async def test_who_was_slower_hears_beside_the_row_how_it_is_now(room: Room) -> None:
    ticket = await room.ticket("The crane is slow")
    async with room.board("dispatcher") as page:
        row = row_of(page, "crane")
        await row.get_by_role("button", name="Reassign").click()
        dialog = page.locator("#hand-reassign")
        await expect(dialog).to_be_visible()
        version = await page.evaluate(
            "async (id) => (await (await fetch(`/dispatch/tickets/${id}`)).json()).version", str(ticket)
        )
        client = room.served.client()
        token = room.served.token("dispatcher")
        faster = await client.post(
            f"/dispatch/tickets/{ticket}/assign",
            json={"base_version": version, "person_id": str(EXPERT_D), "reason": "was faster"},
            headers={"authorization": f"Bearer {token}", "accept": "application/json"},
        )
        assert faster.status_code == 200, faster.text
        await dialog.locator("select").select_option(str(JUNIOR_A))
        await dialog.get_by_label("Reason").fill("nearer")
        await dialog.get_by_role("button", name="Assign").click()
        await expect(dialog).to_be_hidden()
        name = next(each.display_name for each in SAMPLE.people if each.id == EXPERT_D)
        await expect(row.locator(".said.bad")).to_contain_text(f"Now: assigned, {name}.")
        await picture(page, "slower")
        assert await engineer_of(room, ticket) == EXPERT_D


async def test_the_keyboard_alone_reassigns(room: Room) -> None:
    ticket = await room.ticket("The oven is dark")
    before = await engineer_of(room, ticket)
    async with room.board() as page:
        row = row_of(page, "oven")
        await row.locator(".title a").focus()
        await page.keyboard.press("r")
        dialog = page.locator("#hand-reassign")
        await expect(dialog).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(row.locator(".title a")).to_be_focused()
        await page.keyboard.press("r")
        await expect(dialog).to_be_visible()
        await dialog.get_by_label("Reason").focus()
        await page.keyboard.type("nearer")
        await page.keyboard.press("Enter")
        await expect(row.locator(".said.good")).to_contain_text("Given to")
        assert await engineer_of(room, ticket) != before


@pytest.mark.parametrize(
    ("locale", "promise", "verb"), [("zh-CN", "到达现场", "改派"), ("en-GB", "Arrive on site", "Reassign")]
)
async def test_a_thumb_reaches_it_on_a_phone(room: Room, locale: str, promise: str, verb: str) -> None:
    title = f"Its title is long, in {locale}, and says that the press is at a stand"
    await room.ticket(title)
    async with room.board(locale=locale, width=360, height=740) as page:
        row = row_of(page, title, promise)
        button = row.get_by_role("button", name=verb)
        await expect(button).to_be_visible()
        assert await button.evaluate("(it) => it.getBoundingClientRect().height") >= 44
        assert await beyond(page) <= 0
        await button.scroll_into_view_if_needed()
        await picture(page, f"phone-{locale}")
        await button.click()
        dialog = page.locator("#hand-reassign")
        await expect(dialog).to_be_visible()
        await picture(page, f"phone-dialog-{locale}")
        assert await dialog.evaluate("(it) => it.scrollWidth <= it.clientWidth")


# Tell leadership.


async def test_leadership_is_told_once_and_the_row_says_when(room: Room) -> None:
    await room.ticket("The furnace is out")
    async with room.board() as page:
        row = row_of(page, "furnace")
        button = row.get_by_role("button", name="Tell leadership")
        dialog = page.locator("#hand-leadership")
        await button.click()
        await expect(dialog.get_by_role("button", name="Tell leadership")).to_be_disabled()
        await expect(dialog.get_by_role("alert")).to_contain_text("No notification channel is there")
        await expect(dialog.locator("[data-reached]")).to_be_hidden()
        await picture(page, "deaf")
        await page.keyboard.press("Escape")
        await room.channel()
        await expect(row.locator(".hands:not([data-deaf])")).to_be_visible()
        await row.locator(".title a").focus()
        await page.keyboard.press("l")
        await expect(dialog).to_be_visible()
        await expect(dialog.get_by_role("button", name="Tell leadership")).to_be_focused()
        await picture(page, "leadership")
        await page.keyboard.press("Enter")
        await expect(row.locator(".said.good")).to_have_text("Leadership is told.")
        await expect(row.locator(".called")).to_contain_text("leadership told")
        await expect(button).to_have_count(0)
        await picture(page, "told")
    async with room.board("dispatcher") as page:
        row = row_of(page, "furnace").or_(row_of(page, "lathe"))
        await expect(row.get_by_role("button", name="Reassign").first).to_be_visible()
        hidden = page.get_by_role("button", name="Tell leadership").locator("visible=true")
        await expect(hidden).to_have_count(0)


# Pause for a reason.


async def test_a_promise_is_paused_with_a_reason_and_counts_again(room: Room) -> None:
    ticket = await room.ticket("The mixer hums")
    async with room.board() as page:
        row = row_of(page, "mixer")
        await row.get_by_role("button", name="Pause").click()
        dialog = page.locator("#hand-pause")
        await dialog.get_by_label("Reason").select_option("site_not_accessible")
        await dialog.get_by_role("button", name="Pause").click()
        await expect(dialog).to_be_visible()  # a pause without a note is none
        await dialog.get_by_label("Note").fill("The gate is locked until Monday")
        await picture(page, "pause")
        await page.keyboard.press("Enter")
        await expect(row.locator(".said.good")).to_have_text("Paused.")
        await expect(row.locator(".pause")).to_contain_text("the site is not accessible – The gate is locked")
        await expect(row).to_have_class(re.compile(r"\bpaused\b"))
        await picture(page, "paused")
        other = row_of(page, "mixer", "Solve the problem")
        await expect(other.get_by_role("button", name="Pause")).to_be_visible()
        await row.locator(".title a").focus()
        await page.keyboard.press("p")
        again = page.locator("#hand-resume")
        await expect(again).to_be_visible()
        await page.keyboard.press("Enter")
        await expect(row.locator(".said.good")).to_have_text("It counts again.")
        await expect(row.get_by_role("button", name="Pause")).to_be_visible()
        await page.goto(f"/sla/subjects/{ticket}")
        proof = page.locator(".proof", has_text="Arrive on site")
        paused = proof.locator("tr.paused")
        await expect(paused).to_contain_text("the site is not accessible: The gate is locked until Monday")
        await expect(paused).to_contain_text("paused by hand by")
        await expect(page.locator(".history")).to_contain_text("counts again, by hand")
        await expect(page.locator(".verdict.good")).to_be_visible()
        await picture(page, "dossier")


async def test_all_promises_stand_until_an_instant_of_the_house(room: Room) -> None:
    await room.ticket("The saw is blunt")
    async with room.board() as page:
        row = row_of(page, "saw")
        await row.get_by_role("button", name="Pause").click()
        dialog = page.locator("#hand-pause")
        await dialog.get_by_label("Note").fill("after the fair")
        noon = (clock.now() + timedelta(days=2)).astimezone(ZONE).replace(hour=12, minute=0)
        await dialog.get_by_label("Until").fill(f"{noon:%Y-%m-%dT%H:%M}")
        await dialog.get_by_label("All promises of this ticket").check()
        await dialog.get_by_role("button", name="Pause").click()
        for promise in ("Arrive on site", "Solve the problem", "Accept the task"):
            await expect(row_of(page, "saw", promise).locator(".pause")).to_contain_text(
                "12:00: the customer"
            )
        await row.get_by_role("button", name="Let it count again").click()
        await page.locator("#hand-resume").get_by_label("All promises of this ticket").check()
        await page.locator("#hand-resume").get_by_role("button", name="Let it count again").click()
        for promise in ("Arrive on site", "Solve the problem", "Accept the task"):
            await expect(row_of(page, "saw", promise).locator(".pause")).to_have_count(0)


async def test_who_pauses_too_late_hears_it_beside_the_row_or_where_it_was(room: Room) -> None:
    ticket = await room.ticket("The pump is loud")
    async with room.board() as page:
        row = row_of(page, "pump")
        dialog = page.locator("#hand-pause")
        await row.get_by_role("button", name="Pause").click()
        await dialog.get_by_label("Note").fill("too late")
        headers = {"authorization": f"Bearer {room.served.token('operations')}", "accept": "application/json"}
        faster = await room.served.client().post(
            f"/sla/clocks/{await row.get_attribute('data-row')}/pause",
            json={"reason": "third_party", "note": "the crane is hired"},
            headers=headers,
        )
        assert faster.status_code == 200, faster.text
        await dialog.get_by_role("button", name="Pause").click()
        await expect(dialog).to_be_hidden()
        await expect(row.locator(".said.bad")).to_contain_text("paused by hand already")
        await expect(row.locator(".pause")).to_contain_text("the crane is hired")
        await row.get_by_role("button", name="Let it count again").click()
        arrived = told_event(EngineerArrived(engineer_id=EXPERT_D), subject=ticket, version=9)
        await Receiver(room.served.database, sla.consumers).receive([arrived], "live")
        await expect(row).to_have_count(0)
        again = page.locator("#hand-resume")
        await again.get_by_role("button", name="Let it count again").click()
        await expect(page.locator("#notice")).to_contain_text("it is met")


async def test_on_a_phone_a_pause_fits_in_both_languages(room: Room) -> None:
    await room.ticket("The drill is dull")
    for locale, verb, promise in (("zh-CN", "暂停", "到达现场"), ("en-GB", "Pause", "Arrive on site")):
        async with room.board(locale=locale, width=360, height=740) as page:
            button = row_of(page, "drill", promise).get_by_role("button", name=verb)
            await button.click()
            dialog = page.locator("#hand-pause")
            await expect(dialog).to_be_visible()
            await picture(page, f"phone-pause-{locale}")
            assert await dialog.evaluate("(it) => it.scrollWidth <= it.clientWidth")
            assert await beyond(page) <= 0
