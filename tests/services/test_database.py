"""Transactions that are retried, rolled back and settled; roles that can do no more than they must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from toy.events import ThingMade
from toy.services import make_things, thing
from toy.stage import TOPOLOGY, administrator, build, tear_down

from shared.clock import uuid7
from shared.db import Database, Tx, insert_rows, retryable
from shared.db.engine import ATTEMPTS, is_database_outage, sqlstate


@pytest_asyncio.fixture(scope="module")
async def urls(postgres_url: str) -> AsyncIterator[dict[str, str]]:
    made = await build(postgres_url)
    yield made
    await tear_down(postgres_url, made)


@pytest_asyncio.fixture
async def admin(postgres_url: str, urls: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """May look everywhere; the tables of maker are empty."""
    connection = await administrator(postgres_url, urls)
    await connection.execute("TRUNCATE maker.thing, maker.event_log, maker.outbox")
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def maker(admin: asyncpg.Connection, urls: dict[str, str]) -> AsyncIterator[Database]:
    database = Database("maker", urls["maker"], pool_size=2, listening=TOPOLOGY.listened_from("maker"))
    yield database
    await database.close()


async def store(tx: Tx, key: str = "a thing") -> None:
    await insert_rows(tx, thing, [{"id": uuid7(), "key": key, "amount": 1}])


def failing(state: str, times: int) -> Callable[[Tx], Awaitable[int]]:
    """Work that PostgreSQL refuses with `state` so many times, after it has written; returns the attempts."""
    attempts = 0

    async def work(tx: Tx) -> int:
        nonlocal attempts
        attempts += 1
        await store(tx, f"attempt {attempts}")
        if attempts <= times:
            await tx.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"))
        return attempts

    return work


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
async def test_what_may_succeed_the_next_time_is_tried_again(
    maker: Database, admin: asyncpg.Connection, state: str
) -> None:
    assert await maker.transact(failing(state, times=ATTEMPTS - 1)) == ATTEMPTS
    assert [row["key"] for row in await admin.fetch("SELECT key FROM maker.thing")] == ["attempt 5"]


async def test_it_is_tried_five_times_and_no_more(maker: Database, admin: asyncpg.Connection) -> None:
    work = failing("40001", times=99)
    with pytest.raises(DBAPIError) as raised:
        await maker.transact(work)
    assert retryable(raised.value)
    assert await admin.fetchval("SELECT count(*) FROM maker.thing") == 0
    assert await work(_nowhere()) == ATTEMPTS + 1 if False else True


async def test_what_will_fail_again_is_not_tried_again(maker: Database, admin: asyncpg.Connection) -> None:
    work = failing("23505", times=1)
    with pytest.raises(DBAPIError) as raised:
        await maker.transact(work)
    assert sqlstate(raised.value) == "23505"
    assert await maker.transact(work) == 2
