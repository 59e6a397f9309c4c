"""The dispatch board in a browser: by drag, by keyboard alone, by touch; what others do appears on it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from contracts.browsing import BOXES, beyond, enter
from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    JUNIOR_A,
    JUNIOR_B,
    LEADER_E,
    SAMPLE,
    SENIOR_C,
    SUPERVISOR_F,
    Desk,
    dispatching,
    heard,
    post,
    times,
)
from contracts.serving import Port
from dispatch.organisation.rules import Organisation
from dispatch.promises.store import save_clocks
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events.parts import PartsShort
from shared.events.terms import PartLine


@dataclass
class Room:
    """Dispatch behind a real port, and a browser in front of it."""

    desk: Desk
    browser: Browser
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def board(
        self, *, width: int = 1280, locale: str = "en-GB", touch: bool = False
    ) -> AsyncIterator[Page]:
        """The board as the duty lead sees it, live."""
        context = await self.browser.new_context(
            base_url=self.desk.served.settings.public_url,
            locale=locale,
            viewport={"width": width, "height": 900},
            has_touch=touch,
        )
        context.set_default_timeout(15_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        page = await context.new_page()
        await enter(page, "/dispatch/board?centre=shanghai", self.desk.token_of(DUTY_LEAD_G, "dispatcher"))
        await expect(page.locator("[data-live-state=live]")).to_be_visible()
        yield page
        await context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)

    async def waiting(self, severity: str = "general", **changes: Any) -> Any:
        """A ticket that nobody could be found for: its skill is nobody's."""
        return await self.desk.ticket(await self.desk.ask(severity, skills=("juggling",), **changes))

    async def learns(self, who: UUID) -> None:
        """Somebody can do what nobody could."""
        told = SAMPLE.model_dump(mode="json")
        for each in told["people"]:
            each["skills"] += ["juggling"] if each["id"] == str(who) else []
        await self.desk.put(Organisation.model_validate_json(json.dumps(told)), 1)

    async def gives(self, ticket: Any, who: UUID) -> None:
        """Another dispatcher is faster."""
        async with self.desk.acting("desk.2", "dispatcher") as client:
            order = {"person_id": str(who), "reason": "was faster", "despite": ["lacks_skills"]}
            await post(client, ticket.id, "assign", ticket.version, **order)


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


def card(page: Page, ticket: Any) -> Locator:
    return page.locator(f'.queue [data-ticket="{ticket.id}"]')


def lane(page: Page, who: UUID) -> Locator:
    return page.locator(f'.lane[data-person="{who}"]')


async def middle(of: Locator) -> tuple[float, float]:
    await expect(of).to_be_visible()
    [box] = await of.evaluate_all(BOXES)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def test_a_ticket_is_dragged_to_an_engineer(room: Room) -> None:
    """And what a drop means is said before it is done: what speaks against it is confirmed (R38)."""
    ticket = await room.waiting("important", title="A crane is needed")
    async with room.board() as page:
        await expect(card(page, ticket)).to_contain_text("Needs a decision")
        await page.mouse.move(*await middle(card(page, ticket)))
        await page.mouse.down()
        await page.mouse.move(*await middle(lane(page, SENIOR_C).locator(".who")), steps=4)
        await expect(page.locator(".ghost")).to_have_text("A crane is needed")
        await expect(lane(page, SENIOR_C).locator("[data-verdict]")).to_have_text(
            "Refused: Lacks the skills juggling"
        )
        await page.mouse.up()
        dialog = page.locator("#assign")
        await expect(dialog).to_be_visible()
        await expect(dialog.locator(".objections")).to_have_text("Lacks the skills juggling")
        await expect(dialog.get_by_label("Reason")).to_have_value("Chosen on the board all the same")
        await dialog.get_by_label("Reason").fill("Has the licence")
        await dialog.get_by_role("button", name="Assign").click()
        await expect(dialog).to_be_visible()  # nothing is done before it is said that one knows
        assert (await room.desk.ticket(ticket.request_id)).engineer_id is None
        await dialog.get_by_label("I know it").check()
        await dialog.get_by_role("button", name="Assign").click()
        await expect(dialog).to_be_hidden()
        await expect(card(page, ticket)).to_have_count(0)
        await expect(lane(page, SENIOR_C)).to_contain_text(f"No. {ticket.number}")
        await expect(lane(page, SENIOR_C).locator("[data-engineer]")).to_be_focused()
    given = await room.desk.ticket(ticket.request_id)
    assert given.engineer_id == SENIOR_C
    [*_, (_, _, event)] = await room.desk.told(given.id)
    assert [each["rule"] for each in event["reasons"]][-2:] == ["by_hand", "despite_lacks_skills"]


async def test_the_keyboard_alone_gives_a_ticket_to_somebody(room: Room) -> None:
    """From the list to the engineers with Enter, along them with the arrows, Escape gives it back."""
    ticket = await room.waiting("important", title="The oven is dark")
    await room.learns(SUPERVISOR_F)
    async with room.board() as page:
        await card(page, ticket).focus()
        await page.keyboard.press("Enter")
        focused = page.locator(".lane [data-engineer]:focus")
        await expect(focused).to_have_count(1)
        await expect(page.locator("[data-announce]")).to_contain_text(f"No. {ticket.number} is chosen")
        await page.keyboard.press("Escape")
        await expect(card(page, ticket)).to_be_focused()
        await expect(page.locator(".fit")).to_be_hidden()
        await page.keyboard.press("Enter")
        await expect(focused).to_have_count(1)
        await page.keyboard.press("End")
        for _ in range(12):
            if await lane(page, SUPERVISOR_F).locator("[data-engineer]:focus").count():
                break
            await page.keyboard.press("ArrowUp")
        await expect(lane(page, SUPERVISOR_F).locator("[data-engineer]")).to_be_focused()
        await page.keyboard.press("Enter")
        dialog = page.locator("#assign")
        await expect(dialog.get_by_role("button", name="Assign")).to_be_focused()
        offered = re.compile(r"^Chosen on the board: Fits, there .*\d\d$")
        await expect(dialog.get_by_label("Reason")).to_have_value(offered)
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_hidden()
        await expect(page.locator("[data-announce]")).to_contain_text("is given to")
    assert (await room.desk.ticket(ticket.request_id)).engineer_id == SUPERVISOR_F


