"""Live feeds: snapshot first, then whole rows; one look for all; nothing kept for the slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from contracts.sample import NewPromise, feed, make_promise, service
from contracts.serving import Served, serving
from contracts.streaming import browsing, parsed
from shared.db import Database, Tx
from shared.http import sse
from shared.http.auth import Principal, Role
from shared.http.sse import Follower, LiveFeed, Row, Streams, Watch, take

VIEWER = Principal("desk.one", frozenset({"operations"}))


@pytest_asyncio.fixture(scope="module")
async def sample(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, service) as running:
        yield running


@pytest_asyncio.fixture(autouse=True)
async def _nothing_due(sample: Served) -> None:
    await change(sample.database, "DELETE FROM promise")


async def change(database: Database, statement: str, **parameters: object) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement), parameters)


async def promise(sample: Served, customer: str = "c") -> str:
    async def make(tx: Tx) -> str:
        due_at = tx.now + timedelta(hours=1)
        return await make_promise(tx, NewPromise(customer=customer, subject="s", due_at=due_at))

    return await sample.database.transact(make)


def html(watch: Watch, row: Row) -> str:
    return f"<tr>{row.data['customer'] if isinstance(row.data, dict) else row.data}</tr>"


async def test_a_page_gets_everything_first_and_then_whole_rows(sample: Served) -> None:
    first = await promise(sample, "first")
    async with browsing(sample, "/sample/live?feed=sample.board", "operations") as browser:
        assert browser.headers["content-type"].startswith("text/event-stream")
        assert browser.headers["cache-control"] == "no-store"
        snapshot = await browser.next("snapshot")
        assert [row["id"] for row in snapshot["rows"]] == [first]
        second = await promise(sample, "<second>")
        (row,) = (await browser.next("rows"))["rows"]
        assert row["id"] == second
        assert "&lt;second&gt;" in row["html"]
        assert row["html"].startswith(f'<tr data-row="{second}" data-order="{row["order"]}">')
        await change(sample.database, "DELETE FROM promise WHERE id = :id", id=first)
        assert (await browser.next("rows"))["rows"] == [{"id": first}]


async def test_a_page_that_comes_back_gets_everything_again(sample: Served) -> None:
    await promise(sample)
    for _ in range(2):
        async with browsing(sample, "/live?feed=sample.board", "dispatcher") as browser:
            assert len((await browser.next("snapshot"))["rows"]) == 1


async def test_each_browser_reads_its_own_language(sample: Served) -> None:
    await promise(sample)
    async with (
        browsing(sample, "/live?feed=sample.board", "operations", language="zh-CN") as chinese,
        browsing(sample, "/live?feed=sample.board", "operations") as english,
    ):
        html = (await chinese.next("snapshot"))["rows"][0]["html"]
        assert "一般" in html
        assert 'data-label="级别"' in html  # a word of the service, not of the shared pages
        assert "General" in (await english.next("snapshot"))["rows"][0]["html"]


async def test_a_stream_speaks_the_language_its_page_names(sample: Served) -> None:
    await promise(sample)
    async with browsing(sample, "/live?feed=sample.board&lang=zh-CN", "operations") as browser:
        assert "一般" in (await browser.next("snapshot"))["rows"][0]["html"]


@pytest.mark.parametrize(
    ("path", "roles", "status"),
    [
        ("/live?feed=sample.board", ["care"], 403),
        ("/live?feed=sample.nothing", ["operations"], 404),
        ("/live?feed=sample.board%3Fregion%3Deast", ["operations"], 404),  # it is the same for everybody
        ("/sample/live", ["operations"], 422),
        ("/other/live?feed=sample.board", ["operations"], 404),
    ],
)
async def test_who_may_not_follow_is_told_so(
    sample: Served, path: str, roles: list[Role], status: int
) -> None:
    async with browsing(sample, path, *roles) as browser:
        assert browser.status == status


async def test_a_stream_slides_the_session_of_a_board_on_the_wall(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.http.sessions.RENEW_AFTER", timedelta(seconds=-1))
    async with browsing(sample, "/live?feed=sample.board", "operations", session=True) as browser:
        assert "aftercare=" in browser.headers["set-cookie"]


async def test_the_watch_ends_with_its_last_page(sample: Served) -> None:
    watch = sample.streams.watches["sample.board"]
    async with (
        browsing(sample, "/live?feed=sample.board", "operations") as one,
        browsing(sample, "/live?feed=sample.board", "operations") as other,
    ):
        await one.next("snapshot")
        await other.next("snapshot")
        assert watch.watching
    assert not watch.watching
    assert not watch.rows


@dataclass
class Source:
    """A feed over a plain list, which counts how often it is read and may be away."""

    rows: list[Row] = field(default_factory=list)
    version: int = 0
    looks: int = 0
    reads: int = 0
    away: bool = False

    def put(self, *rows: Row) -> None:
        self.rows, self.version = list(rows), self.version + 1

    def feed(self, visible: Callable[[Row, Principal], bool] | None = None) -> LiveFeed:
        async def read(tx: Tx) -> list[Row]:
            self.reads += 1
            return self.rows

        async def look(tx: Tx) -> int:
            self.looks += 1
            if self.away:
                raise OSError("away")
            return self.version

        made = replace(feed, snapshot=read, version=look)
        return replace(made, visible=visible) if visible else made


async def test_many_pages_cost_one_look(sample: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "POLL", 3600.0)
    source = Source()
    watch = Watch("sample", source.feed(), sample.database)
    async with asyncio.timeout(10):
        async with watch.follow(lambda: None), watch.follow(lambda: None), watch.follow(lambda: None):
            assert (source.looks, source.reads) == (1, 1)


async def test_what_another_process_committed_is_found_by_looking(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "POLL", 0.01)
    source, woken = Source(), asyncio.Event()
    watch = Watch("sample", source.feed(), sample.database)
    async with watch.follow(woken.set) as follower:
        take(watch, follower, VIEWER, html)
        woken.clear()
        source.put(Row("a", "1", "x"))
        async with asyncio.timeout(10):
            await woken.wait()
        assert [parsed(event) for event in take(watch, follower, VIEWER, html)] == [
            [("rows", {"feed": "sample.board", "rows": [{"id": "a", "order": "1", "html": "<tr>x</tr>"}]})]
        ]


async def test_what_this_process_committed_is_shown_at_once(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "POLL", 3600.0)
    source, woken = Source(), asyncio.Event()
    watch = Watch("sample", source.feed(), sample.database)
    streams = Streams({watch.name: watch})
    async with watch.follow(woken.set):
        woken.clear()
        source.put(Row("a", "1", "x"))
        streams.wake("other")
        streams.wake("sample")
        async with asyncio.timeout(10):
            await woken.wait()


async def test_the_last_page_may_leave_while_its_watch_is_being_woken(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "POLL", 3600.0)
    watch = Watch("sample", Source().feed(), sample.database)
    async with asyncio.timeout(10):
        for _ in range(3):
            async with watch.follow(lambda: None):
                watch.wake()
    assert not watch.watching


async def look(watch: Watch) -> None:
    await watch._look()


async def test_a_slow_page_gets_the_newest_state_only(sample: Served) -> None:
    source = Source()
    watch = Watch("sample", source.feed(), sample.database)
    follower = Follower(lambda: None)
    watch._followers.add(follower)
    await look(watch)
    take(watch, follower, VIEWER, html)
    for number in range(50):
        source.put(Row("a", "1", number), Row("b", "2", "same"))
        await look(watch)
    assert follower.changed == {"a", "b"}
    (event,) = take(watch, follower, VIEWER, html)
    assert parsed(event)[0][1]["rows"] == [
        {"id": "a", "order": "1", "html": "<tr>49</tr>"},
        {"id": "b", "order": "2", "html": "<tr>same</tr>"},
    ]
    assert take(watch, follower, VIEWER, html) == []


async def test_a_row_for_other_eyes_is_not_even_named(sample: Served) -> None:
    source = Source([Row("mine", "1", "desk.one"), Row("theirs", "2", "desk.two")])
    watch = Watch("sample", source.feed(lambda row, viewer: row.data == viewer.id), sample.database)
    follower = Follower(lambda: None)
    watch._followers.add(follower)
    await look(watch)
    (snapshot,) = take(watch, follower, VIEWER, html)
    assert b"theirs" not in snapshot
    source.put(Row("mine", "1", "desk.two"))  # handed over, and the other one removed
    await look(watch)
    (event,) = take(watch, follower, VIEWER, html)
    assert parsed(event)[0][1]["rows"] == [{"id": "mine"}]


async def test_an_unchanged_version_is_not_read_again(sample: Served) -> None:
    source = Source()
    watch = Watch("sample", source.feed(), sample.database)
    for _ in range(3):
        await look(watch)
    assert (source.looks, source.reads) == (3, 1)


async def test_a_page_is_told_when_the_database_is_away_and_back(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "POLL_IN_TROUBLE", 0.01)
    monkeypatch.setattr(sse, "POLL", 0.01)
    source, woken = Source(), asyncio.Event()
    watch = Watch("sample", source.feed(), sample.database)
    async with asyncio.timeout(10), watch.follow(woken.set) as follower:
        take(watch, follower, VIEWER, html)
        for away in (True, False):
            woken.clear()
            source.away = away
            await woken.wait()
            (event,) = take(watch, follower, VIEWER, html)
            assert parsed(event) == [("state", {"feed": "sample.board", "fresh": not away})]


async def test_a_page_opened_while_the_database_is_away_is_not_told_that_there_is_nothing(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "POLL_IN_TROUBLE", 0.01)
    source, woken = Source([Row("a", "1", "x")], away=True), asyncio.Event()
    watch = Watch("sample", source.feed(), sample.database)
    async with asyncio.timeout(10), watch.follow(woken.set) as follower:
        (event,) = take(watch, follower, VIEWER, html)
        assert parsed(event) == [("state", {"feed": "sample.board", "fresh": False})]
        woken.clear()
        source.away = False
        while not (events := take(watch, follower, VIEWER, html)) or b"snapshot" not in events[0]:
            await woken.wait()
            woken.clear()
        assert b"<tr>x</tr>" in events[0]


async def test_rows_are_rendered_once_for_all_readers_of_a_language(sample: Served) -> None:
    await promise(sample)
    watch = sample.streams.watches["sample.board"]
    async with (
        browsing(sample, "/live?feed=sample.board", "operations") as one,
        browsing(sample, "/live?feed=sample.board", "operations") as other,
    ):
        await one.next("snapshot")
        rendered = dict(watch.rendered)
        await other.next("snapshot")
        assert len(rendered) == 1
        assert all(watch.rendered[key] is text for key, text in rendered.items())


async def test_a_quiet_stream_beats(sample: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT", 0.01)
    async with browsing(sample, "/live?feed=sample.board", "operations") as browser:
        assert await browser.next("beat") == {}


async def test_streams_end_when_the_process_drains(sample: Served) -> None:
    watch = Watch("sample", Source().feed(), sample.database)
    streams = Streams({watch.name: watch})
    told = streams.events([watch], VIEWER, html)
    async with asyncio.timeout(10):
        await anext(told)
        await anext(told)
        ending = asyncio.ensure_future(anext(told, b"the end"))
        streams.close()
        assert await ending == b"the end"
    assert not watch.watching


async def test_who_takes_nothing_is_let_go(sample: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "SEND_TIMEOUT", 0.01)
    watch = Watch("sample", Source().feed(), sample.database)
    streams = Streams({watch.name: watch})
    started = asyncio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            started.set()
            await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    response = sse.EventStream(streams.events([watch], VIEWER, html))
    async with asyncio.timeout(10):
        await response({"type": "http"}, receive, send)
    assert started.is_set()
    assert not watch.watching
