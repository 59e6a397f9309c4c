"""One durable write behind one HTTP route, over a route that does nothing: the door and the edge alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bench import doors
from bench.figure import Figure, Ratio, Side
from bench.stage import Stage
from bench.suite import adapter_token
from chaos.processes import running
from toy.services import TOPOLOGY, maker

WHOLE: Final = "POST /maker/things"
THING: Final = '{"subject":"$key","sequence":1,"amount":$number}'


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    broker = await stage.vhost(TOPOLOGY)
    database, other = await stage.database(maker), await stage.database(maker)
    product = stage.replica(
        "toy.maker", AFTERCARE_DATABASE_URL=database("maker"), AFTERCARE_AMQP_URL=broker("maker")
    )
    floors, seconds = doors.floors(stage, other, "maker"), 1 if stage.quick else 2
    async with running(product, floors):
        door = f"http://127.0.0.1:{product.port}/maker/things"
        yield doors.sides(WHOLE, door, floors, THING, adapter_token(), seconds)


def _ratios(clients: int) -> tuple[Ratio, ...]:
    whole = doors.at(WHOLE, clients)
    return (
        doors.over_noop(f"{whole}, over the route that does nothing", WHOLE, clients),
        doors.over_prepared(f"{whole}, over the prepared statement", WHOLE, clients),
        doors.p50_over_prepared(f"{whole}, its p50 over the prepared statement's", WHOLE, clients),
    )


FIGURE: Final = Figure(
    "writes",
    "A thing stored with its idempotency row and its event in one transaction, through the whole HTTP stack "
    "(token, strict input, key), while the relay of the process publishes. One worker, uvloop, httptools. "
    "One transaction for each request: what waits is not yet committed together.",
    sides,
    tuple(ratio for clients in doors.CLIENTS for ratio in _ratios(clients)),
)
