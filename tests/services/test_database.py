"""Transactions at the edge: tried again when that may help; rolled back or settled, whatever happens."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chaos.databases import empty
from shared.clock import uuid7
from shared.db import Database, Tx, insert_rows
from shared.db.engine import ATTEMPTS, is_database_outage, sqlstate
from toy.events import ThingMade
from toy.services import make_things, thing
from toy.stage import TOPOLOGY, administrator, build, tear_down, until


@pytest_asyncio.fixture(scope="module")
async def urls(postgres_url: str) -> AsyncIterator[dict[str, str]]:
    made = await build(postgres_url)
    yield made
    await tear_down(postgres_url, made)


@pytest_asyncio.fixture
async def admin(postgres_url: str, urls: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """May do everything; the tables of maker are empty."""
    connection = await administrator(postgres_url, urls)
    await empty(connection, "maker.thing, maker.event_log, maker.outbox")
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def maker(admin: asyncpg.Connection, urls: dict[str, str]) -> AsyncIterator[Database]:
    database = Database("maker", urls["maker"], pool_size=2, listening=TOPOLOGY.listened_from("maker"))
    yield database
    await database.close()


async def store(tx: Tx, *keys: str) -> None:
    await insert_rows(tx, thing, [{"id": uuid7(), "key": key, "amount": 1} for key in keys])


async def stored(admin: asyncpg.Connection) -> list[str]:
    return [row["key"] for row in await admin.fetch("SELECT key FROM maker.thing ORDER BY key")]


class Refused:
    """Work that PostgreSQL refuses with `state`, so many times, after it has written."""

    def __init__(self, state: str, times: int) -> None:
        self.state, self.times, self.attempts = state, times, 0

    async def __call__(self, tx: Tx) -> None:
        self.attempts += 1
        await store(tx, f"attempt {self.attempts}")
        if self.attempts <= self.times:
            await tx.execute(text(f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{self.state}'; END $$"))


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
async def test_what_may_succeed_the_next_time_is_tried_again(
    maker: Database, admin: asyncpg.Connection, state: str
) -> None:
    await maker.transact(Refused(state, times=ATTEMPTS - 1))
    assert await stored(admin) == ["attempt 5"]


async def test_it_is_tried_five_times_and_no_more(maker: Database, admin: asyncpg.Connection) -> None:
    work = Refused("40001", times=99)
    with pytest.raises(DBAPIError) as raised:
        await maker.transact(work)
    assert (sqlstate(raised.value), work.attempts) == ("40001", ATTEMPTS)
    assert await stored(admin) == []


async def test_what_will_fail_again_is_tried_once(maker: Database, admin: asyncpg.Connection) -> None:
    work = Refused("23505", times=1)
    with pytest.raises(DBAPIError):
        await maker.transact(work)
    assert work.attempts == 1
    assert await stored(admin) == []


async def test_writers_in_opposite_order_both_succeed(maker: Database, admin: asyncpg.Connection) -> None:
    await maker.transact(lambda tx: store(tx, "left", "right"))
    both_hold_one = asyncio.Barrier(2)
    attempts = 0

    async def add(tx: Tx, first: str, second: str) -> None:
        nonlocal attempts
        attempts += 1
        for key in (first, second):
            await tx.execute(text("UPDATE thing SET amount = amount + 1 WHERE key = :key"), {"key": key})
            if key == first and attempts <= 2:
                await both_hold_one.wait()

    await asyncio.gather(
        maker.transact(lambda tx: add(tx, "left", "right")),
        maker.transact(lambda tx: add(tx, "right", "left")),
    )
    assert attempts == 3
    assert await admin.fetchval("SELECT array_agg(amount) FROM maker.thing") == [3, 3]


async def test_an_exception_rolls_everything_back(maker: Database, admin: asyncpg.Connection) -> None:
    async def fail(tx: Tx) -> None:
        await make_things(tx, [("a thing", 1, ThingMade(amount=1))])
        raise LookupError

    with pytest.raises(LookupError):
        await maker.transact(fail)
    assert await stored(admin) == []
    assert await admin.fetchval("SELECT count(*) FROM maker.event_log") == 0


async def nobody_is_in_a_transaction(admin: asyncpg.Connection) -> None:
    """Wait until no session of ours holds anything."""

    async def look() -> None:
        states = await admin.fetch(
            "SELECT state FROM pg_stat_activity WHERE application_name LIKE 'aftercare-%'"
            " AND datname = current_database() AND state <> 'idle'"
        )
        assert states == []

    await until(look, within=5)


async def test_a_cancelled_caller_leaves_nothing_behind(maker: Database, admin: asyncpg.Connection) -> None:
    written = asyncio.Event()

    async def hang(tx: Tx) -> None:
        await store(tx, "never")
        written.set()
        await tx.execute(text("SELECT pg_sleep(60)"))

    for _ in range(4):  # twice as often as there are connections
        written.clear()
        task = asyncio.create_task(maker.transact(hang))
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await nobody_is_in_a_transaction(admin)
    await maker.transact(lambda tx: store(tx, "after"))
    assert await stored(admin) == ["after"]


@asynccontextmanager
async def committing(admin: asyncpg.Connection, then: str) -> AsyncIterator[asyncio.Event]:
    """Every commit that stores a thing takes 0.3 s and ends in `then`; it is set in the middle of one."""
    await admin.execute(
        f"""
        CREATE FUNCTION maker.take_long() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep(0.3); {then}; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON maker.thing
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION maker.take_long();
        """
    )
    try:
        yield asyncio.Event()
    finally:
        await admin.execute("DROP FUNCTION maker.take_long CASCADE")


async def cancelled_in(under_way: asyncio.Event, database: Database) -> None:
    """Store a thing, and be cancelled while it is committed."""

    async def told(tx: Tx) -> None:
        await store(tx, "kept")
        asyncio.get_running_loop().call_later(0.1, under_way.set)

    task = asyncio.create_task(database.transact(told))
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_commit_under_way_is_waited_for(maker: Database, admin: asyncpg.Connection) -> None:
    async with committing(admin, then="NULL") as under_way:
        await cancelled_in(under_way, maker)
        assert await stored(admin) == ["kept"]


async def test_a_commit_that_fails_after_the_caller_was_cancelled_bothers_nobody(
    maker: Database, admin: asyncpg.Connection
) -> None:
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, complaint: complaints.append(complaint["message"]))
    try:
        async with committing(admin, then="RAISE EXCEPTION 'no room'") as under_way:
            await cancelled_in(under_way, maker)
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert (complaints, await stored(admin)) == ([], [])


async def test_who_follows_the_commits_is_told_of_events_only(maker: Database) -> None:
    told: list[str] = []
    maker.on_emitted.append(lambda: told.append("committed"))
    await maker.transact(lambda tx: store(tx, "no event"))
    assert told == []
    await maker.transact(lambda tx: make_things(tx, [("a thing", 1, ThingMade(amount=1))]))
    assert told == ["committed"]


async def test_rows_are_written_in_the_order_of_their_key(maker: Database) -> None:
    ids = [uuid7() for _ in range(50)]
    rows = [{"id": each, "key": "any", "amount": 1} for each in reversed(ids)]
    async with maker.transaction() as tx:
        written = await insert_rows(tx, thing, rows, tail="RETURNING id")
        assert [row.id for row in written] == ids
        assert await insert_rows(tx, thing, [], tail="RETURNING id") == []


async def error_of(work: Callable[[], Awaitable[object]]) -> BaseException:
    with pytest.raises(Exception) as raised:  # noqa: PT011 (which one is the question)
        await work()
    return raised.value


async def test_a_server_that_is_away_is_an_outage(maker: Database) -> None:
    url = maker.engine.url.set(drivername="postgresql")
    for unreachable in (url.set(port=1), url.set(password="being changed")):
        database = Database("maker", unreachable.render_as_string(hide_password=False))
        assert is_database_outage(await error_of(database.time))
        await database.close()

    async def end_oneself(tx: Tx) -> None:
        await tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    assert is_database_outage(await error_of(lambda: maker.transact(end_oneself)))


async def test_a_pool_that_is_used_up_is_an_outage(maker: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maker.engine.pool, "_timeout", 0.1)
    async with maker.transaction(), maker.transaction():
        assert is_database_outage(await error_of(lambda: maker.transact(lambda tx: store(tx, "no"))))


@pytest.mark.parametrize(
    "statement",
    ["SELECT 1 / 0", "SELECT nothing FROM nowhere", "SET statement_timeout = 10; SELECT pg_sleep(1)"],
)
async def test_what_the_work_did_wrong_is_no_outage(maker: Database, statement: str) -> None:
    async def work(tx: Tx) -> None:
        for each in statement.split(";"):
            await tx.execute(text(each))

    assert not is_database_outage(await error_of(lambda: maker.transact(work)))
