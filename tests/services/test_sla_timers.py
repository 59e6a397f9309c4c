"""Any number of processes judge; none doubles what another did, nor calls certain what another holds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial

import asyncpg
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.clocking import ARRIVED, DUE, HOUR, LONG_AGO, MINUTE, SECOND, TEN, Desk, clocking, visit
from shared.clock import clock
from shared.db import Database, Tx
from shared.process.loops import Loop
from sla_monitor.alerts.actions import judge_due
from sla_monitor.clocks.listening import GIVEN_UP, HANDED_ON, Listening
from sla_monitor.clocks.loops import EVERY, Timers

NOW = datetime(2026, 11, 20, 12, tzinfo=TEN.tzinfo)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    """The desk with nothing on it, and nobody else at it."""
    await running.clear()
    await empty(running.admin, "listener")
    return running


@pytest_asyncio.fixture
async def elsewhere(running: Desk) -> AsyncIterator[Database]:
    """The connections of another process."""
    other = Database("sla", str(running.served.settings.database_url))
    yield other
    await other.close()


# Concurrency.


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_taken_back_while_others_judge_is_alerted_once_for_each_revision(
    desk: Desk, elsewhere: Database, seed: int
) -> None:
    tickets = [await desk.urgent() for _ in range(20)]
    late = [desk.event(each, visit(DUE + HOUR), TEN + 30 * MINUTE) for each in tickets[:10]]
    late += [desk.event(each, ARRIVED, DUE - SECOND) for each in tickets[5:15]]
    chance = random.Random(seed)
    chance.shuffle(late)
    times = [DUE + SECOND, DUE + 5 * SECOND, DUE + HOUR + 90 * MINUTE + SECOND]

    async def judging(database: Database) -> None:
        for now in times * 3:
            heard = {"dispatch": now - timedelta(seconds=chance.randint(0, 9))}
            await database.transact(partial(_judge, now=now, heard=heard))

    async def hearing() -> None:
        for body in late:
            await desk.receive(body)

    await asyncio.gather(judging(desk.database), judging(elsewhere), hearing())
    await _until_all_judged(desk)
    assert await desk.admin.fetch(_TOLD_OTHERWISE) == []
    assert await desk.admin.fetch(_TAKEN_BACK_OTHERWISE) == []
    missed = await desk.admin.fetch(
        "SELECT subject_id FROM clock WHERE promise = 'on_site' AND outcome = 'breached'"
    )
    assert {row["subject_id"] for row in missed} == {*tickets[:5], *tickets[15:]}  # nobody came


async def _judge(tx: Tx, now: datetime, heard: dict[str, datetime]) -> datetime | None:
    return await judge_due(tx, now, heard, LONG_AGO)


async def _until_all_judged(desk: Desk) -> None:
    end = DUE + 60 * HOUR
    for _ in range(3):
        await desk.tick(end, dispatch=end)


# Alerts of a breach, and events that tell of it, by clock and revision.
_TOLD_OTHERWISE = """
    WITH told AS (
        SELECT (body::jsonb ->> 'subject')::uuid AS clock_id,
               (body::jsonb #>> '{data,revision}')::integer AS revision, count(*) AS times
        FROM event_log WHERE type = 'sla.clock_breached.v1' GROUP BY 1, 2)
    SELECT * FROM told FULL JOIN (SELECT clock_id, revision FROM alert WHERE threshold = 100) AS alert
        USING (clock_id, revision)
    WHERE times IS DISTINCT FROM 1 OR alert.clock_id IS NULL
"""
_TAKEN_BACK_OTHERWISE = """
    SELECT clock.id, clock.revision, clock.outcome, count(alert.id) FROM clock
    LEFT JOIN alert ON alert.clock_id = clock.id AND threshold = 100
    WHERE promise = 'on_site'
    GROUP BY clock.id HAVING count(alert.id) <> clock.revision + (clock.outcome = 'breached')::integer
"""


async def test_the_number_of_statements_does_not_grow_with_the_batch(desk: Desk) -> None:
    counts = []
    for length in (2, 40):
        await desk.clear()
        for _ in range(length):
            await desk.urgent()
        with desk.statements() as sent:
            await desk.tick(DUE + 5 * SECOND, dispatch=DUE)
        counts.append(len(sent))
    assert counts[0] == counts[1]


# What the replicas have heard together.


async def hears(database: Database, listening: Listening, now: datetime) -> dict[str, datetime]:
    return dict(await database.transact(lambda tx: listening.heard(tx, now)))


async def test_what_only_one_replica_has_heard_is_not_known_yet(desk: Desk, elsewhere: Database) -> None:
    mine, others = {"dispatch": NOW, "intake": NOW}, {"dispatch": NOW - 9 * SECOND}
    here, there = Listening(lambda: mine), Listening(lambda: others)
    await desk.database.transact(lambda tx: here.tick(tx, NOW))
    await elsewhere.transact(lambda tx: there.tick(tx, NOW))
    assert await hears(desk.database, here, NOW) == {"dispatch": NOW - 9 * SECOND}
    assert await hears(elsewhere, there, NOW) == {"dispatch": NOW - 9 * SECOND}
    others |= mine
    await elsewhere.transact(lambda tx: there.tick(tx, NOW))
    assert await hears(desk.database, here, NOW) == mine


async def test_a_replica_that_has_not_told_the_others_of_itself_knows_nothing(desk: Desk) -> None:
    assert await hears(desk.database, Listening(lambda: {"dispatch": NOW}), NOW) == {}


async def test_a_frozen_replica_counts_until_its_messages_are_with_others(
    desk: Desk, elsewhere: Database
) -> None:
    here, frozen = Listening(lambda: {"dispatch": NOW}), Listening(dict)
    await desk.database.transact(lambda tx: here.tick(tx, NOW))
    await elsewhere.transact(lambda tx: frozen.tick(tx, NOW))
    assert await hears(desk.database, here, NOW + GIVEN_UP) == {}
    assert await hears(desk.database, here, NOW + GIVEN_UP + SECOND) == {"dispatch": NOW}


async def test_a_replica_that_died_counts_a_moment_longer(desk: Desk, elsewhere: Database) -> None:
    here, killed = Listening(lambda: {"dispatch": NOW}), Listening(dict)
    await desk.database.transact(lambda tx: here.tick(tx, NOW))
    await elsewhere.transact(lambda tx: killed.tick(tx, NOW))
    await elsewhere.close()
    await _gone(desk.admin)
    assert await hears(desk.database, here, NOW + HANDED_ON) == {}
    assert await hears(desk.database, here, NOW + HANDED_ON + SECOND) == {"dispatch": NOW}


async def _gone(admin: asyncpg.Connection) -> None:
    query = """
        SELECT count(*) FROM listener
        JOIN pg_stat_activity ON pid = connection AND backend_start = connected_at
    """
    async with asyncio.timeout(10):
        while await admin.fetchval(query) > 1:  # noqa: ASYNC110 - PostgreSQL gives no signal
            await asyncio.sleep(0.01)


# The loop.


async def test_a_verdict_waits_for_what_all_have_heard_and_no_longer(desk: Desk, elsewhere: Database) -> None:
    """The loop itself, by the present time: a watermark wakes it, an earlier timer is found in time."""
    heard: dict[str, datetime] = {}
    listening = Listening(lambda: heard)
    await desk.database.transact(lambda tx: listening.tick(tx, clock.now()))
    timers = Timers(listening)
    loop = Loop("timers", timers.tick, every=EVERY, woken=timers.woken)
    working = asyncio.create_task(loop.run(desk.database))
    try:
        ticket = await desk.urgent(clock.now() - 2 * HOUR + timedelta(seconds=0.3))  # due in a moment
        async with asyncio.timeout(4):
            while "breached" not in await desk.words(ticket):
                heard["dispatch"] = clock.now()
                timers.stir()
                await asyncio.sleep(0.01)
        (word, data) = (await desk.told_about(ticket))[-1]
        assert (word, data["confirmed"]) == ("breached", True)
        assert datetime.fromisoformat(data["deadline"]) < clock.now()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_a_loop_that_sleeps_for_an_hour_is_woken(desk: Desk) -> None:
    called: asyncio.Queue[datetime] = asyncio.Queue()

    async def tick(tx: Tx, now: datetime) -> None:
        called.put_nowait(now)

    loop = Loop("sleepy", tick, every=HOUR)
    working = asyncio.create_task(loop.run(desk.database))
    try:
        async with asyncio.timeout(10):
            await called.get()
            await loop.called.wait()
            loop.woken.set()
            await called.get()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
