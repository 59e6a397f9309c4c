"""`python -m bench.floors`: routes that do as little as can be, served as `run` serves ours."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import uvicorn
import uvloop
from asyncpg.prepared_stmt import PreparedStatement
from fastapi import FastAPI

from bench.stage import sync_clock
from shared.clock import uuid7
from shared.settings import Settings, load
from toy.services import MadeThing, NewThing

CONNECTIONS: Final = Settings.model_fields["database_pool"].default

# What any way of storing a thing and queueing its event comes down to: two rows, one round trip, one commit.
_WRITE: Final = """
    WITH made AS (INSERT INTO thing (id, key, amount) VALUES ($1, $2, $3) RETURNING id)
    INSERT INTO outbox (event_id, type, lane) SELECT id, 'maker.thing_made.v1', 'live' FROM made
"""

app = FastAPI()
idle: asyncio.LifoQueue[PreparedStatement] = asyncio.LifoQueue()


@app.get("/health/ready")
async def ready() -> None:
    """It is, once it answers."""


@app.post("/noop", status_code=201)
async def noop(new: NewThing) -> MadeThing:
    return MadeThing(id=uuid7())


@app.post("/prepared", status_code=201)
async def prepared(new: NewThing) -> MadeThing:
    id = uuid7()
    write = await idle.get()
    try:
        await write.fetch(id, new.subject, new.amount)
    finally:
        idle.put_nowait(write)
    return MadeThing(id=id)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[None]:
    connections = [
        await asyncpg.connect(url, server_settings={"search_path": "maker"}) for _ in range(CONNECTIONS)
    ]
    for connection in connections:
        idle.put_nowait(await connection.prepare(_WRITE))
    yield
    for connection in connections:
        await connection.close()


async def main() -> None:
    settings = load("maker", os.environ)
    url = str(settings.database_url)
    await sync_clock(url)
    config = uvicorn.Config(
        app, port=settings.port, lifespan="off", log_config=None, access_log=False, server_header=False
    )
    async with connected(url):
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(main())
