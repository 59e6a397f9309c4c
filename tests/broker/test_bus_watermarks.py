"""A watermark says what has been sent; it never passes anything that has not."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import pytest

from shared.bus import Message, Watermark
from shared.clock import clock
from shared.db import Tx
from shared.errors import Outage
from shared.events import Event
from toy.events import ThingMade
from toy.services import make_things
from toy.stage import Stage, until


class Hearing:
    """The watermarks of maker as keeper hears them."""

    def __init__(self) -> None:
        self.heard: list[datetime] = []

    def hear(self, watermark: Watermark) -> None:
        if watermark.producer == "maker":
            self.heard.append(watermark.until)

    async def several_more(self) -> list[datetime]:
        """Those that come from now on, a few of them."""
        before = len(self.heard)

        async def look() -> None:
            assert len(self.heard) >= before + 4

        await until(look)
        return self.heard[before:]

    async def passes(self, instant: datetime) -> None:
        async def look() -> None:
            assert self.heard
            assert self.heard[-1] > instant

        await until(look)


@asynccontextmanager
async def hearing(stage: Stage) -> AsyncIterator[Hearing]:
    ears = Hearing()
    task = asyncio.create_task(stage.process.buses["keeper"].hear(ears.hear))
    try:
        yield ears
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.outbox.watermark.EVERY_SECONDS", 0.05)


async def test_they_move_on_while_nothing_happens(stage: Stage) -> None:
    await stage.start()
    async with hearing(stage) as ears:
        await ears.passes(clock.now())
        later = await ears.several_more()
    assert later == sorted(later)
    assert later[0] < later[-1] < clock.now()


async def test_none_passes_an_event_that_waits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse() -> None:
        raise Outage(what="A bus that is away")

    async def refused() -> None:
        assert stage.process.supervisor.states["maker.relay"].restarts

    await stage.start()
    async with hearing(stage) as ears:
        with monkeypatch.context() as patched:
            patched.setattr(stage.process.buses["maker"], "check_sendable", refuse)
            await until(refused)
            await stage.make(3)
            [made] = await stage.admin.fetch(
                "SELECT DISTINCT (body::json ->> 'time')::timestamptz AS time FROM maker.event_log"
            )
            await ears.several_more()
            assert max(await ears.several_more()) <= made["time"]
        await ears.passes(made["time"])
    assert await stage.count("maker.outbox") == 0


@pytest.mark.parametrize("begins_with", ["a statement", "nothing"])
async def test_none_passes_an_open_transaction(stage: Stage, begins_with: str) -> None:
    await stage.start()
    async with hearing(stage) as ears:
        await ears.passes(clock.now())
        async with stage.maker.transaction() as tx:
            if begins_with == "a statement":
                await make_things(tx, stage.things(1))
            await ears.several_more()
            assert max(await ears.several_more()) <= tx.now
            await make_things(tx, stage.things(1))
        await ears.passes(tx.now)
    assert await stage.count("maker.outbox") == 0


class Record:
    """When maker's relay was done with each event, and what it claimed by watermarks meanwhile."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: dict[UUID, float] = {}
        self.announced: list[tuple[datetime, float]] = []
        bus = stage.process.buses["maker"]
        published, announce = bus.published, bus.announce

        def note_published(messages: Sequence[Message]) -> None:
            self.sent |= {each: time.monotonic() for message in messages for each in message.event_ids}
            published(messages)

        async def note_announced(watermark: Watermark) -> None:
            if watermark.producer == "maker":
                self.announced.append((watermark.until, time.monotonic()))
            await announce(watermark)

        monkeypatch.setattr(bus, "published", note_published)
        monkeypatch.setattr(bus, "announce", note_announced)


@pytest.mark.parametrize("seed", [1])
async def test_none_is_ever_wrong_among_transactions_of_any_length(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    await stage.start()
    record = Record(stage, monkeypatch)

    async def work(before: float, after: float) -> None:
        async def slowly(tx: Tx) -> None:
            await asyncio.sleep(before)
            await make_things(tx, stage.things(2))
            await asyncio.sleep(after)

        await stage.maker.transact(slowly)

    for _ in range(8):
        spans = [(chance.uniform(0, 0.3), chance.uniform(0, 0.3)) for _ in range(4)]
        await asyncio.gather(*(work(*span) for span in spans))
    await stage.settled()
    rows = await stage.admin.fetch(
        "SELECT id, (body::json ->> 'time')::timestamptz AS time FROM maker.event_log"
    )
    promised = [
        (row["time"], until_)
        for row in rows
        for until_, at in record.announced
        if row["time"] < until_ and at < record.sent[row["id"]]
    ]
    assert len(rows) == 64
    assert len(record.announced) > 10
    assert promised == []


async def test_what_was_sent_and_has_no_effect_yet_holds_back_whoever_hears(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, release = asyncio.Event(), asyncio.Event()

    async def wait(tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
        held.set()
        await release.wait()

    stage.first = wait
    await stage.start()
    bus = stage.process.buses["keeper"]
    async with hearing(stage) as ears:
        await stage.make(3)
        await held.wait()
        [made] = await stage.admin.fetch(
            "SELECT DISTINCT (body::json ->> 'time')::timestamptz AS time FROM maker.event_log"
        )
        record = Record(stage, monkeypatch)

        async def passed() -> None:
            assert len(record.announced) > 20  # in a second, four times what they keep behind

        await until(passed)
        assert all(min(until_then, bus.taken()) <= made["time"] for until_then in ears.heard)
        release.set()

        async def look() -> None:
            assert ears.heard
            assert min(ears.heard[-1], bus.taken()) > made["time"]

        await until(look)
    assert await stage.count("keeper.effect") == 3
