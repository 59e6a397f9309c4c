"""What could not be read when it came is replayed once it can be: nothing lost or doubled (R01, R04)."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts import providers
from contracts.hearing import Hearing, hearing
from contracts.posting import later
from contracts.providers import genuine
from contracts.serving import clock_kept
from intake.app import service
from intake.channels.registry import channels, doors
from intake.requests import store
from shared.clock import uuid7
from shared.http.auth import Role

LIST = "/intake/set-aside"
READ = [name for name in doors() if not genuine()[name].announces]


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as made:
        await providers.set_up(made)
        yield made


@pytest_asyncio.fixture
async def desk(running: Hearing) -> AsyncIterator[Hearing]:
    await empty(running.admin, "request, customer, set_aside, audit")
    with clock_kept():
        yield running


@contextmanager
def broken(*names: str) -> Iterator[None]:
    """As if the parsers of these channels had a fault."""

    def fails(*_: Any) -> Any:
        raise RuntimeError

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setitem(channels(), name, replace(channels()[name], parse=fails))
        yield


async def failed(desk: Hearing, *names: str) -> list[dict[str, Any]]:
    """A message by each channel whose parser fails; what is listed then."""
    with broken(*names):
        for name in names:
            provider = genuine()[name]
            answer = await providers.post(desk, provider, provider.signed(provider.message(7)))
            assert answer.status_code == 200, answer.text  # the provider may never send it again
    listed = await desk.client("operations").get(LIST, params={"reason": "failed"})
    found: list[dict[str, Any]] = listed.json()["items"]
    return found


async def test_what_failed_by_any_channel_is_replayed_once_by_whom(desk: Hearing) -> None:
    waiting = await failed(desk, *READ)
    assert {each["channel"] for each in waiting} == set(READ)
    operator = desk.client("operations", id="olga")
    with broken("telegram"):
        answer = await operator.post(f"{LIST}/replays", json={})
        assert answer.json() == {"replayed": len(READ) - 1, "failing": 1}
    later(timedelta(days=2))  # signatures have run out meanwhile; what is kept was verified when it came
    operator = desk.client("operations", id="olga")
    again = await asyncio.gather(*(operator.post(f"{LIST}/{each['id']}/replay") for each in waiting * 3))
    assert {each.status_code for each in again} == {200}
    for name in READ:  # nor does the provider's own repetition double anything
        provider = genuine()[name]
        await providers.post(desk, provider, provider.signed(provider.message(7)))
    rows = await desk.admin.fetch("SELECT door, count(*) FROM request GROUP BY door")
    assert {row["door"]: row["count"] for row in rows} == dict.fromkeys(READ, 1)
    assert await desk.admin.fetchval("SELECT count(*) FROM message") == len(READ)
    listed = (await operator.get(LIST, params={"reason": "failed"})).json()["items"]
    assert {(each["replayed"]["by"], each["replayed"]["messages"]) for each in listed} == {("olga", 1)}
    audit = "SELECT count(*) FROM audit WHERE action = 'set_aside_replayed'"
    assert await desk.admin.fetchval(audit) == len(READ)


async def test_what_still_fails_stays_and_says_so(desk: Hearing) -> None:
    [waiting] = await failed(desk, "telegram")
    with broken("telegram"):
        answer = await desk.client("admin").post(f"{LIST}/{waiting['id']}/replay")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/still-fails")
    assert "RuntimeError" in answer.json()["detail"]
    whole = (await desk.client("admin").get(f"{LIST}/{waiting['id']}")).json()
    assert base64.b64decode(whole["body"]) == genuine()["telegram"].message(7)
    assert whole["replayed"] is None


async def test_who_dies_on_the_way_replays_again_and_doubles_nothing(
    desk: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any, **__: Any) -> None:
        raise ConnectionResetError

    [waiting] = await failed(desk, "whatsapp")
    path = f"{LIST}/{waiting['id']}/replay"
    with monkeypatch.context() as patch:
        patch.setattr("intake.asides.store.save_replay", dies)
        assert (await desk.client("admin").post(path)).status_code >= 500
    assert (await desk.client("admin").post(path)).status_code == 200
    assert await desk.admin.fetchval("SELECT count(*) FROM message") == 1


async def test_what_was_refused_is_read_and_not_replayed(desk: Hearing) -> None:
    id = "01a20273-7507-7fce-927d-0a465d28c401"
    row = {"id": id, "reason": "refused", "body": b"\xff{}", "url": None}
    place = {"channel": "telegram", "account": "genuine", "external_id": "77:1"}
    await desk.database.transact(lambda tx: store.put_aside(tx, [{**row, **place}]))
    answer = await desk.client("admin").post(f"{LIST}/{id}/replay")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-to-be-replayed")
    page = await (await desk.served.signed_in("admin")).get(f"{LIST}/{id}")
    assert "Could not be stored" in page.text
    assert "\\xff{}" in page.text
    assert "Read it again" not in page.text
    looked = "SELECT count(*) FROM audit WHERE action = 'set_aside_read'"
    assert await desk.admin.fetchval(looked) == 1


async def test_the_page_lists_pages_and_replays(desk: Hearing) -> None:
    [waiting] = await failed(desk, "wechat")
    browser = await desk.served.signed_in("operations")
    listed = (await browser.get(LIST, params={"reason": "failed", "limit": "1"})).text
    assert f'href="{LIST}/{waiting["id"]}"' in listed
    assert "Read again what failed (1)" in listed
    [csrf] = {part.split('"')[0] for part in listed.split('name="csrf" value="')[1:]}
    answer = await browser.post(f"{LIST}/{waiting['id']}/replay-from-page", data={"csrf": csrf})
    assert answer.status_code == 303, answer.text
    assert "1 messages, 0 other things" in (await browser.get(answer.headers["location"])).text
    answer = await browser.post(f"{LIST}/replay-from-page", data={"csrf": csrf})
    assert "Read again what failed" not in (await browser.get(answer.headers["location"])).text


@pytest.mark.parametrize("role", ["care", "dispatcher", "adapter"])
async def test_it_is_for_operators_who_may_see_everything(desk: Hearing, role: Role) -> None:
    assert (await desk.client(role).get(LIST)).status_code == 403
    limited = desk.client("admin", regions=frozenset({"east"}))
    assert (await limited.get(LIST)).status_code == 403


@pytest.mark.parametrize(("language", "words"), [("en", "Written by a program"), ("zh-CN", "由程序发出")])
async def test_every_reason_there_is_is_offered_in_words(desk: Hearing, language: str, words: str) -> None:
    """R01: also of a kind that only a provider names."""
    row = {"channel": "email", "account": "x", "body": b"x"}
    reasons = ("auto_submitted", "auto_submitted", "bounce", "status_odd", "odd_kind")
    rows = [{**row, "id": uuid7(), "external_id": str(at), "reason": each} for at, each in enumerate(reasons)]
    await desk.database.transact(lambda tx: store.put_aside(tx, rows))
    browser = await desk.served.signed_in("operations")
    page = (await browser.get(LIST, headers={"accept-language": language})).text
    offered = dict(re.findall(r'<option value="(\w+)">([^<]+)</option>', page))
    assert set(offered) == set(reasons)
    assert offered["auto_submitted"] == words
    assert all(offered[each] != each for each in offered)
