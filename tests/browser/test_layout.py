"""The frame of every page in a real browser: policy, sign-in, proof, live rows, both languages, a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from sqlalchemy import text

from contracts.browsing import BOXES, beyond, enter
from contracts.sample import NewPromise, make_promise, service
from contracts.serving import Port, Served, serving
from shared.db import Tx


@dataclass
class Site:
    """The sample behind a real port, and a browser to look at it with."""

    served: Served
    browser: Browser
    said: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.served.settings.public_url

    @asynccontextmanager
    async def context(self, **options: object) -> AsyncIterator[BrowserContext]:
        """A browser profile of its own; what its pages complain about lands in `said`."""
        context = await self.browser.new_context(base_url=self.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        try:
            yield context
        finally:
            await context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)

    async def sign_in(self, page: Page, path: str = "/sample/board") -> None:
        await enter(page, path, self.served.token("operations", "dispatcher"))

    async def promise(self, customer: str, subject: str = "", severity: str = "general", **due: int) -> str:
        async def make(tx: Tx) -> str:
            share = due.pop("share", 0)
            promise = NewPromise(
                customer=customer, subject=subject, severity=severity, due_at=tx.now + timedelta(**due),
                share=share,
            )  # fmt: skip
            return await make_promise(tx, promise)

        return await self.served.database.transact(make)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str, browser: Browser) -> AsyncIterator[Site]:
    port = Port()
    async with serving(postgres_url, service, public_url=port.url) as served, port.serve(served):
        yield Site(served, browser)


@pytest_asyncio.fixture
async def site(running: Site) -> AsyncIterator[Site]:
    """The sample with nothing due; after the test, nothing may have been complained about."""
    running.said.clear()
    async with running.served.database.transaction() as tx:
        await tx.execute(text("DELETE FROM promise"))
    yield running
    complaints = [text for text in running.said if "Failed to load resource" not in text]
    assert complaints == []


async def test_signing_in_leads_back_to_the_page_that_asked_for_it(site: Site) -> None:
    async with site.context(locale="en-GB") as context:
        page = await context.new_page()
        await page.goto("/sample/board")
        await page.locator("#token").fill(site.served.token("operations"))
        await page.locator("button.primary").click()
        await expect(page.locator("h1")).to_have_text("Promises")
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url("**/sign-in")
        await page.goto("/sample/board")
        await expect(page.locator("#token")).to_be_visible()


async def test_a_link_fills_the_token_in_and_leaves_no_trace_of_it(site: Site) -> None:
    token = site.served.token("operations")
    asked: list[str] = []
    async with site.context(locale="en-GB") as context:
        page = await context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"/sign-in?next=/sample/board#token={token}")
        await expect(page.locator("#token")).to_have_value(token)
        assert token not in page.url
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-live-state=live]")).to_be_visible()
    assert not any(token in url for url in asked)


async def test_a_wrong_token_is_explained_at_its_field(site: Site) -> None:
    async with site.context(locale="zh-CN") as context:
        page = await context.new_page()
        await page.goto("/sign-in")
        await page.locator("#token").fill("wrong")
        await page.locator("button.primary").click()
        await expect(page.get_by_role("alert").first).to_contain_text("令牌无效")
        await expect(page.locator("#token")).to_have_attribute("aria-describedby", "token-error")


async def test_a_form_without_proof_is_refused_and_with_proof_accepted(site: Site) -> None:
    await site.promise("Customer", hours=1)
    async with site.context(locale="en-GB") as context:
        page = await context.new_page()
        await site.sign_in(page)
        await page.locator("main input[name=csrf]").evaluate("field => field.remove()")
        await page.get_by_label("Owner").fill("First engineer")
        await page.get_by_role("button", name="Take over").click()
        await expect(page.locator("h1")).to_have_text("You may not do this")
        await page.goto("/sample/board")
        await page.get_by_label("Owner").fill("First engineer")
        await page.get_by_role("button", name="Take over").click()
        await expect(page.locator("tbody td").last).to_have_text("First engineer")


async def test_nothing_inline_is_run_even_if_it_got_into_a_page(site: Site) -> None:
    async with site.context() as context:
        page = await context.new_page()
        await page.goto("/sign-in")
        ran = await page.evaluate(
            """async () => {
                const script = document.createElement("script");
                script.textContent = "window.ran = true";
                document.body.append(script);
                document.body.insertAdjacentHTML("beforeend", "<img src=/x onerror='window.ran = true'>");
                await new Promise((done) => setTimeout(done, 200));
                return window.ran ?? false;
            }"""
        )
    assert ran is False
    assert any("Content Security Policy" in text for text in site.said)
    site.said.clear()


async def test_a_row_appears_in_a_tab_in_the_background(site: Site) -> None:
    async with site.context(locale="en-GB") as context:
        board = await context.new_page()
        await site.sign_in(board)
        await expect(board.locator("[data-live-state=live]")).to_be_visible()
        other = await context.new_page()
        await other.goto("/")
        await other.bring_to_front()
        await hide(board)
        await site.promise("<b>Nobody & Sons</b>", hours=2)
        await expect(board.locator("tbody th")).to_contain_text("<b>Nobody & Sons</b>")
        await expect(board.locator("[data-empty-of]")).to_be_hidden()


async def hide(page: Page) -> None:
    """Tell a page that another tab covers it; a browser without a screen keeps all of them visible."""
    await page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { get: () => true });
            Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )


async def test_all_tabs_share_one_stream(site: Site) -> None:
    async with site.context(locale="en-GB") as context:
        first = await context.new_page()
        await site.sign_in(first)
        tabs = [first]
        for _ in range(7):  # more than a browser has connections to a host
            tabs.append(await context.new_page())
            await tabs[-1].goto("/sample/board")
        watch = site.served.streams.watches["sample.board"]
        for tab in tabs:
            await expect(tab.locator("[data-live-state=live]")).to_be_visible()
        assert len(watch._followers) == 1
        await site.promise("Everywhere", hours=2)
        for tab in tabs:
            await expect(tab.locator("tbody th")).to_contain_text("Everywhere")


async def test_rows_stand_in_their_order_change_in_place_and_go(site: Site) -> None:
    async with site.context(locale="en-GB") as context:
        page = await context.new_page()
        later = await site.promise("later", hours=9)
        await site.sign_in(page)
        await site.promise("sooner", hours=1)
        names = page.locator("tbody th")
        await expect(names).to_contain_text(["sooner", "later"])
        async with site.served.database.transaction() as tx:
            await tx.execute(
                text("UPDATE promise SET owner = 'Second engineer', version = version + 1 WHERE id = :id"),
                {"id": later},
            )
        await expect(page.locator("tbody tr").last.locator("td").last).to_have_text("Second engineer")
        async with site.served.database.transaction() as tx:
            await tx.execute(text("DELETE FROM promise WHERE id = :id"), {"id": later})
        await expect(names).to_have_count(1)
        await expect(names).to_contain_text(["sooner"])


async def test_without_shared_workers_each_tab_keeps_its_own_stream(site: Site) -> None:
    async with site.context(locale="en-GB") as context:
        await context.add_init_script("delete window.SharedWorker")
        page = await context.new_page()
        await site.sign_in(page)
        await expect(page.locator("[data-live-state=live]")).to_be_visible()
        await site.promise("Phone", hours=2)
        await expect(page.locator("tbody th")).to_contain_text("Phone")


async def test_signing_out_in_one_tab_ends_the_stream_of_the_others(site: Site) -> None:
    async with site.context(locale="en-GB") as context:
        board, other = await context.new_page(), await context.new_page()
        await site.sign_in(board)
        await expect(board.locator("[data-live-state=live]")).to_be_visible()
        await other.goto("/")
        await other.get_by_role("button", name="Sign out").click()
        await expect(board.get_by_role("status")).to_have_text("Signed out. Load the page again.")


async def test_the_state_of_the_connection_is_told(site: Site) -> None:
    async with site.context(locale="zh-CN") as context:
        page = await context.new_page()
        await site.sign_in(page)
        await expect(page.get_by_role("status")).to_have_text("实时")


async def test_the_language_is_switched_and_stays(site: Site) -> None:
    async with site.context(locale="en-GB") as context:
        page = await context.new_page()
        await site.sign_in(page)
        await page.get_by_role("button", name="中文").click()
        await expect(page.locator("h1")).to_have_text("承诺")
        assert await page.locator("html").get_attribute("lang") == "zh-CN"
        assert page.url.endswith("/sample/board")
        await site.promise("客户", hours=3, severity="urgent")
        await expect(page.locator("tbody .chip")).to_have_text("紧急")
        await expect(page.locator("tbody td").first).to_have_attribute("data-label", "级别")


async def test_everything_can_be_reached_with_the_keyboard(site: Site) -> None:
    async with site.context(locale="en-GB") as context:
        page = await context.new_page()
        await site.sign_in(page)
        await page.goto("/sample/board")
        await page.keyboard.press("Tab")
        await expect(page.locator(".skip")).to_be_focused()
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"


async def test_no_page_scrolls_sideways_and_targets_are_large(site: Site) -> None:
    await site.promise("Länderübergreifende Kältetechnik 上海冷链", "Compressor stops", "urgent", hours=1)
    async with site.context(locale="en-GB") as context:
        page = await context.new_page()
        await site.sign_in(page)
        for path in ("/", "/sample/board", "/nowhere"):
            await page.goto(path)
            for width in (360, 768, 1280):
                await page.set_viewport_size({"width": width, "height": 740})
                assert await beyond(page) <= 0, path
                targets = page.locator("button:visible, nav a:visible, input:visible")
                boxes = await targets.evaluate_all(BOXES)
                assert boxes
                assert [each for each in boxes if each["height"] < 44] == []


CONTRAST = """(selector) => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => {
        const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = numbers(colour).map((c) => linear(c / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return numbers(colour)[3] === 0 ? behind(element.parentElement) : colour;
    };
    return Math.min(...[...document.querySelectorAll(selector)].map((element) => {
        const [a, b] = [getComputedStyle(element).color, behind(element)].map(light).sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    }));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_is_legible_by_day_and_by_night(site: Site, scheme: str) -> None:
    for severity in ("general", "important", "urgent"):
        await site.promise("Customer", "Subject", severity, hours=-1)
    async with site.context(locale="en-GB", color_scheme=scheme) as context:
        page = await context.new_page()
        await site.sign_in(page)
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(background.removeprefix("rgb(").split(",")[0]) < 128) == (scheme == "dark")
        for text_of in ("h1", ".soft", "nav a", ".chip", ".due", ".figure dd", "button", "thead th", "small"):
            assert await page.evaluate(CONTRAST, text_of) >= 4.5, text_of  # WCAG 2.2, 1.4.3
