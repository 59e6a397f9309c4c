"""`python -m bench.floors`: routes that do as little as can be, served as `run` serves ours.

The role in the database's URL says whose model they take and whose tables they write.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
import uvicorn
import uvloop
from asyncpg.prepared_stmt import PreparedStatement
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.engine import make_url

from bench.stage import sync_clock
from intake.channels.input import NewRequest
from intake.channels.routes import Accepted
from shared.clock import uuid7
from shared.settings import Settings, load
from toy.services import MadeThing, NewThing

CONNECTIONS: Final = Settings.model_fields["database_pool"].default


@dataclass(frozen=True, slots=True)
class Kind:
    """What comes in, what is answered, and the one statement that stores it and queues its event.

    Any way of storing comes down to that: two rows, one round trip, one commit.
    """

    takes: type[BaseModel]
    answer: Callable[[UUID], BaseModel]
    write: str
    values: Callable[[UUID, Any], Sequence[object]]


_QUEUE: Final = "INSERT INTO outbox (event_id, type, lane) SELECT id, '{}', 'live' FROM made"
KINDS: Final = {
    "maker": Kind(
        NewThing,
        lambda made: MadeThing(id=made),
        "WITH made AS (INSERT INTO thing (id, key, amount) VALUES ($1, $2, $3) RETURNING id) "
        + _QUEUE.format("maker.thing_made.v1"),
        lambda made, new: (made, new.subject, new.amount),
    ),
    "intake": Kind(
        NewRequest,
        lambda made: Accepted(request_id=made, fresh=True),
        # The one table of requests that refers to no other.
        "WITH made AS (INSERT INTO set_aside (id, channel, account, external_id, reason, body) "
        "VALUES ($1, $2, 'floor', $3, 'floor', $4) RETURNING id) "
        + _QUEUE.format("intake.request_registered.v1"),
        lambda made, new: (made, new.channel, new.external_id or str(made), new.description.encode()),
    ),
}


def build(kind: Kind, idle: asyncio.LifoQueue[PreparedStatement]) -> FastAPI:
    app = FastAPI()

    @app.get("/health/ready")
    async def ready() -> None:
        """It is, once it answers."""

    async def noop(new: Any) -> Any:
        return kind.answer(uuid7())

    async def prepared(new: Any) -> Any:
        id = uuid7()
        write = await idle.get()
        try:
            await write.fetch(*kind.values(id, new))
        finally:
            idle.put_nowait(write)
        return kind.answer(id)

    for route in (noop, prepared):
        route.__annotations__ = {"new": kind.takes, "return": type(kind.answer(uuid7()))}
        app.post(f"/{route.__name__}", status_code=201)(route)
    return app


@asynccontextmanager
async def connected(url: str, schema: str, write: str) -> AsyncIterator[asyncio.LifoQueue[PreparedStatement]]:
    idle: asyncio.LifoQueue[PreparedStatement] = asyncio.LifoQueue()
    connections = [
        await asyncpg.connect(url, server_settings={"search_path": schema}) for _ in range(CONNECTIONS)
    ]
    for connection in connections:
        idle.put_nowait(await connection.prepare(write))
    yield idle
    for connection in connections:
        await connection.close()


async def main() -> None:
    url = os.environ["AFTERCARE_DATABASE_URL"]
    schema = str(make_url(url).username)
    settings, kind = load(schema, os.environ), KINDS[schema]
    await sync_clock(url)
    async with connected(url, schema, kind.write) as idle:
        config = uvicorn.Config(
            build(kind, idle),
            port=settings.port,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        gc.collect()
        gc.freeze()  # as `run` does
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(main())
