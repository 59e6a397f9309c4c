"""One browser for all pages; each test has a context of its own in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from localservers.install import CHROMIUM, HEADLESS_CHROMIUM, find_program

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--force-prefers-reduced-motion",  # without a graphics card the processor draws each frame of a movement
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Path:
    found = find_program(HEADLESS_CHROMIUM) or find_program(CHROMIUM)
    if found is None:
        pytest.skip("Chromium is not installed; `make servers` says why")
    return found


@pytest_asyncio.fixture(scope="session")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        await browser.close()
