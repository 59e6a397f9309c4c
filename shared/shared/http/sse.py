"""Live pages: a full snapshot on each (re)connect, then every changed row as a whole (Server-Sent Events).

A page declares a `LiveFeed`; one watch per feed and process looks for changes while at least one browser
follows, however many there are, and each browser is told the newest state of what changed since it was last
told. So a slow browser costs one set of row ids, and is let go when it takes nothing for a while.

    event: snapshot   data: {"feed": "sla.board", "rows": [{"id": …, "order": …, "html": …}, …]}
    event: rows       data: the same, only rows that changed; a row that is gone has no html
    event: state      data: {"feed": "sla.board", "fresh": false}   the database does not answer
    event: beat       every 15 s, so that proxies keep the line and a page notices a dead one

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakValueDictionary

import structlog
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from shared.db import Database, Tx
from shared.http.auth import Principal, Role

POLL: Final = 0.25  # seconds between looks for what other processes committed
POLL_IN_TROUBLE: Final = 2.0
HEARTBEAT: Final = 15.0
SEND_TIMEOUT: Final = 30.0  # a browser that has taken nothing for so long is gone, or gets a snapshot later
# The browser comes back at once, and whether it may see the page is asked anew.
LONGEST_STREAM: Final = 3600.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a live page.

    id      unique in the feed
    order   rows stand in the order of these texts
    data    what the template shows, compared by `==` to see whether the row changed
    """

    id: str
    order: str
    data: Any


def _everybody(row: Row, principal: Principal) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class LiveFeed:
    """What a live page shows, and how to see cheaply that it changed.

    name      unique in the service
    roles     who may follow it
    snapshot  all rows, read in one transaction
    version   any value that differs after each commit that changes the rows. Not `max(updated_at)`: what
              commits later may have begun earlier. `count(*), sum(version)` will do.
    template  shows one row, as `row`; the page itself includes it too
    visible   whether a principal may see a row
    narrow    what a principal follows who asks for `name?query`: a feed called `name?query`, whose rows are
              read for them. So a list of the first sixty is the first sixty of what they look at
    view      tells narrowed feeds of one name apart: what else than the query decides about their rows
    rest      seconds from one look to the next at least, however much is committed meanwhile
    """

    name: str
    roles: frozenset[Role]
    snapshot: Callable[[Tx], Awaitable[Sequence[Row]]]
    version: Callable[[Tx], Awaitable[Hashable]]
    template: str
    visible: Callable[[Row, Principal], bool] = _everybody
    narrow: Callable[[str, Principal], LiveFeed] | None = None
    view: Hashable = None
    rest: float = 0.0


