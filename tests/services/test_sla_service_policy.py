"""R63, R135: everybody reads what is promised now, without signing in, and nothing of the house."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from contracts.promising import Body, promise, shipped
from shared.clock import clock
from shared.context import ServiceContext
from shared.db import Tx
from sla_monitor.app import service
from sla_monitor.calendars import store as calendars
from sla_monitor.calendars.rules import ExceptionalDay, Window
from sla_monitor.calendars.versions import Content
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.store import row_of, save_version

PATH = "/sla/service-policy"
INTERNAL = "internal_board"


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Hearing) -> AsyncIterator[Hearing]:
    """With what ships alone."""
    yield running
    await running.admin.execute("DELETE FROM policy_version WHERE version > 1")
    for table in ("calendar_day", "calendar_version"):
        await running.admin.execute(f"DELETE FROM {table} WHERE calendar <> 'cn'")


async def read(desk: Hearing, language: str = "en") -> str:
    answer = await desk.served.client().get(PATH, headers={"accept-language": language})
    assert answer.status_code == 200, answer.text
    page = answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<main") :]))


async def in_force(desk: Hearing, body: Body, begins: timedelta) -> None:
    async def save(tx: Tx) -> None:
        await save_version(tx, row_of(2, tx.now + begins, Policy.model_validate(body), "edited"))

    await desk.database.transact(save)


def of_the_house(body: Body) -> Body:
    """With a promise the house makes to itself, and one to some customers only."""
    own = {**promise(body, "accept"), "code": INTERNAL}
    body["promises"].append(own)
    some = {"when": {"customer_level": ["vip"]}, "target": {**HOUR, "length": "PT7M", "requirement": "H77"}}
    promise(body, "first_reply")["cases"].insert(0, some)
    promise(body, "on_site")["cases"][0]["target"]["length"] = "PT5H"
    return body


HOUR = {"kind": "wall", "length": "PT1H", "requirement": "R52"}


async def test_the_page_says_what_counts_now_in_both_languages(desk: Hearing) -> None:
    english = await read(desk)
    for words in (
        "What we promise", "within 1 minute in working hours", "within 3 minutes in working hours",
        "E-mail, online chat, web form, social media, and SMS within 1 hour in working hours",
        "by 09:00 on the next working day, or within 1 hour if that is later outside working hours",
        "in the same city as our service centre within 2 hours", "elsewhere within 24 hours",
        "agreed with you within 48 hours", "at least every 2 hours", "within 7 days",
        "Monday–Friday 09:00–18:00", "China Standard Time, GMT+08:00",
    ):  # fmt: skip
        assert words in english, words
    chinese = await read(desk, "zh-CN")
    for words in (
        "服务承诺",
        "1分钟内 工作时间内",
        "2小时内",
        "至少每8小时一次",
        "星期一–星期五 09:00–18:00",
    ):
        assert words in chinese, words
    assert not re.search(r"[a-z]{5,}", chinese.replace("Aftercare", "")), "a text is not translated"


async def test_another_policy_is_told_from_the_moment_it_counts(desk: Hearing) -> None:
    await in_force(desk, of_the_house(shipped()), timedelta(days=1))
    assert "service centre within 2 hours" in await read(desk)
    await desk.admin.execute("UPDATE policy_version SET valid_from = $1 WHERE version = 2", clock.now())
    told = await read(desk)
    assert "service centre within 5 hours" in told
    assert "in force since" in told


@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_nothing_of_the_house_is_told(desk: Hearing, language: str) -> None:
    await in_force(desk, of_the_house(shipped()), timedelta(0))
    answer = await desk.served.client().get(PATH, headers={"accept-language": language})
    page = answer.text[answer.text.index("<main") :]
    rows = re.findall(r"\bR\d\d\b|H77|PT\d", page)
    assert rows == []
    for secret in (
        INTERNAL,
        "first_reply",
        "vip",
        "VIP",
        "7 min",
        "7分钟",
        "accept",
        "owner",
        "leadership",
        "edited",
    ):
        assert secret not in page, secret


async def test_regions_with_hours_of_their_own_are_named_and_their_closed_days_are_not(desk: Hearing) -> None:
    window = (Window(8 * 3600, 20 * 3600),)
    today = clock.now().date()
    closed = ExceptionalDay(today + timedelta(days=40), (), "Layoffs are told", "entered")
    content = Content("Asia/Urumqi", (window,) * 7, (closed,), "test")

    async def save(tx: Tx) -> None:
        head, days = calendars.rows_of(
            "north_depot", 1, tx.now, content.zone, content.week, content.days, content.source
        )
        await calendars.save_version(tx, head, days)

    await desk.database.transact(save)
    body = shipped()
    body["regional"] = {"north": "north_depot", "west": "north_depot", "south": "cn"}
    await in_force(desk, body, timedelta(0))
    told = await read(desk)
    assert "Region: north and west Monday–Sunday 08:00–20:00" in told
    assert "we do not work" in told[told.index("Region:") :]
    assert not any(secret in told for secret in ("Layoffs", "north_depot", "south", " cn "))


async def test_it_is_cheap_and_may_be_kept_by_whoever_is_not_signed_in(desk: Hearing) -> None:
    browser = desk.served.client()
    first = await browser.get(f"{PATH}?from=singlemessage")  # a messenger's own
    assert first.headers["cache-control"] == "public, max-age=300"
    assert {each.strip() for each in first.headers["vary"].split(",")} >= {"accept-language", "cookie"}
    with desk.statements() as sent:
        await browser.get(PATH)
    assert len([each for each in sent if "FROM" in each.upper()]) == 1
    signed_in = await (await desk.served.signed_in("operations")).get(PATH)
    assert signed_in.headers["cache-control"] == "no-store"


async def test_who_is_to_be_called_is_what_the_operator_says(
    desk: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "tel:" not in (await desk.served.client().get(PATH)).text
    said = {"contact_phone": "+86 (400) 000-0000", "contact_mail": "help@example.com"}
    settings = desk.served.settings.model_copy(update=said)
    context = replace(desk.served.context, settings=settings)
    monkeypatch.setitem(cast("dict[str, ServiceContext]", desk.served.others), "sla", context)
    told = (await desk.served.client().get(PATH)).text
    assert 'href="tel:+86400000-0000"' in told
    assert 'href="mailto:help@example.com"' in told
