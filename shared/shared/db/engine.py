"""The connections of one service, and the edge that opens, retries and commits its transactions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from socket import gaierror
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.clock import clock
from shared.db.tx import Lane, Tx
from shared.outbox.emit import Listening, write_events

T = TypeVar("T")

ATTEMPTS: Final = 5
_RETRY_STATES: Final = {"40001", "40P01", "55P03"}  # serialisation failure, deadlock, lock not available
# Connection, authorization (a password that is being changed), resources, operator, system.
_OUTAGE_CLASSES: Final = {"08", "28", "53", "57", "58"}
_STATEMENT_TIMEOUT: Final = "57014"  # one slow statement is the work's fault, not the server's


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, None for anything else."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None)


def retryable(error: BaseException) -> bool:
    """Whether the same work in a new transaction may succeed."""
    return sqlstate(error) in _RETRY_STATES


def is_database_outage(error: BaseException) -> bool:
    """Whether the database was out of reach, so that waiting helps and no attempt is spent."""
    if isinstance(error, PoolTimeout):
        return True
    state = sqlstate(error)
    if state is not None:
        return state[:2] in _OUTAGE_CLASSES and state != _STATEMENT_TIMEOUT
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error.__cause__, OSError | asyncpg.InterfaceError)
    return isinstance(error, ConnectionError | TimeoutError | gaierror | asyncpg.InterfaceError)


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of `engine`; thrown away when what is done with it is cancelled.

    A cancelled BEGIN leaves the driver half in a transaction (asyncpg 0.32, SQLAlchemy 2.1): the next one on
    that connection would only be a savepoint within it, and its commit would never reach the disk.
    """
    async with engine.connect() as connection:
        try:
            yield connection
        except asyncio.CancelledError:
            await connection.invalidate()
            raise


class Database:
    """What one service may do with PostgreSQL: its own schema, in transactions, under its own role.

    `listening` tells which event types anybody listens to; `on_emitted` are called after a commit that
    wrote events, to wake the relay and the live pages.
    """

    def __init__(
        self,
        service: str,
        url: str,
        *,
        pool_size: int = 5,
        listening: Listening = frozenset(),
        purpose: str = "work",
    ) -> None:
        self.service = service
        self.listening = listening
        self.on_emitted: list[Callable[[], None]] = []
        self.engine = _engine(url, service, pool_size, purpose)

    @asynccontextmanager
    async def transaction(self, *, lane: Lane = "live") -> AsyncIterator[Tx]:
        """One transaction: commits with its events at the end of the block, rolls back on any exception."""
        async with connected(self.engine) as connection:
            await connection.begin()
            await _begin_now(connection)
            tx = Tx(connection, self.service, clock.now(), lane)
            yield tx
            emitted = await write_events(tx, self.listening)
            await _settled(connection.commit())
        if emitted:
            for told in self.on_emitted:
                told()

    async def transact(self, work: Callable[[Tx], Awaitable[T]], *, lane: Lane = "live") -> T:
        """Run `work` in a transaction; again, at most five times, when the database asks to try again."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self.transaction(lane=lane) as tx:
                    return await work(tx)
            except DBAPIError as error:
                if attempt == ATTEMPTS or not retryable(error):
                    raise
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("unreachable")

    async def time(self) -> datetime:
        """The database's own clock, now."""
        async with connected(self.engine) as connection:
            instant: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
            return instant

    async def close(self) -> None:
        await self.engine.dispose()


async def _begin_now(connection: AsyncConnection) -> None:
    """Send BEGIN, which SQLAlchemy would put off until the first statement.

    Events carry the time their transaction began, and a watermark waits only for those PostgreSQL knows of.
    """
    raw: Any = (await connection.get_raw_connection()).dbapi_connection
    try:
        await raw._start_transaction()
    except Exception as error:
        # Nothing but a lost connection makes BEGIN fail; SQLAlchemy would have noticed by itself.
        await connection.invalidate()
        raise DBAPIError("BEGIN", None, error, connection_invalidated=True) from error


async def _settled(commit: Awaitable[None]) -> None:
    """Wait for a commit to end even when the caller is cancelled: half a commit has no known outcome."""
    task = asyncio.ensure_future(commit)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()  # seen, and nobody is left to be told of it
        raise


def _engine(url: str, service: str, pool_size: int, purpose: str) -> AsyncEngine:
    return create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=False,
        pool_use_lifo=True,
        hide_parameters=True,  # they may be somebody's data, and errors are logged
        connect_args={
            "timeout": 5,
            "command_timeout": 60,
            "server_settings": {
                "application_name": f"aftercare-{service}-{purpose}",
                "search_path": f"{service}, public",
                "statement_timeout": "30000",
                "lock_timeout": "10000",
                "idle_in_transaction_session_timeout": "30000",
                "jit": "off",
            },
        },
    )


__all__ = ["AsyncConnection", "Database", "is_database_outage", "retryable", "sqlstate"]
