"""What is asked for each request is looked up, also by a plan that was made while nothing was there yet.

PostgreSQL keeps a plan with the connection. One made on empty tables reads them whole, and goes on doing so
while they grow, until somebody has counted their rows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import Dialect, TextClause
from sqlalchemy.dialects.postgresql import asyncpg

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.customers.store import _RECOGNISE
from intake.requests.store import _KNOWN
from intake.requests.writer import _ANSWERED

DIALECT: Dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]
LOOKED_UP = ("request", "message", "identity", "idempotency", "customer")


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


@pytest.mark.parametrize("statement", [_KNOWN, _RECOGNISE, _ANSWERED], ids=["known", "customers", "answered"])
async def test_nothing_that_grows_is_read_whole(desk: Hearing, statement: TextClause) -> None:
    compiled = str(statement.compile(dialect=DIALECT))
    nothing = ", ".join(["NULL"] * len(statement._bindparams))
    async with desk.admin.transaction():
        await desk.admin.execute(
            f"SET LOCAL plan_cache_mode = force_generic_plan; PREPARE asked AS {compiled}"
        )
        lines = [row[0] for row in await desk.admin.fetch(f"EXPLAIN EXECUTE asked ({nothing})")]
        await desk.admin.execute("DEALLOCATE asked")
    assert any("Index" in line for line in lines), lines
    assert not [line for line in lines if any(f"Seq Scan on {name}" in line for name in LOOKED_UP)]
