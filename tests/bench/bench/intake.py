"""T1: a request registered with all that follows, over a route that does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from allinone.services import topology
from bench import doors
from bench.figure import Figure, Side
from bench.stage import Stage
from bench.suite import REQUEST, adapter_token
from chaos.processes import running
from intake.app import service as intake

WHOLE: Final = "POST /intake/requests"


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    broker = await stage.vhost(topology())
    database, other = await stage.database(intake), await stage.database(intake)
    product = stage.replica(
        "intake", AFTERCARE_DATABASE_URL=database("intake"), AFTERCARE_AMQP_URL=broker("intake")
    )
    floors, seconds = doors.floors(stage, other, "intake"), 1 if stage.quick else 2
    async with running(product, floors):
        door = f"http://127.0.0.1:{product.port}/intake/requests"
        yield doors.sides(WHOLE, door, floors, REQUEST, adapter_token(), seconds)


FIGURE: Final = Figure(
    "intake",
    "A request with its key, duplicate check, customer, triage, conversation and event, durable, while the "
    "relay of the process publishes. One worker, uvloop, httptools. What waits while one transaction commits "
    "goes into the next.",
    sides,
    (
        doors.over_noop("T1", WHOLE, 32, 0.5),
        doors.p50_over_prepared("T1, p50 of one client over the prepared statement's", WHOLE, 1, 2),
        doors.over_prepared("32 clients, over the prepared statement", WHOLE, 32),
        doors.over_noop("1 client, over the route that does nothing", WHOLE, 1),
    ),
)
