"""T3 and T4: from POST through all five services to ticket and clocks, beside a pipeline without rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import asyncpg

from bench.chain import CLIENTS, PER_SECOND, Chain
from bench.cpu import Meter, parent_of
from bench.figure import Figure, Limit, Ratio, Side
from bench.services import TOPOLOGY, keeper, maker
from bench.stage import Stage, pid_of
from bench.suite import REQUEST, adapter_token, five
from bench.writes import THING
from chaos.processes import running

MINIMAL: Final = "POST → outbox → relay → RabbitMQ → inbox + row, batched, one event, one consumer"
WHOLE: Final = "POST /intake/requests → ticket assigned, all its clocks stored; five services"
PACED_MINIMAL: Final = f"{PER_SECOND}/s: from the answer to the row of the one consumer"
PACED_WHOLE: Final = f"{PER_SECOND}/s: from 202 to the clock of the request in the board's store"


@asynccontextmanager
async def minimal(stage: Stage) -> AsyncIterator[Chain]:
    """Two processes, no rules, one row."""
    database, broker = await stage.database(maker, keeper), await stage.vhost(TOPOLOGY)
    producer, consumer = (
        stage.replica(
            f"bench.{name}",
            AFTERCARE_DATABASE_URL=database(name),
            AFTERCARE_AMQP_URL=broker(name),
            AFTERCARE_LOG_LEVEL="warning",
        )
        for name in ("maker", "keeper")
    )
    admin = await stage.admin(database("maker"))
    try:
        async with running(producer, consumer):
            yield Chain(
                f"http://127.0.0.1:{producer.port}/maker/counted",
                THING,
                adapter_token(),
                admin,
                accepted="SELECT count(*) FROM maker.event_log",
                missing="SELECT (SELECT count(*) FROM maker.event_log) "
                "- (SELECT count(*) FROM keeper.effect)",
                watched=("keeper.effect", "NEW.subject"),
                meter=await meter(stage, admin, producer=pid_of(producer), consumer=pid_of(consumer)),
            )
    finally:
        await admin.close()


@asynccontextmanager
async def whole(stage: Stage) -> AsyncIterator[Chain]:
    """The five services."""
    async with five(stage) as suite:
        yield Chain(
            suite.door,
            REQUEST,
            adapter_token(),
            suite.admin,
            accepted="SELECT count(*) FROM intake.request",
            # Every ticket gets this clock when it is assigned, in one transaction with its others.
            missing="SELECT (SELECT count(*) FROM intake.request) - least("
            "(SELECT count(*) FROM sla.clock WHERE promise = 'accept'), "
            "(SELECT count(*) FROM sla.clock WHERE promise = 'first_reply'))",
            watched=("sla.clock", "NEW.subject_id"),
            meter=await meter(
                stage, suite.admin, **{name: pid_of(each) for name, each in suite.replicas.items()}
            ),
        )


async def meter(stage: Stage, admin: asyncpg.Connection, **services: int) -> Meter:
    """Of these and of both servers."""
    postmaster = parent_of(await admin.fetchval("SELECT pg_backend_pid()"))
    assert stage.rabbit.pid is not None
    return Meter(**services, PostgreSQL=postmaster, RabbitMQ=stage.rabbit.pid)


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    seconds, requests = (1, PER_SECOND) if stage.quick else (5, PER_SECOND * 5)
    async with AsyncExitStack() as stack:
        floor, ours = [await stack.enter_async_context(make(stage)) for make in (minimal, whole)]
        yield (
            Side(MINIMAL, partial(floor.flood, seconds)),
            Side(WHOLE, partial(ours.flood, seconds)),
            Side(PACED_MINIMAL, partial(floor.pace, requests)),
            Side(PACED_WHOLE, partial(ours.pace, requests)),
        )


FIGURE: Final = Figure(
    "reaction",
    f"Through RabbitMQ, all five services running. {CLIENTS} clients post as fast as they are answered; "
    "counted is what was accepted until the last of it has had all its effects, over the whole time: "
    "registered, triaged, ticket opened, owned, assigned by the rules with its explanation, all clocks of "
    "request and ticket stored. Then at an even pace, from the answer in the client's hand to the commit of "
    "the first clock. Beside it the same through two processes without rules.",
    sides,
    (
        Ratio("T3", "requests/s", WHOLE, MINIMAL, targets=(0.1, 0.2)),
        Ratio("p50 over the pipeline's", "p50 ms", PACED_WHOLE, PACED_MINIMAL),
        Ratio("p99 over the pipeline's", "p99 ms", PACED_WHOLE, PACED_MINIMAL),
    ),
    (Limit("T4, p50", "p50 ms", PACED_WHOLE, 60), Limit("T4, p99", "p99 ms", PACED_WHOLE, 250)),
)
