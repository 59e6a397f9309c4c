"""A history on the operations board, in a real browser: found by keyboard, not taken for today, explained."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, expect

from chaos.databases import empty
from contracts.browsing import beyond, enter
from contracts.clocking import TEN, Desk, clocking
from contracts.hearing import told_event
from contracts.serving import Port
from shared.clock import clock
from shared.events.intake import HistoryHappening, HistoryImported, history_subject
from sla_monitor.replay import actions

SCREENSHOTS = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")
SOURCE = "old-desk"
TICKETS = 60


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str, browser: Browser) -> AsyncIterator[tuple[Desk, Browser]]:
    """The service behind a real port, with an imported history, and a browser."""
    port = Port()
    async with clocking(postgres_url, public_url=port.url) as running, port.serve(running.served):
        await running.receive(*(imported(number) for number in range(TICKETS)))
        yield running, browser


def imported(number: int) -> bytes:
    """Each begins twenty minutes after the one before and is half an hour later; every other is urgent."""
    at = TEN + number * timedelta(minutes=20)
    facts = {
        "severity": ("urgent", "important")[number % 2], "same_city": True,
        "team": ("Pumps", "Cooling", "Drives & 100 % more")[number % 3], "region": "east",
    }  # fmt: skip
    told = [
        {"kind": "dispatch.ticket_assigned", "at": at, "facts": facts},
        {"kind": "dispatch.assignment_accepted", "at": at, "facts": facts},
        {"kind": "dispatch.engineer_arrived", "at": at + number * timedelta(minutes=30), "facts": facts},
    ]
    history = HistoryImported(
        source=SOURCE, ticket=f"T-{number}", happenings=tuple(map(HistoryHappening.model_validate, told))
    )
    return told_event(history, subject=history_subject(SOURCE, f"T-{number}"), version=1, at=clock.now())


@asynccontextmanager
async def signed_in(
    desk: tuple[Desk, Browser], *, locale: str = "en-GB", width: int = 1440, height: int = 900
) -> AsyncIterator[Page]:
    """The live board; nothing may be complained about on any page."""
    running, browser = desk
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    context = await browser.new_context(
        base_url=running.served.settings.public_url,
        locale=locale,
        viewport={"width": width, "height": height},
    )
    context.set_default_timeout(10_000)
    context.on("console", hear)
    page = await context.new_page()
    await enter(page, "/sla/board", running.served.token("operations"))
    yield page
    assert await beyond(page) <= 0
    await context.close()
    assert said == []


async def pictured(page: Page, name: str, *, whole: bool = True) -> None:
    if SCREENSHOTS:
        await page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=whole)


async def judged(desk: tuple[Desk, Browser]) -> None:
    running, _ = desk
    while await running.database.transact(lambda tx: actions.step(tx, clock.now())) is not None:
        pass


async def pick(page: Page, name: str) -> None:
    """Choose what the board looks at, by the keyboard alone."""
    await page.locator(".times summary").focus()
    await page.keyboard.press("Enter")
    way = page.locator(".times a", has_text=name).first
    for _ in range(9):
        await page.keyboard.press("Tab")
        if await way.evaluate("each => each === document.activeElement"):
            break
    await page.keyboard.press("Enter")


@pytest.mark.parametrize(
    ("locale", "width", "judge", "label", "late"),
    [
        ("en-GB", 1440, "Judge it", "History, not live", "+1 day 3 hr"),
        ("zh-CN", 390, "开始评判", "历史数据，非实时", "+1天 3小时"),
    ],
)
async def test_an_imported_history_is_judged_and_looked_at(
    desk: tuple[Desk, Browser], locale: str, width: int, judge: str, label: str, late: str
) -> None:
    running, _ = desk
    await empty(running.admin, "replay, replay_change, replay_clock")
    async with signed_in(desk, locale=locale, width=width) as page:
        await pick(page, SOURCE)
        await page.wait_for_url(f"**/sources/{SOURCE}")
        await pictured(page, f"past-unjudged-{locale}")
        await page.locator("button", has_text=judge).click()
        await page.wait_for_url("**/report")
        await judged(desk)
        await page.locator('a.button[href*="/sla/board/replays/"]').click()
        await expect(page.locator(".past-mark")).to_have_text(label)
        await expect(page.locator(".tile.whole").first).to_contain_text("%")
        await expect(page.locator(".heat").first.locator("tbody tr")).not_to_have_count(0)
        worst = page.locator("li.miss", has_text="T-58").filter(has=page.get_by_text(late, exact=True))
        await expect(worst.locator(".late")).to_have_text(late)
        await pictured(page, f"past-{locale}")
        await worst.locator("a").click()
        await expect(page.locator("h1")).to_have_text("T-58")
        await expect(page.locator(".verdict")).to_contain_text(label.partition("，")[0])
        await pictured(page, f"past-explained-{locale}")


async def test_a_history_neither_sounds_nor_follows_nor_is_remembered(desk: tuple[Desk, Browser]) -> None:
    await replayed(desk)
    async with signed_in(desk) as page:
        await pick(page, SOURCE)
        await page.wait_for_url("**/board/replays/**")
        asked: list[str] = []

        def note(request: Request) -> None:
            asked.append(request.url)

        page.on("request", note)
        await page.locator(".filters summary", has_text="Service centre").click()
        await page.locator(".filters label", has_text="100 %").click()
        await page.locator(".filters details[open] button.primary").click()
        await page.wait_for_url("**team=**")
        await expect(page.locator(".filters summary strong").first).to_have_text("Drives & 100 % more")
        await expect(page.locator("li.miss", has_text="T-56").first).to_be_visible()
        await expect(page.locator("li.miss", has_text="T-58")).to_have_count(0)
        assert not [each for each in asked if "/live" in each.partition("?")[0].rpartition("/")[2]]
        assert await page.locator(".sound, .acknowledge, .pick, [data-feed]").count() == 0
        await page.locator(".times summary").click()
        await page.locator('.times a[href="/sla/board"]').click()
        await page.wait_for_url("**/sla/board")  # without the filters of another time
        await expect(page.locator('[data-live-state="live"]')).to_be_visible()


async def test_a_history_hangs_on_the_wall_and_says_what_it_is(desk: tuple[Desk, Browser]) -> None:
    await replayed(desk)
    async with signed_in(desk, width=1920, height=1080) as page:
        await page.goto(f"/sla/board/sources/{SOURCE}")
        where = page.url
        await page.goto(f"{where}?wall=1")
        await expect(page.locator(".past-mark")).to_be_visible()
        await expect(page.locator(".tools")).to_have_count(0)
        table = await page.locator(".heat").first.bounding_box()
        panel = await page.locator(".heats").bounding_box()
        assert table
        assert panel
        assert table["x"] + table["width"] <= panel["x"] + panel["width"] + 1  # all 24 hours are seen
        await pictured(page, "past-wall", whole=False)


async def replayed(desk: tuple[Desk, Browser]) -> None:
    """All of the source, by the policy in force."""
    running, _ = desk
    await empty(running.admin, "replay, replay_change, replay_clock")
    wanted = actions.Wish(
        policy_version=1, policy=None, against_version=None, calendar=None, source=SOURCE,
        begins=TEN - timedelta(days=9), ends=TEN + timedelta(days=9),
    )  # fmt: skip
    await running.database.transact(lambda tx: actions.ask(tx, "tester", wanted))
    await judged(desk)