class Follower:
    """What one browser has yet to be told about one feed: which rows, never their past states."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.changed: set[str] = set()
        self.needs_snapshot = True
        self.needs_state = False
        self.known: set[str] = set()


class Watch:
    """One feed of one service in this process: its rows as last read, and who follows them."""

    def __init__(self, service: str, feed: LiveFeed, database: Database) -> None:
        self.name = f"{service}.{feed.name}"
        self.service = service
        self.feed = feed
        self.database = database
        self.rows: dict[str, Row] = {}
        self.loaded = False
        self.fresh = True
        self.rendered: dict[tuple[str, str], str] = {}
        """HTML by row id and language, kept while the row stays as it is."""
        self._version: Hashable = None
        self._followers: set[Follower] = set()
        self._woken = asyncio.Event()
        self._read = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def watching(self) -> bool:
        return self._task is not None

    def wake(self) -> None:
        """Look now: something may have been committed by this process."""
        self._woken.set()

    @asynccontextmanager
    async def follow(self, wake: Callable[[], None]) -> AsyncIterator[Follower]:
        """Follow the feed; `wake` is called whenever there is something to tell."""
        follower = Follower(wake)
        self._followers.add(follower)
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name=f"watch {self.name}")
        try:
            await self._read.wait()
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers:
                await self._stop()

    async def _stop(self) -> None:
        task, self._task = self._task, None
        self._read.clear()
        self.rows, self.rendered, self._version, self.loaded = {}, {}, None, False
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._look()
                self._tell_state(fresh=True)
            except Exception as error:  # the page says so, and the next look may succeed
                log.warning("live feed cannot be read", feed=self.name, error=type(error).__name__)
                self._tell_state(fresh=False)
            self._read.set()
            await asyncio.sleep(self.feed.rest)
            # Not wait_for: in Python 3.11 it loses a cancellation that comes together with a wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL if self.fresh else POLL_IN_TROUBLE):
                    await self._woken.wait()

    async def _look(self) -> None:
        async with self.database.transaction() as tx:
            version = await self.feed.version(tx)
            if self.loaded and version == self._version:
                return
            rows = {row.id: row for row in await self.feed.snapshot(tx)}
        # The rows may be newer than the version, never older: then the next look finds nothing to tell.
        before, self.rows, self._version = self.rows, rows, version
        changed = {id for id in before.keys() | rows.keys() if before.get(id) != rows.get(id)}
        if changed or not self.loaded:
            self.loaded = True
            self.rendered = {key: html for key, html in self.rendered.items() if key[0] not in changed}
            for follower in self._followers:
                follower.changed |= changed
                follower.wake()

    def _tell_state(self, *, fresh: bool) -> None:
        if fresh == self.fresh:
            return
        self.fresh = fresh
        for follower in self._followers:
            follower.needs_state = True
            follower.wake()


Render = Callable[[Watch, Row], str]


def take(watch: Watch, follower: Follower, principal: Principal, render: Render) -> list[bytes]:
    """The events that bring a browser up to date, and forget that it needed them."""
    events = []
    if follower.needs_snapshot and watch.loaded:
        rows = [row for row in watch.rows.values() if watch.feed.visible(row, principal)]
        follower.known = {row.id for row in rows}
        follower.needs_snapshot, follower.changed = False, set()
        follower.needs_state = not watch.fresh
        told = [_told(watch, row, render) for row in sorted(rows, key=lambda row: (row.order, row.id))]
        events.append(_event("snapshot", {"feed": watch.name, "rows": told}))
    elif follower.changed and not follower.needs_snapshot:
        changed, follower.changed = follower.changed, set()
        if told := [*_changes(watch, follower, changed, principal, render)]:
            events.append(_event("rows", {"feed": watch.name, "rows": told}))
    if follower.needs_state or (follower.needs_snapshot and not watch.fresh):
        follower.needs_state = False
        events.append(_event("state", {"feed": watch.name, "fresh": watch.fresh}))
    return events


def _changes(
    watch: Watch, follower: Follower, changed: set[str], principal: Principal, render: Render
) -> Sequence[Mapping[str, str]]:
    told: list[Mapping[str, str]] = []
    for id in sorted(changed):
        row = watch.rows.get(id)
        if row is not None and watch.feed.visible(row, principal):
            follower.known.add(id)
            told.append(_told(watch, row, render))
        elif id in follower.known:  # gone, or no longer for these eyes; the id of others' rows stays unsaid
            follower.known.discard(id)
            told.append({"id": id})
    return told


def _told(watch: Watch, row: Row, render: Render) -> Mapping[str, str]:
    return {"id": row.id, "order": row.order, "html": render(watch, row)}


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


@dataclass
class Streams:
    """The open streams of this process; closed first when it drains, because they never end by themselves."""

    watches: Mapping[str, Watch] = field(default_factory=dict)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    narrowed: WeakValueDictionary[Hashable, Watch] = field(default_factory=WeakValueDictionary)
    """Of feeds that differ by query and principal: shared by all who follow the same, and gone with them."""

    def wake(self, service: str) -> None:
        """A transaction of `service` has committed in this process."""
        for watch in (*self.watches.values(), *self.narrowed.values()):
            if watch.service == service:
                watch.wake()

    def narrow(self, watch: Watch, query: str, principal: Principal) -> Watch:
        """The watch of what `principal` follows who asks for the feed of `watch` with `query`."""
        if watch.feed.narrow is None:
            return watch
        feed = watch.feed.narrow(query, principal)
        key = watch.service, feed.name, feed.view
        return self.narrowed.setdefault(key, Watch(watch.service, feed, watch.database))

    def close(self) -> None:
        self.closing.set()

    async def events(
        self, watches: Sequence[Watch], principal: Principal, render: Render
    ) -> AsyncIterator[bytes]:
        """Everything one browser is told, until the server drains or the stream is old enough to renew."""
        loop = asyncio.get_running_loop()
        ends, woken = loop.time() + LONGEST_STREAM, asyncio.Event()
        async with AsyncExitStack() as stack:
            closing = asyncio.create_task(self._wake_on_close(woken))
            stack.callback(closing.cancel)
            followed = [(each, await stack.enter_async_context(each.follow(woken.set))) for each in watches]
            yield b"retry: 1000\n\n"
            while not self.closing.is_set() and loop.time() < ends:
                woken.clear()
                for watch, follower in followed:
                    for event in take(watch, follower, principal, render):
                        yield event
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await woken.wait()
                except TimeoutError:
                    yield _event("beat", {})

    async def _wake_on_close(self, woken: asyncio.Event) -> None:
        await self.closing.wait()
        woken.set()


class EventStream(Response):
    """A response that lasts: until its events end, the browser goes, or takes nothing any more."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_events(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if sending.done() and not sending.cancelled() and (error := sending.exception()):
            raise error

    async def _send_events(self, send: Send) -> None:
        try:
            async for event in self.events:
                async with asyncio.timeout(SEND_TIMEOUT):
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (TimeoutError, OSError) as error:
            log.info("live page let go", reason=type(error).__name__)
        finally:
            await self.events.aclose()  # type: ignore[attr-defined]  # a generator; its followers leave now


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