async def test_every_engineer_has_a_verdict_of_each_kind(room: Room) -> None:
    busy = await room.desk.ticket(await room.desk.ask("urgent", title="Somewhere else"))
    async with room.desk.acting(busy.engineer_id, "engineer") as engineer:
        accepted = await post(engineer, busy.id, "accept", busy.version)
        await post(engineer, busy.id, "visits", accepted["version"], **times(hours=0.1, length=3))
    ticket = await room.desk.ticket(await room.desk.ask("important", title="The line stands still"))
    await promise(room.desk, ticket.id, clock.now() + timedelta(hours=2))
    async with room.board() as page:
        await page.locator(f'.lane [data-ticket="{ticket.id}"]').first.click()
        await verdicts(
            page,
            {
                SUPERVISOR_F: "Fits",
                busy.engineer_id: "late",
                JUNIOR_A: "Refused: Below the tier",
                ticket.engineer_id: "Has it already",
            },
        )
        await expect(page.locator(".fit .sum")).to_contain_text("fit")
        await page.locator(".fit summary").click()
        reasons = page.locator(".fit tbody tr")
        await expect(reasons.first).to_contain_text("Open tickets: ")
        await expect(page.locator(".fit")).to_contain_text(
            "Important: a senior engineer"
        )  # the decision made
        missing = (PartLine(part_number="P", quantity=1),)
        short = PartsShort(ticket_id=ticket.id, missing=missing)
        await room.desk.receive(heard(short, uuid7()))
        await page.keyboard.press("Escape")
        await page.locator(f'.lane [data-ticket="{ticket.id}"]').first.click()
        await verdicts(page, {SUPERVISOR_F: "Lacks parts", JUNIOR_B: "Refused"})
        assert await beyond(page) <= 0


async def verdicts(page: Page, said: dict[UUID, str]) -> None:
    for who, words in said.items():
        await expect(lane(page, who).locator("[data-verdict]")).to_contain_text(words)


async def promise(desk: Desk, ticket_id: UUID, due_at: datetime) -> None:
    row = {"id": uuid7(), "ticket_id": ticket_id, "code": "on_site", "due_at": due_at}

    async def put(tx: Tx) -> None:
        await save_clocks(tx, [{**row, "state": "running", "version": 1}])

    await desk.database.transact(put)


async def test_what_others_do_appears_during_a_drag_and_disturbs_nothing(room: Room) -> None:
    """Who was slower is told how it is now; what they wrote stays, and they may decide anew."""
    ticket = await room.waiting(title="A crane is needed")
    async with room.board() as page:
        await page.mouse.move(*await middle(card(page, ticket)))
        await page.mouse.down()
        await page.mouse.move(*await middle(lane(page, JUNIOR_A).locator(".who")), steps=3)
        await expect(page.locator(".ghost")).to_be_visible()
        new = await room.waiting(title="Another one")
        await expect(card(page, new)).to_be_visible()
        await expect(page.locator(".ghost")).to_be_visible()
        await page.mouse.up()
        dialog = page.locator("#assign")
        await expect(dialog).to_be_visible()
        await dialog.get_by_label("Reason").fill("Is around the corner")
        await dialog.get_by_label("I know it").check()
        await room.gives(ticket, EXPERT_D)
        await expect(card(page, ticket)).to_have_count(0)  # live, behind the dialog
        await expect(lane(page, EXPERT_D)).to_contain_text(f"No. {ticket.number}")
        await dialog.get_by_role("button", name="Assign").click()
        told = dialog.locator(".faster")
        await expect(told).to_contain_text("Somebody was faster.")
        await expect(told).to_contain_text("Sample expert D")
        await expect(dialog.get_by_label("Reason")).to_have_value("Is around the corner")
        assert (await room.desk.ticket(ticket.request_id)).engineer_id == EXPERT_D
        await dialog.get_by_label("I know it").check()
        await dialog.get_by_role("button", name="Assign").click()
        await expect(dialog).to_be_hidden()
        await expect(lane(page, JUNIOR_A)).to_contain_text(f"No. {ticket.number}")
    assert (await room.desk.ticket(ticket.request_id)).engineer_id == JUNIOR_A
    room.said.clear()  # the browser itself notes the 409


async def test_two_taps_on_a_phone_in_chinese(room: Room) -> None:
    ticket = await room.waiting("important", title="整条产线停机 " + "x" * 40)
    await room.learns(LEADER_E)
    async with room.board(width=390, locale="zh-CN", touch=True) as page:
        assert await beyond(page) <= 0
        await card(page, ticket).tap()
        await expect(lane(page, JUNIOR_A).locator("[data-verdict]")).to_contain_text("不合适")
        assert await beyond(page) <= 0
        await lane(page, LEADER_E).locator("[data-engineer]").tap()
        dialog = page.locator("#assign")
        await expect(dialog).to_be_visible()
        assert await beyond(page) <= 0
        await dialog.get_by_role("button", name="指派").tap()
        await expect(dialog).to_be_hidden()
    assert (await room.desk.ticket(ticket.request_id)).engineer_id == LEADER_E
