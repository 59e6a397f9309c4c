"""The desk's pages and the customers' form, as browsers see them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing, told_event
from intake.app import service
from intake.desk import feeds
from intake.progress.links import path_of
from intake.requests import store
from shared.clock import clock, uuid7
from shared.events import feedback, sla

FORM = {
    "phone": "13800000009",
    "region": "east",
    "city": "shanghai",
    "description": "回电 13800000009，冰箱冒烟",
}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def requests_of(desk: Hearing) -> int:
    found: int = await desk.admin.fetchval("SELECT count(*) FROM request")
    return found


async def filled_in(desk: Hearing) -> str:
    """The number that a customer gets for a filled-in form."""
    answer = await desk.served.client().post("/intake/form", data=FORM)
    assert answer.status_code == 200
    return str(await desk.numbered(answer.text))


async def open_page(browser: httpx.AsyncClient, path: str, language: str) -> str:
    answer = await browser.get(path, headers={"accept-language": language})
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    return answer.text


async def test_a_customer_without_an_account_is_registered_by_form(desk: Hearing) -> None:
    id = await filled_in(desk)
    row = await desk.admin.fetchrow("SELECT channel, severity FROM request WHERE id = $1", id)
    assert tuple(row) == ("web_form", "urgent")


@pytest.mark.parametrize(
    "wrong",
    [
        {"phone": "call me"},
        {"phone": "1" * 65},
        {"description": " "},
        {"region": "a;b"},
        {"owner": "x"},
        {"city": "a\0"},
    ],
    ids=str,
)
async def test_a_form_that_cannot_be_read_registers_nothing(desk: Hearing, wrong: dict[str, str]) -> None:
    before = await requests_of(desk)
    answer = await desk.served.client().post("/intake/form", data=FORM | wrong)
    assert answer.status_code == 422
    assert await requests_of(desk) == before


@pytest.mark.parametrize(
    ("language", "words"), [("zh-CN", ("服务台", "冒烟")), ("en", ("Service desk", "冒烟"))]
)
async def test_the_desk_speaks_both_languages_and_shows_no_contact_data(
    desk: Hearing, language: str, words: tuple[str, ...]
) -> None:
    id = await filled_in(desk)
    shown = await open_page(await desk.served.signed_in("care"), "/intake/desk", language)
    assert [word for word in words if word not in shown] == []
    assert f"/intake/desk/{id}" in shown
    assert "13800000009" not in shown


@pytest.mark.parametrize(("language", "word"), [("zh-CN", "判定依据"), ("en", "Why it was judged so")])
async def test_a_page_of_one_request_says_who_and_why_and_records_who_looked(
    desk: Hearing, language: str, word: str
) -> None:
    id = await filled_in(desk)
    before = await desk.admin.fetchval("SELECT count(*) FROM audit")
    shown = await open_page(await desk.served.signed_in("care"), f"/intake/desk/{id}", language)
    assert "+8613800000009" in shown
    assert word in shown
    [look] = await desk.admin.fetch("SELECT action, actor FROM audit ORDER BY id OFFSET $1", before)
    assert tuple(look) == ("customer_read", "desk.one")


async def test_the_form_is_shown_in_both_languages(desk: Hearing) -> None:
    pages = [await open_page(desk.served.client(), "/intake/form", language) for language in ("zh-CN", "en")]
    assert "Tell us what is wrong" in pages[1]
    assert "Tell us what is wrong" not in pages[0]


async def test_an_answer_from_the_page_is_told_once(desk: Hearing) -> None:
    id, browser = await filled_in(desk), await desk.served.signed_in("care")
    page = await open_page(browser, f"/intake/desk/{id}", "en")
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', page))
    path = f"/intake/desk/{id}/answers"
    assert (await browser.post(path, data={"text": "x"})).status_code == 403
    for text in ("我们马上来", "<b>明天</b>"):
        answer = await browser.post(path, data={"text": text, "csrf": csrf})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/intake/desk/{id}")
    told = await desk.admin.fetch("SELECT type FROM event_log WHERE subject = $1 ORDER BY id", id)
    assert [row["type"].split(".")[1] for row in told] == [
        "request_registered",
        "request_answered",
        "answer_given",
        "answer_given",
    ]
    assert "&lt;b&gt;明天&lt;/b&gt;" in await open_page(browser, f"/intake/desk/{id}", "en")


async def test_an_unknown_request_has_no_page_and_leaves_no_trace(desk: Hearing) -> None:
    before = await desk.admin.fetchval("SELECT count(*) FROM audit")
    answer = await (await desk.served.signed_in("care")).get(f"/intake/desk/{uuid7()}")
    assert answer.status_code == 404
    assert await desk.admin.fetchval("SELECT count(*) FROM audit") == before


async def test_the_live_list_notices_what_is_new_and_what_changed(desk: Hearing) -> None:
    seen = []
    for _ in range(2):
        id = await filled_in(desk)
        async with desk.database.transaction() as tx:
            seen.append(await feeds.REQUESTS.version(tx))
    async with desk.database.transaction() as tx:
        [newest, *_] = await feeds.REQUESTS.snapshot(tx)
        await store.save(tx, newest.data["request"].id, city="suzhou")
    assert newest.id == id
    async with desk.database.transaction() as tx:
        seen.append(await feeds.REQUESTS.version(tx))
    assert len(set(seen)) == 3


async def test_links_to_the_customer_are_absolute_whoever_made_them(desk: Hearing) -> None:
    """R90: the survey's link is sent by mail or text message, where a path alone leads nowhere."""
    id = UUID(await filled_in(desk))
    house = desk.served.settings.public_url.rstrip("/")
    for link in ("/feedback/survey/x", f"{house}/dispatch/acceptance/x"):
        asked = feedback.CustomerMessageRequested(request_id=id, template="survey", link=link)
        await desk.receive(told_event(asked, subject=uuid7(), version=1))
    said = (await desk.client("care").get(f"/intake/requests/{id}/messages")).json()
    assert [each["link"] for each in said] == [
        None,
        f"{house}/feedback/survey/x",
        f"{house}/dispatch/acceptance/x",
    ]


