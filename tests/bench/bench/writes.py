"""One durable write behind one HTTP route, over a route that does nothing: the door and the edge alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from bench.figure import Figure, Ratio, Side
from bench.load import post
from bench.stage import Stage
from chaos.processes import running
from shared.http.auth import Principal, mint
from shared.settings import Settings
from toy.services import TOPOLOGY, maker

NOOP, PREPARED, WHOLE = (
    "FastAPI route that does nothing",
    "the same with one prepared statement, committed",
    "POST /maker/things",
)
CLIENTS: Final = (1, 32)


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    seconds = 1 if stage.quick else 2
    broker = await stage.vhost(TOPOLOGY)
    database, other = await stage.database(maker), await stage.database(maker)
    settings = Settings(database_url=database("maker"), amqp_url=broker("maker"))
    token = mint(Principal("bench", frozenset({"adapter"})), settings, timedelta(hours=1))
    product = stage.replica(
        "toy.maker", AFTERCARE_DATABASE_URL=database("maker"), AFTERCARE_AMQP_URL=broker("maker")
    )
    floors = stage.replica("bench.floors", AFTERCARE_DATABASE_URL=other("maker"), AFTERCARE_BUS="memory")
    routes = {NOOP: (floors, "/noop"), PREPARED: (floors, "/prepared"), WHOLE: (product, "/maker/things")}
    async with running(product, floors):
        yield [
            Side(
                at(name, clients),
                partial(post, f"http://127.0.0.1:{replica.port}{path}", clients, seconds, token),
            )
            for clients in CLIENTS
            for name, (replica, path) in routes.items()
        ]


def at(name: str, clients: int) -> str:
    return f"{name}, {clients} client{'s' if clients > 1 else ''}"


def _ratios(clients: int) -> tuple[Ratio, ...]:
    whole, rate = at(WHOLE, clients), "requests/s"
    return (
        Ratio(f"{whole}, over the route that does nothing", rate, whole, at(NOOP, clients)),
        Ratio(f"{whole}, over the prepared statement", rate, whole, at(PREPARED, clients)),
        Ratio(f"{whole}, its p50 over the prepared statement's", "p50 ms", whole, at(PREPARED, clients)),
    )


FIGURE: Final = Figure(
    "writes",
    "A thing stored with its idempotency row and its event in one transaction, through the whole HTTP stack "
    "(token, strict input, key), while the relay of the process publishes. One worker, uvloop, httptools. "
    "One transaction for each request: what waits is not yet committed together.",
    sides,
    tuple(ratio for clients in CLIENTS for ratio in _ratios(clients)),
)
