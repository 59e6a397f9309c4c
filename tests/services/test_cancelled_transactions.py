"""Work that is cancelled leaves no connection behind that is half in a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from shared.clock import uuid7
from shared.db import Database, Tx
from shared.http.transaction import reading


@pytest_asyncio.fixture(scope="module")
async def plain(database_of: Any) -> AsyncIterator[Database]:
    database: Database = await database_of("cancelled")
    yield database


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("reads_only", [False, True])
async def test_what_follows_is_committed_wherever_the_cancelling_hit(
    plain: Database, turns: int, reads_only: bool
) -> None:
    """The loop turns so often between asking for a transaction and giving it up; one hits the BEGIN."""
    database = Database("cancelled", plain.engine.url.render_as_string(hide_password=False), pool_size=1)
    await database.time()  # the one connection is there

    async def work() -> None:
        async with reading(database) if reads_only else database.transaction() as tx:
            await tx.execute(text("SELECT 1"))

    task = asyncio.create_task(work())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    noted = uuid7()

    async def note(tx: Tx) -> None:
        row = {"id": noted, "at": tx.now}
        await tx.execute(text("INSERT INTO inbox (event_id, type, received_at) VALUES (:id, 'x', :at)"), row)

    await database.transact(note)
    await database.close()
    async with plain.transaction() as tx:
        found = await tx.execute(text("SELECT 1 FROM inbox WHERE event_id = :id"), {"id": noted})
        assert found.first() is not None