async def test_a_request_is_found_by_the_number_that_its_customer_says(desk: Hearing) -> None:
    """R01: short, told to the customer, shown to the desk, and taken however it is typed."""
    one, other = UUID(await filled_in(desk)), UUID(await filled_in(desk))
    care = desk.client("care")
    numbers = [(await care.get(f"/intake/requests/{id}")).json()["number"] for id in (one, other)]
    assert 100_000 < numbers[0] < numbers[1]
    browser = await desk.served.signed_in("care")
    for typed in (f"R-{numbers[0]}", f"r{numbers[0]}", f" Ｒ－{numbers[0]} ", str(numbers[0])):
        found = await browser.get("/intake/desk", params={"q": typed})
        assert f'href="/intake/desk/{one}"' in found.text, typed
        assert f'href="/intake/desk/{other}"' not in found.text, typed
    assert f"R-{numbers[0]}" in (await browser.get(f"/intake/desk/{one}")).text


async def test_what_is_not_answered_yet_says_by_when_it_will_be(desk: Hearing) -> None:
    """R52, R53, R59: on the desk's list and on the customer's page, until the answer is given."""
    id = UUID(await filled_in(desk))
    promise = sla.ClockStarted(
        about=id, about_kind="request", promise="first_reply",
        deadline=datetime(2199, 11, 22, 10, 50, tzinfo=UTC), started_at=clock.now(),
    )  # fmt: skip
    async with desk.database.transaction() as tx:
        before = await store.load_versions(tx, 100)
    await desk.receive(told_event(promise, subject=uuid7(), version=1))
    async with desk.database.transaction() as tx:
        assert await store.load_versions(tx, 100) != before
    browser = await desk.served.signed_in("care")
    follow = path_of(id, desk.served.settings)
    shown = [await open_page(browser, path, "en") for path in ("/intake/desk", follow)]
    assert 'datetime="2199-11-22T10:50:00+00:00"' in shown[0]
    assert "You have our answer by Fri 22 Nov, 18:50" in shown[1]
    [csrf] = set(
        re.findall(r'name="csrf" value="([^"]+)"', await open_page(browser, f"/intake/desk/{id}", "en"))
    )
    await browser.post(f"/intake/desk/{id}/answers", data={"text": "Soon.", "csrf": csrf})
    after = [await open_page(browser, path, "en") for path in ("/intake/desk", follow)]
    assert not any("2199" in each or "You have our answer by" in each for each in after)
