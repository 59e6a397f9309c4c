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


async def beyond(page: Page) -> int:
    """How many pixels the page is wider than the screen, once it is drawn as its style sheets say.

    What a page says can be read before its style sheets have come, and then it is as wide as it likes.
    """
    await page.wait_for_load_state()
    return int(
        await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )
