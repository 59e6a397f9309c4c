"""How a browser gets to a page that only those who signed in may see."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Page

BOXES: Final = "(all) => all.map((it) => it.getBoundingClientRect().toJSON())"
"""For `Locator.evaluate_all`: where each of them is, in one question."""


async def enter(page: Page, path: str, token: str) -> None:
    """Sign in with `token` as the form does, without drawing the form, and wait until `path` has loaded.

    Whoever waits for the address alone is there too early: the form's own address ends in it. And a browser
    profile that is closed in the middle of the way from the one to the other never ends.
    """
    answer = await page.context.request.post("/sign-in", form={"token": token}, max_redirects=0)
    assert answer.status == 303, await answer.text()
    await page.goto(path)
