"""Dispatch in a real browser: the live board, the engineer's phone, the customer's letter."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from contracts.browsing import beyond, enter
from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    REPAIRED,
    RND_LEAD,
    SAMPLE,
    SENIOR_C,
    Desk,
    dispatching,
    heard,
    person,
    post,
    times,
)
from contracts.serving import Port
from shared.clock import clock, uuid7
from shared.events.sla import ClockStarted
from shared.http.auth import Role
from shared.i18n import ZONE

PHONE, DESK = 360, 1280


@dataclass
class Room:
    """Dispatch behind a real port, and a browser in front of it."""

    desk: Desk
    browser: Browser
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def page(
        self, *, width: int = DESK, locale: str = "en-GB", zone: str = ZONE.key
    ) -> AsyncIterator[Page]:
        context = await self.browser.new_context(
            base_url=self.desk.served.settings.public_url,
            locale=locale,
            timezone_id=zone,
            viewport={"width": width, "height": 800},
        )
        context.set_default_timeout(10_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        yield await context.new_page()
        await context.close()

    async def open(self, page: Page, path: str, who: UUID, *roles: Role) -> None:
        """Sign in and be at `path`."""
        await enter(page, path, self.desk.token_of(who, *roles))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str, browser: Browser) -> AsyncIterator[Room]:
    port = Port()
    async with dispatching(postgres_url, public_url=port.url) as desk, port.serve(desk.served):
        yield Room(desk, browser)


@pytest_asyncio.fixture
async def room(running: Room) -> AsyncIterator[Room]:
    """After the test, no page may have complained and no promise may be broken."""
    await running.desk.clear()
    await running.desk.put(SAMPLE, 0)
    running.said.clear()
    yield running
    assert running.said == []
    assert await running.desk.violations() == {}


async def no_overflow(page: Page) -> None:
    assert await beyond(page) <= 0, page.url


async def test_the_board_fills_by_itself_and_what_needs_a_decision_is_assigned_on_it(room: Room) -> None:
    async with room.page() as page:
        await room.open(page, "/dispatch/board", DUTY_LEAD_G, "dispatcher")
        await expect(page.locator("[data-live-state=live]")).to_be_visible()
        await expect(page.get_by_text("Nothing is open")).to_be_visible()
        await room.desk.ask("urgent", title="The line stands still")
        request_id = await room.desk.ask("important", title="A crane is needed", skills=("crane",))
        await expect(page.locator("tbody tr")).to_have_count(2)
        await expect(page.locator("tbody tr").first).to_contain_text("A crane is needed")
        await expect(page.locator(".figure.urgent dd")).to_have_text("1")
        await page.locator("tbody tr").first.get_by_role("link", name="Assign").click()
        await page.locator("#person_id").select_option(str(SENIOR_C))
        await page.locator("#assign [name=reason]").fill("Has the licence")
        await page.get_by_role("button", name="Assign", exact=True).click()
        await expect(page.locator(".objections")).to_have_text("Lacks the skills crane")
        await page.get_by_role("button", name="Assign all the same").click()
        await expect(page.get_by_text("By hand: Has the licence")).to_be_visible()
        await expect(page.locator(".timeline")).to_contain_text("in spite of this: Lacks the skills crane")
        assert (await room.desk.ticket(request_id)).engineer_id == SENIOR_C


async def test_the_board_tells_what_is_promised_in_the_readers_own_time(room: Room) -> None:
    """R25: it comes by itself, counts, and names the zone of a reader who lives by another clock."""
    ticket = await room.desk.ticket(await room.desk.ask("urgent"))
    due = clock.now() + timedelta(hours=2)
    promised = {"about": ticket.id, "about_kind": "ticket", "promise": "on_site", "deadline": due}
    there = due.astimezone(ZoneInfo("Asia/Kolkata"))
    async with room.page(zone="Asia/Kolkata") as page:
        await room.open(page, "/dispatch/board", DUTY_LEAD_G, "dispatcher")
        await expect(page.locator("[data-live-state=live]")).to_be_visible()
        await expect(page.locator(".promise")).to_have_count(0)
        await room.desk.receive(heard(ClockStarted(**promised, started_at=clock.now()), uuid7()))
        await expect(page.locator(".promise strong")).to_have_text("Arrive on site")
        await expect(page.locator(".promise .due")).to_have_text(re.compile("^in 1 hr 5[89] min$"))
        await expect(page.locator(".promise .when")).to_have_text(
            re.compile(rf"{there:%H:%M} (IST|GMT\+5:30)$")
        )
        await no_overflow(page)


@pytest.mark.parametrize(
    ("locale", "width", "enter_leave", "away"),
    [("en-GB", DESK, "Enter leave", "away"), ("zh-CN", PHONE, "登记请假", "不在岗")],
)
async def test_leave_is_entered_on_the_page_of_the_people(
    room: Room, locale: str, width: int, enter_leave: str, away: str
) -> None:
    """R24: what somebody has when their leave begins goes to others, with one form."""
    request_id = await room.desk.ask()
    begins = clock.now().astimezone(ZONE) - timedelta(minutes=5)
    async with room.page(width=width, locale=locale) as page:
        await room.open(page, "/dispatch/people/page", DUTY_LEAD_G, "dispatcher")
        await page.locator("summary").filter(has_text=enter_leave).click()
        await page.locator("#leave-person").select_option(str(JUNIOR_A))
        await page.locator("#leave-from").fill(begins.strftime("%Y-%m-%dT%H:%M"))
        await page.locator("#leave-to").fill((begins + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M"))
        await no_overflow(page)
        await page.get_by_role("button", name=enter_leave).click()
        await expect(page.locator("tbody tr").filter(has_text="Sample engineer A")).to_contain_text(away)
        await no_overflow(page)
    assert (await room.desk.ticket(request_id)).engineer_id != JUNIOR_A


@pytest.mark.parametrize(
    ("locale", "width", "button", "waiting", "done"),
    [
        ("en-GB", DESK, "I know of it and look after it", "Not acknowledged yet", "Leadership acknowledged"),
        ("zh-CN", PHONE, "已知悉并跟进", "尚未确认", "领导小组已确认"),
    ],
)
async def test_leadership_acknowledges_with_one_tap(
    room: Room, locale: str, width: int, button: str, waiting: str, done: str
) -> None:
    """R23: the button of the general manager; with the keyboard it is the same tap."""
    ticket = await room.desk.ticket(await room.desk.ask("urgent", title="The line stands still / 产线停机"))
    async with room.page(width=width, locale=locale) as page:
        await room.open(page, f"/dispatch/tickets/{ticket.id}/page", person(21), "operations")
        card = page.locator("section[aria-labelledby=leadership]")
        await expect(card).to_contain_text(waiting)
        await no_overflow(page)
        await card.get_by_role("button", name=button).focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".timeline")).to_contain_text(done)
        await expect(card).not_to_contain_text(waiting)
        await expect(card).to_contain_text("Sample general manager N")
        await expect(card.get_by_role("button")).to_have_count(0)
        await no_overflow(page)


@pytest.mark.parametrize(
    ("locale", "width", "at_it", "done", "nothing"),
    [
        ("en-GB", DESK, "We are at it", "Done", "Nobody waits for you"),
        ("zh-CN", 390, "接手处理", "已完成", "没有人在等您"),
    ],
)
async def test_a_department_does_what_it_is_asked_for(
    room: Room, locale: str, width: int, at_it: str, done: str, nothing: str
) -> None:
    """R37: accepted and done with one click each, and the ticket goes on."""
    request_id = await room.desk.ask(title="The pump leaks / 水泵漏水", product_line="pumps")
    ticket = await room.desk.ticket(request_id)
    engineer = room.desk.acting(ticket.engineer_id, "engineer")
    version = (await post(engineer, ticket.id, "accept", ticket.version))["version"]
    wish = {"department": "rnd", "what": "Which seal fits? / 哪种密封圈合适？", "blocking": True}
    await post(engineer, ticket.id, "tasks", version, **wish, needed_by=times(hours=5)["starts_at"])
    async with room.page(width=width, locale=locale) as page:
        await room.open(page, "/dispatch/tasks", RND_LEAD, "department")
        card = page.locator(".tasks li").first
        await expect(card).to_contain_text("Which seal fits?")
        await no_overflow(page)
        if folder := os.environ.get("PICTURES"):
            await page.screenshot(path=f"{folder}/tasks-{width}.png", full_page=True)
        await card.get_by_role("button", name=at_it).click()
        await expect(card.get_by_role("button", name=at_it)).to_have_count(0)
        await card.get_by_role("link").first.click()
        await expect(page.locator(".timeline")).to_contain_text("Sample R&D lead")
        await no_overflow(page)
        if folder := os.environ.get("PICTURES"):
            await page.screenshot(path=f"{folder}/task-{width}.png", full_page=True)
        await page.locator("#answer").fill("The black one")
        await page.get_by_role("button", name=done).click()
        await expect(page.locator(".timeline")).to_contain_text("The black one")
        await page.goto("/dispatch/tasks")
        await expect(page.get_by_text(nothing)).to_be_visible()
    assert (await room.desk.ticket(request_id)).state == "accepted"


async def test_an_engineer_does_a_job_with_one_thumb(room: Room) -> None:
    request_id = await room.desk.ask("general", title="水泵异响")
    async with room.page(width=PHONE, locale="zh-CN") as page:
        await room.open(page, "/dispatch/app", JUNIOR_A, "engineer")
        card = page.locator(".jobs li").first
        await card.get_by_role("button", name="接单").click()
        await card.get_by_role("link", name="约定上门时间").click()
        begins = (clock.now() + timedelta(hours=2)).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")
        await page.locator("#starts_at").fill(begins)
        await page.get_by_role("button", name="约定", exact=True).click()
        await page.get_by_role("button", name="出发", exact=True).click()
        await page.get_by_role("button", name="到达").click()
        await page.get_by_role("button", name="开始作业").click()
        await expect(page.locator(".ticket-head")).to_contain_text("处理中")
        await no_overflow(page)
        for box in await page.locator("#resolve input[name=items][required]").all():
            await box.check()
        await page.locator("#work_note").fill("更换密封圈")
        await page.locator("#resolve").get_by_role("button", name="完成").click()
        await expect(page.locator(".ticket-head")).to_contain_text("待客户验收")
        await page.goto("/dispatch/app")
        await expect(page.locator(".jobs li")).to_contain_text("待客户验收")
        await no_overflow(page)
    assert (await room.desk.ticket(request_id)).state == "resolved"


async def test_new_work_appears_on_the_phone_and_what_another_tab_did_is_shown(room: Room) -> None:
    async with room.page(width=PHONE) as page:
        await room.open(page, "/dispatch/app", JUNIOR_A, "engineer")
        await expect(page.get_by_text("Nothing to do right now")).to_be_visible()
        request_id = await room.desk.ask("general", title="The valve leaks")
        button = page.locator(".jobs li").get_by_role("button", name="Take the job")
        await expect(button).to_be_visible()
        ticket = await room.desk.ticket(request_id)
        taken = await room.desk.acting(JUNIOR_A, "engineer").post(
            f"/dispatch/tickets/{ticket.id}/accept", json={"base_version": ticket.version}
        )
        assert taken.status_code == 200
        await expect(page.get_by_role("link", name="Agree a visit")).to_be_visible()


async def test_a_customer_says_what_is_not_right_and_later_accepts(room: Room) -> None:
    request_id = await room.desk.ask("general", title="水泵异响")
    ticket = await room.desk.ticket(request_id)
    async with room.page(width=PHONE, locale="zh-CN") as page:
        await page.goto(await _finish(room, ticket.id, ("accept", "depart", "arrive")))
        await expect(page.get_by_text("更换密封圈")).to_be_visible()
        await no_overflow(page)
        await page.get_by_text("没有，还有问题").click()
        await page.locator("#reason").fill("还是漏水")
        await page.get_by_role("button", name="请继续处理").click()
        await expect(page.get_by_role("heading")).to_have_text("我们会继续处理")
        await page.goto(await _finish(room, ticket.id, ("depart", "arrive")))
        await page.get_by_role("button", name="是的，验收通过").click()
        await expect(page.get_by_role("heading")).to_have_text("谢谢您")
    assert (await room.desk.names(ticket.id))[-2:] == ["result_accepted", "ticket_closed"]


async def _finish(room: Room, ticket_id: UUID, steps: tuple[str, ...]) -> str:
    """Do the job; the link that the customer gets."""
    engineer = room.desk.acting(JUNIOR_A, "engineer")
    for step in (*steps, "resolve"):
        version = (await engineer.get(f"/dispatch/tickets/{ticket_id}")).json()["version"]
        note = {"work_note": "更换密封圈", "items": REPAIRED} if step == "resolve" else {}
        body = {"base_version": version, **note}
        answer = await engineer.post(f"/dispatch/tickets/{ticket_id}/{step}", json=body)
        assert answer.status_code == 200, answer.text
    return await room.desk.link_to(ticket_id)


async def test_the_pages_fit_a_phone_in_both_languages(room: Room) -> None:
    request_id = await room.desk.ask("urgent", title="The whole production line stands still: " + "x" * 60)
    ticket = await room.desk.ticket(request_id)
    for locale in ("zh-CN", "en-GB"):
        async with room.page(width=PHONE, locale=locale) as page:
            await room.open(page, "/dispatch/board", DUTY_LEAD_G, "dispatcher")
            await expect(page.locator("[data-live-state=live]")).to_be_visible()
            await no_overflow(page)
            await page.goto(f"/dispatch/tickets/{ticket.id}/page")
            await no_overflow(page)


@pytest.mark.parametrize(
    ("locale", "said", "button"),
    [("en-GB", "the visit must lie ahead", "Agree"), ("zh-CN", "上门时间必须在将来", "约定")],
)
async def test_what_is_wrong_with_a_visit_stands_beside_its_field(
    room: Room, locale: str, said: str, button: str
) -> None:
    ticket = await room.desk.ticket(await room.desk.ask("important", title="The line stands still"))
    assert ticket.engineer_id
    async with room.page(width=PHONE, locale=locale) as page:
        path = f"/dispatch/tickets/{ticket.id}/page"
        await room.open(page, path, ticket.engineer_id, "engineer")
        await page.locator("form:has([value=accept]) button").first.click()
        form = page.locator("#agree_visit form")
        starts = form.locator("[name=starts_at]")
        await starts.fill("2020-01-02T09:00")
        await form.locator("button").click()
        await expect(form.locator(".field:has([name=starts_at]) .error")).to_have_text(said)
        await expect(page.locator("#notice")).to_be_hidden()
        await expect(starts).to_be_focused()
        if at := os.environ.get("AFTERCARE_TEST_SCREENSHOTS"):
            await page.screenshot(path=f"{at}/visit-{locale}.png")
        await no_overflow(page)
        room.said.clear()  # the browser itself notes the 422


@pytest.mark.parametrize(
    ("locale", "width", "summary", "said", "told"),
    [
        ("en-GB", DESK, "Tell the customer how it goes", "write it without telephone", "Customer informed"),
        ("zh-CN", 390, "告知客户进展", "请去掉电话号码", "已告知客户"),
    ],
)
async def test_the_customer_is_told_by_keyboard(
    room: Room, locale: str, width: int, summary: str, said: str, told: str
) -> None:
    """R62: the engineer tells how it goes from the ticket; what is wrong with it stands beside it."""
    ticket = await room.desk.ticket(
        await room.desk.ask("important", title="The line stands still / 产线停机")
    )
    assert ticket.engineer_id
    at = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")
    async with room.page(width=width, locale=locale) as page:
        await room.open(page, f"/dispatch/tickets/{ticket.id}/page", ticket.engineer_id, "engineer")
        await page.get_by_text(summary).focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.locator("#text")).to_be_focused()
        await page.keyboard.type("13800000000")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator(".field:has([name=text]) .error")).to_contain_text(said)
        await no_overflow(page)
        if at:
            await page.screenshot(path=f"{at}/inform-{locale}.png", full_page=True)
        await expect(page.locator("#text")).to_be_focused()
        await page.locator("#text").fill("备件明天到 / The part comes tomorrow")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator(".timeline li").first).to_contain_text(told)
        await expect(page.locator(".timeline li").first).to_contain_text("备件明天到")
        await no_overflow(page)
        if at:
            await page.screenshot(path=f"{at}/informed-{locale}.png", full_page=True)
    room.said.clear()  # the browser itself notes the 422
