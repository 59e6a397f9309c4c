"""R117: what may help stands beside the answer while it is written; a press or a choice puts it in."""

from __future__ import annotations

import re
from datetime import date

from playwright.async_api import Browser, ConsoleMessage, Page, expect

from contracts.browsing import enter
from contracts.hearing import hearing
from contracts.serving import Port
from intake.app import service
from intake.knowledge import actions
from intake.knowledge.rules import About, Content
from shared.clock import uuid7

ABOUT = About("faq", "zh", None, "public", "desk.one", date(2199, 1, 1))
ASKED = {"customer": {"phone": "13800000066"}, "description": "冰箱结霜很厚，门关不上"}


async def test_what_helps_is_found_while_writing_and_put_into_the_answer(
    postgres_url: str, browser: Browser
) -> None:
    port, said = Port(), list[str]()

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    async with hearing(postgres_url, service, public_url=port.url) as desk, port.serve(desk.served):
        for content in (Content("冰箱结霜", "断电化霜八小时。"), Content("水泵不转", "检查保险丝。")):
            async with desk.database.transaction() as tx:
                await actions.publish(tx, await actions.write(tx, ABOUT, content, "desk.one"), 1)
        key = {"idempotency-key": str(uuid7())}
        answer = await desk.client("adapter").post("/intake/requests", json=ASKED, headers=key)
        context = await browser.new_context(base_url=port.url, locale="en")
        context.on("console", hear)
        page = await context.new_page()
        await enter(page, f"/intake/desk/{answer.json()['request_id']}", desk.served.token("care"))
        text = page.locator("#text")
        await text.fill("您好！")
        async with page.expect_response(lambda it: it.url.endswith("/uses")) as used:
            await page.locator("[data-insert]").click()
        assert (await used.value).status == 204
        await expect(text).to_have_value("您好！\n\n断电化霜八小时。")
        await text.fill("水泵不转时" * 3_000)  # far longer than an address can be
        await text.press_sequentially("，保险丝")
        await expect(page.get_by_role("link", name="水泵不转")).to_be_visible()
        await text.fill("您好！")
        await page.locator("#template").select_option(label="已收到，正在处理")
        await expect(text).to_have_value(re.compile(r"^您好！\n\n客户您好！.*我们会尽快答复您。", re.DOTALL))
        await expect(page.locator("#template")).to_have_value("")  # the choice is open again
        await a_second_template_takes_the_place_of_the_first(page)
        assert said == []
        await the_same_judgement_keeps_the_reason(page)
        await context.close()
        assert await desk.admin.fetchval("SELECT count(*) FROM article_usage WHERE what = 'used'") == 1


async def a_second_template_takes_the_place_of_the_first(page: Page) -> None:
    """As long as nobody touched it: one greeting, not two."""
    text, template = page.locator("#text"), page.locator("#template")
    await text.fill("")
    await template.select_option(label="已收到，正在处理")
    await expect(text).to_have_value(re.compile("^客户您好"))
    first = await text.input_value()
    await template.select_option(label="请补充信息")
    await expect(text).not_to_have_value(first)
    assert (await text.input_value()).count("您好") == 1
    await expect(page.get_by_text("Nothing written reaches this customer")).to_be_visible()


async def the_same_judgement_keeps_the_reason(page: Page) -> None:
    """What is judged so already is told beside the form."""
    await page.get_by_text("Judge it otherwise").click()
    await page.get_by_label("Reason").fill("as I see it")
    await page.get_by_role("button", name="Overrule").click()
    await expect(page.get_by_text("It is judged so already.")).to_be_visible()
    await expect(page.get_by_label("Reason")).to_have_value("as I see it")
