"""Replays in a real browser: asked for by a form, watched while they run, read in both languages."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from contracts.browsing import beyond, enter
from contracts.clocking import TEN, Desk, clocking
from contracts.hearing import told_event
from contracts.serving import Port
from shared.clock import clock
from shared.events.intake import HistoryHappening, HistoryImported, history_subject
from sla_monitor.policies.rules import Wall
from sla_monitor.policies.shipped import SHIPPED
from sla_monitor.replay import actions

SCREENSHOTS = os.environ.get("AFTERCARE_TEST_SCREENSHOTS")
TICKETS = 60


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str, browser: Browser) -> AsyncIterator[tuple[Desk, Browser]]:
    """The service behind a real port, with an imported history, and a browser."""
    port = Port()
    async with clocking(postgres_url, public_url=port.url) as running, port.serve(running.served):
        await running.receive(*(imported(number) for number in range(TICKETS)))
        yield running, browser


def imported(number: int) -> bytes:
    dice = random.Random(number)
    at = TEN + dice.random() * timedelta(hours=14)
    facts = {
        "severity": dice.choice(["urgent", "important"]), "same_city": True,
        "team": dice.choice(["Pumps", "Cooling", "Drives"]), "region": dice.choice(["east", "north"]),
    }  # fmt: skip
    told = [
        {"kind": "dispatch.ticket_assigned", "at": at, "facts": facts},
        {"kind": "dispatch.engineer_arrived", "at": at + dice.random() * timedelta(hours=3), "facts": facts},
    ]
    history = HistoryImported(
        source="old-desk",
        ticket=f"T-{number}",
        happenings=tuple(map(HistoryHappening.model_validate, told)),
    )
    return told_event(history, subject=history_subject("old-desk", f"T-{number}"), version=1, at=clock.now())


def stricter() -> str:
    """A draft that allows half an hour to be on site."""
    half = Wall(length=timedelta(minutes=30), requirement="R54")
    promises = tuple(
        each.model_copy(
            update={"cases": tuple(case.model_copy(update={"target": half}) for case in each.cases)}
        )
        if each.code == "on_site"
        else each
        for each in SHIPPED.promises
    )
    return SHIPPED.model_copy(update={"promises": promises}).model_dump_json()


async def signed_in(desk: Desk, page: Page) -> None:
    await enter(page, "/sla/replays", desk.served.token("operations"))


async def pictured(page: Page, name: str) -> None:
    if SCREENSHOTS:
        await page.screenshot(path=f"{SCREENSHOTS}/{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("locale", "width", "done"),
    [("en-GB", 1280, "done"), ("zh-CN", 1280, "已完成"), ("zh-CN", 390, "已完成")],
)
async def test_a_replay_is_asked_for_watched_and_read(
    desk: tuple[Desk, Browser], locale: str, width: int, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "STEP", TICKETS // 2)
    running, browser = desk
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    context = await browser.new_context(
        base_url=running.served.settings.public_url, locale=locale, viewport={"width": width, "height": 900}
    )
    context.set_default_timeout(10_000)
    context.on("console", hear)
    page = await context.new_page()
    await signed_in(running, page)
    await page.locator("#policy").select_option("draft")
    await page.locator("details.draft summary").click()
    await page.locator("#draft").fill(stricter())
    await page.locator("#source").select_option("old-desk")
    await page.locator("#begins").fill("2026-11-01")
    await page.locator("#ends").fill("2026-11-30")
    await pictured(page, f"replay-form-{locale}-{width}")
    await page.locator("form.asking button.primary").click()
    await page.wait_for_url("**/report")
    await expect(page.locator(".advance progress")).to_have_attribute("value", "0")
    await step(running)
    await expect(page.locator(".advance progress")).to_have_attribute("value", str(TICKETS // 2))
    await step(running)
    await step(running)
    await expect(page.locator(".chip.good", has_text=done).first).to_be_visible()
    await expect(page.locator(".advance")).to_have_count(0)
    await expect(page.locator(".heat").first).to_contain_text("Pumps")
    await expect(page.locator(".why li").first).to_be_visible()
    assert await beyond(page) <= 0
    await pictured(page, f"replay-report-{locale}-{width}")
    await context.close()
    assert said == []


async def step(desk: Desk) -> None:
    await desk.database.transact(lambda tx: actions.step(tx, clock.now()))
