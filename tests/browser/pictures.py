"""`make pictures`: the README's pictures, of every page, taken from a suite of its own and its sample day."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

import httpx
from playwright.async_api import Browser, async_playwright

from allinone import histories, sample, whatif
from allinone.installation import RECORD
from allinone.visitor import Visitor, until
from localservers.loopback import free_ports
from shared.clock import clock
from shared.db import Database
from shared.http.auth import Role
from shared.settings import Settings, load

CHROMIUM: Final = "/usr/bin/chromium"
FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
EXAMPLES: Final = FOLDER.parent / "examples"
PLAYED: Final = b"A sample day has been played"
WIDE, PHONE, SCREEN = (
    {"width": width, "height": height} for width, height in ((1280, 800), (400, 720), (1920, 1080))
)
SETTLING: Final = 1500  # milliseconds for fonts, the live stream and the counting clocks


@dataclass(frozen=True, slots=True)
class View:
    """One picture: who sees what, on which screen."""

    name: str
    path: str
    role: Role | None
    size: dict[str, int]
    locale: str = "en-GB"


@asynccontextmanager
async def suite(folder: Path) -> AsyncIterator[Settings]:
    """`aftercare run` in `folder`, its sample day played."""
    [port] = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("aftercare"),
        "run",
        cwd=folder,
        env={**os.environ, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if PLAYED in line:
                break
        os.environ.update(json.loads((folder / ".aftercare" / RECORD).read_text()))
        settings = load("intake")
        database = Database("intake", str(settings.database_url), pool_size=1)
        await clock.sync(database.time)
        await database.close()
        yield settings
    finally:
        process.terminate()
        await process.wait()


async def views(settings: Settings) -> list[View]:
    """Every page, with what the sample day left on it."""
    async with httpx.AsyncClient(base_url=settings.public_url, trust_env=False) as client:
        visitor = Visitor(client, settings)
        asked = await visitor.ask("水泵漏水，压力不足。", "east", "shanghai", "+8613800000009")
        ticket = await visitor.ticket_of(asked)
        await visitor.repair(ticket["id"], clock.now())
        accept = await visitor.link(asked, "please_accept")
        rated = await visitor.ask("换滤芯", "east", "shanghai", "+8613800000010")
        await visitor.repair((await visitor.ticket_of(rated))["id"], clock.now())
        await visitor.press(await visitor.link(rated, "please_accept"), verdict="accept")
        survey = await visitor.link(rated, "survey")
        urgent = await _urgent(visitor)
        history = await _history(visitor, settings)
        return [
            View("start", "/", "operations", WIDE),
            View("promises", "/sla/board", "operations", WIDE),
            View("promises-zh", "/sla/board", "operations", WIDE, "zh-CN"),
            View("wall", "/sla/board?wall=1", "operations", SCREEN),
            View("history", history, "operations", WIDE),
            View("proof", f"/sla/subjects/{urgent}", "operations", WIDE),
            View("service-desk", "/intake/desk", "care", WIDE),
            View("request", f"/intake/desk/{asked}", "care", WIDE),
            View("form", "/intake/form", None, PHONE, "zh-CN"),
            View("dispatch", "/dispatch/board", "dispatcher", WIDE),
            View("ticket", f"/dispatch/tickets/{urgent}/page", "dispatcher", WIDE),
            View("my-work", "/dispatch/app", "engineer", PHONE, "zh-CN"),
            View("acceptance", accept, None, PHONE),
            View("parts", "/parts/desk", "storekeeper", WIDE),
            View("survey", survey, None, PHONE, "zh-CN"),
            View("quality", "/feedback/dashboard", "operations", WIDE),
        ]


async def _urgent(visitor: Visitor) -> UUID:
    found = await visitor.as_("dispatcher", "GET", "/dispatch/tickets")
    return UUID(next(each["id"] for each in found.json()["items"] if each["severity"] == "urgent"))


async def _history(visitor: Visitor, settings: Settings) -> str:
    """The sample history imported and judged; where the board shows it."""
    files = EXAMPLES / "tickets.csv", EXAMPLES / "tickets.toml"
    await histories.send(*files, settings.public_url, whatif.to_stderr)
    wanted = {
        "policy_version": 1, "source": "sample-desk",
        "begins": "2026-01-01T00:00:00+08:00", "ends": "2027-01-01T00:00:00+08:00",
    }  # fmt: skip

    async def arrived() -> str | None:
        page = await visitor.as_("operations", "GET", "/sla/replays", headers={"accept": "text/html"})
        return page.text if "sample-desk (6" in page.text else None

    await until(arrived)
    where = (await visitor.as_("operations", "POST", "/sla/replays", json=wanted)).headers["location"]

    async def done() -> bool | None:
        return (await visitor.as_("operations", "GET", where)).json()["state"] == "done" or None

    await until(done)
    return where.replace("/sla/replays", "/sla/board/replays")


async def take(browser: Browser, view: View, settings: Settings) -> None:
    context = await browser.new_context(
        base_url=settings.public_url,
        locale=view.locale,
        timezone_id="Asia/Shanghai",
        viewport={"width": view.size["width"], "height": view.size["height"]},
    )
    page = await context.new_page()
    if view.role:
        token = sample.token(view.role, settings, timedelta(minutes=10))
        await page.goto(f"/sign-in#token={token}")
        await page.locator("button.primary").click()
        await page.wait_for_url(re.compile(r"^(?!.*sign-in)"))
    answer = await page.goto(view.path)
    if answer is None or not answer.ok:
        raise RuntimeError(f"{view.path} answered {answer and answer.status}")
    await page.wait_for_timeout(SETTLING)
    await page.screenshot(path=FOLDER / f"{view.name}.png")
    await context.close()
    print(FOLDER / f"{view.name}.png")


async def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir="/var/tmp") as folder:
        async with suite(Path(folder)) as settings, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for view in await views(settings):
                await take(browser, view, settings)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
