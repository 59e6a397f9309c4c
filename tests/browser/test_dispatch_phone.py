"""An engineer in a cellar: the phone shows the work without a network, keeps what is done, sends it once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, FilePayload, Page, Route, expect

from chaos.proxy import FaultProxy
from contracts.browsing import beyond, enter
from contracts.dispatching import DUTY_LEAD_G, JUNIOR_A, JUNIOR_B, SAMPLE, Desk, dispatching, heard, post
from contracts.photos import UPRIGHT, corners, taken
from contracts.serving import Port
from shared.clock import clock, uuid7
from shared.events.parts import PartsReserved
from shared.events.sla import ClockStarted
from shared.events.terms import PartLine

APP = "/dispatch/app"
KEPT = """async (wanted) => {
  const pages = await caches.open("aftercare-pages");
  while ((await pages.keys()).length < wanted) await new Promise((look) => setTimeout(look, 50));
}"""
"""Not `wait_for_function`: it evaluates text, which our pages forbid."""


AGED = """async (then) => {
  const pages = await caches.open("aftercare-pages");
  const kept = await pages.match("/dispatch/app");
  const text = (await kept.text()).replace(/data-now="[^"]*"/, `data-now="${then}"`);
  await pages.put("/dispatch/app", new Response(text, { headers: kept.headers }));
}"""
"""The list as if it had been kept `then`."""


class Phones:
    """Dispatch behind a network that can go away, and phones of its engineers."""

    def __init__(self, desk: Desk, browser: Browser, network: FaultProxy) -> None:
        self.desk, self.browser, self.network = desk, browser, network

    @asynccontextmanager
    async def phone(self, who: UUID, pages: int = 2) -> AsyncIterator[tuple[BrowserContext, Page]]:
        """Signed in, with `pages` kept for when there is no network."""
        address = self.desk.served.settings.public_url
        context = await self.browser.new_context(
            base_url=address, locale="en-GB", viewport={"width": 390, "height": 844}
        )
        context.set_default_timeout(20_000)
        page = await context.new_page()
        await enter(page, APP, self.desk.token_of(who, "engineer"))
        await page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        await page.reload()
        async with asyncio.timeout(30):
            await page.evaluate(KEPT, pages)
        try:
            yield context, page
        finally:
            await context.close()


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str, browser: Browser) -> AsyncIterator[Phones]:
    port = Port()
    async with FaultProxy("127.0.0.1", int(port.url.rpartition(":")[2]), seed=1) as network:
        public_url = f"http://127.0.0.1:{network.port}"
        async with dispatching(postgres_url, public_url=public_url) as desk, port.serve(desk.served):
            yield Phones(desk, browser, network)


@pytest_asyncio.fixture
async def phones(running: Phones) -> AsyncIterator[Phones]:
    await running.desk.clear()
    await running.desk.put(SAMPLE, 0)
    yield running
    running.network.heal()
    assert await running.desk.violations() == {}


async def urgent_job(desk: Desk) -> Any:
    """A ticket that one sets off for without agreeing a time first; its row."""
    return await desk.ticket(await desk.ask("urgent"))


async def is_at(desk: Desk, ticket: Any, state: str) -> None:
    now = await desk.ticket(ticket.request_id)
    assert now.state == state


async def test_a_job_is_done_from_the_first_tap_to_the_last_without_a_network(phones: Phones) -> None:
    ticket = await urgent_job(phones.desk)
    async with phones.phone(ticket.engineer_id) as (_, page):
        phones.network.refuse()
        phones.network.reset()
        await page.reload()  # as if the phone had been put away meanwhile
        for button in ("Take the job", "Set off", "I have arrived", "Begin the work"):
            await page.get_by_role("button", name=button).click()
        await expect(page.get_by_text("not sent yet: 4").first).to_be_visible()
        await page.get_by_role("link", name="Finish the job").click()
        await page.locator("#work_note").fill("Seal replaced in the cellar")
        for box in await page.locator("#resolve input[name=items][required]").all():
            await box.check()
        await page.get_by_role("button", name="Finished").click()
        await expect(page.get_by_text("not sent yet: 5").first).to_be_visible()
        await is_at(phones.desk, ticket, "assigned")

        phones.network.heal()
        await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(page.get_by_text("With the customer for acceptance")).to_be_visible()
        await expect(page.locator("#phone")).to_be_hidden()
    await is_at(phones.desk, ticket, "resolved")


async def test_a_kept_page_counts_by_what_the_time_is_not_by_when_it_was_kept(phones: Phones) -> None:
    """R25: an hour in a cellar is an hour less."""
    ticket = await urgent_job(phones.desk)
    due = clock.now() + timedelta(minutes=103)
    promised = {"about": ticket.id, "about_kind": "ticket", "promise": "on_site", "deadline": due}
    await phones.desk.receive(heard(ClockStarted(**promised, started_at=clock.now()), uuid7()))
    async with phones.phone(ticket.engineer_id) as (_, page):
        await page.evaluate(AGED, (clock.now() - timedelta(hours=1)).isoformat())
        phones.network.refuse()
        phones.network.reset()
        await page.reload()
        await expect(page.locator("html[data-kept]")).to_have_count(1)
        await expect(page.locator(".due-next strong")).to_have_text("Arrive on site")
        await expect(page.locator(".due-next .due")).to_have_text(re.compile(r"^in 1 hr (3\d|4[0-2]) min$"))
        assert await beyond(page) <= 0


async def test_two_phones_of_one_engineer_that_were_both_away_agree_in_the_end(phones: Phones) -> None:
    ticket = await urgent_job(phones.desk)
    async with (
        phones.phone(ticket.engineer_id) as (first, one),
        phones.phone(ticket.engineer_id) as (second, two),
    ):
        for context, page in ((first, one), (second, two)):
            await context.set_offline(True)
            await expect(page.get_by_text("No network.")).to_be_visible()
            await page.get_by_role("button", name="Take the job").click()
            await page.get_by_role("button", name="Set off").click()
        await two.get_by_role("button", name="I have arrived").click()
        await second.set_offline(False)
        await expect(two.locator("#phone")).to_be_hidden()
        await first.set_offline(False)
        await expect(one.locator("#phone")).to_be_hidden()
        assert await one.locator("[data-conflict]").count() == 0
    await is_at(phones.desk, ticket, "on_site")


async def test_a_job_that_went_to_somebody_else_meanwhile_is_shown_as_a_conflict(phones: Phones) -> None:
    ticket = await phones.desk.ticket(await phones.desk.ask())
    other = JUNIOR_B if ticket.engineer_id == JUNIOR_A else JUNIOR_A
    async with phones.phone(ticket.engineer_id) as (context, page):
        await context.set_offline(True)
        await page.get_by_role("button", name="Take the job").click()
        lead = phones.desk.acting(DUTY_LEAD_G, "dispatcher")
        await post(lead, ticket.id, "assign", ticket.version, person_id=str(other), reason="is there already")
        await context.set_offline(False)
        card = page.locator("[data-conflict]")
        await expect(card).to_contain_text("Take the job")
        await expect(card).to_contain_text("not yours to see")
        await card.get_by_role("button", name="Seen, let it be").click()
        await expect(card).to_have_count(0)
    now = await phones.desk.ticket(ticket.request_id)
    assert now.engineer_id == other


async def at_work(desk: Desk) -> Any:
    """An urgent ticket whose engineer has begun to work; its row."""
    ticket = await urgent_job(desk)
    engineer, version = desk.acting(ticket.engineer_id, "engineer"), ticket.version
    for step in ("accept", "depart", "arrive", "begin"):
        version = (await post(engineer, ticket.id, step, version))["version"]
    return await desk.ticket(ticket.request_id)


async def draw(page: Page) -> None:
    """Two strokes with a finger."""
    sheet = page.locator("[data-sheet]")
    await sheet.scroll_into_view_if_needed()
    box = await sheet.bounding_box()
    assert box is not None
    for stroke in ([(0.1, 0.6), (0.3, 0.2), (0.5, 0.7)], [(0.55, 0.5), (0.9, 0.4)]):
        (x, y), *rest = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in stroke]
        await page.mouse.move(x, y)
        await page.mouse.down()
        for x, y in rest:
            await page.mouse.move(x, y, steps=5)
        await page.mouse.up()


async def photograph(page: Page) -> None:
    await page.locator("#photo_caption").fill("The seal")
    photo: FilePayload = {"name": "seal.jpg", "mimeType": "image/jpeg", "buffer": taken(orientation=6)}
    await page.locator("[data-camera]").last.set_input_files(photo)
    await expect(page.locator("[data-queue] img")).to_have_count(1)


async def sign(page: Page) -> None:
    """What was done is written down first: it is what the customer signs."""
    await page.get_by_text("Let the customer sign").click()
    await page.get_by_role("button", name="Keep the signature").click()
    await expect(page.locator("[data-trouble]")).to_contain_text("what was done")
    await page.locator("#work_note").fill("Seal replaced in the cellar")
    await page.locator("#signer").fill("Wang Fang")
    await draw(page)
    await page.get_by_role("button", name="Keep the signature").click()
    await expect(page.locator("[data-queue] li")).to_have_count(2)


async def finish(page: Page) -> None:
    for box in await page.locator("#resolve input[name=items][required]").all():
        await box.check()
    await page.get_by_role("button", name="Finished").click()


async def lose_answers(page: Page) -> list[str]:
    """The first answer to each photo and signature is lost on its way; to which ones it was."""
    lost: list[str] = []

    async def lose(route: Route) -> None:
        if route.request.url in lost:
            await route.continue_()
        else:
            await route.fetch()
            lost.append(route.request.url)
            await route.abort()

    for pattern in ("**/photos/*", "**/signatures/*"):
        await page.route(pattern, lose)
    return lost


async def test_photos_and_a_signature_wait_on_the_phone_and_arrive_once(phones: Phones) -> None:
    """R28, R33: the phone is put away in between, and the first answers are lost."""
    ticket = await at_work(phones.desk)
    here = f"/dispatch/tickets/{ticket.id}/page"
    async with phones.phone(ticket.engineer_id) as (context, page):
        phones.network.refuse()
        phones.network.reset()
        await page.goto(here)
        await photograph(page)
        await sign(page)
        await expect(page.locator("#phone")).to_contain_text(
            "Photos, signatures and parts not sent yet: 2 (0.1 MB)"
        )
        await finish(page)
        await expect(page.locator("#phone")).to_contain_text("Kept on this phone, not sent yet: 1")
        await page.close()

        page = await context.new_page()
        lost = await lose_answers(page)
        phones.network.heal()
        await page.goto("/dispatch/app")
        for _ in range(3):  # a lost answer is asked for again after a while, or when a network comes
            await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(page.locator("#phone")).to_be_hidden()
        assert len(lost) == 2
        await page.unroute_all()
        await page.goto(here)
        await expect(page.locator("#shown .photos img")).to_have_count(1)
        await expect(page.locator("#shown svg.signature")).to_have_count(1)
        await expect(page.locator("#shown")).to_contain_text("Wang Fang")
        assert await beyond(page) <= 0
    await is_at(phones.desk, ticket, "resolved")
    [photo] = await phones.desk.rows("SELECT * FROM photo")
    [signature] = await phones.desk.rows("SELECT * FROM signature")
    assert corners(photo.content) == UPRIGHT
    assert signature.work_note == "Seal replaced in the cellar"


async def test_parts_that_were_built_in_are_booked_when_the_phone_is_back(phones: Phones) -> None:
    """R73: two of three, the rest goes back; the parts desk hears it once."""
    ticket = await at_work(phones.desk)
    held, requisition = (PartLine(part_number="SEAL-2", quantity=3),), uuid7()
    until = clock.now() + timedelta(days=1)
    reserved = PartsReserved(ticket_id=ticket.id, warehouse="SH-1", lines=held, held_until=until)
    await phones.desk.receive(heard(reserved, requisition, 4))
    async with phones.phone(ticket.engineer_id) as (_, page):
        asked: list[Any] = []

        async def desk(route: Route) -> None:
            """The parts desk, which does not answer at first."""
            request = route.request
            asked.append((request.url.rpartition("/parts/")[2], request.post_data_json, request.headers))
            await (route.abort() if len(asked) == 1 else route.fulfill(json={}))

        await page.route("**/parts/requisitions/**", desk)
        phones.network.refuse()
        phones.network.reset()
        await page.goto(f"/dispatch/tickets/{ticket.id}/page")
        await page.get_by_label("SEAL-2 built in").fill("2")
        await page.get_by_role("button", name="Book: the rest goes back").click()
        await expect(page.locator("[data-queue]")).to_contain_text("Parts built in: SEAL-2 × 2")
        await expect(page.get_by_role("button", name="Book: the rest goes back")).to_be_hidden()
        phones.network.heal()
        for _ in range(2):
            await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(page.locator("#phone")).to_be_hidden()
    [(path, body, first), (_, _, again)] = asked
    assert path == f"requisitions/{requisition}/use"
    assert body == {"lines": [{"part_number": "SEAL-2", "quantity": 2}]}
    assert first["if-match"] == '"4"'
    assert first["idempotency-key"] == again["idempotency-key"]
