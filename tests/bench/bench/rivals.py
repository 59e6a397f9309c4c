"""T9: a ticket through the API, durable: what a user would run instead, our intake, our whole chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import asyncpg

from allinone.services import topology
from bench.chain import CLIENTS, LOOK
from bench.desk.served import PINS, desk
from bench.figure import Figure, Numbers, Ratio, Side
from bench.load import post
from bench.reaction import WHOLE, whole
from bench.stage import Stage
from bench.suite import REQUEST, adapter_token
from chaos.processes import running
from intake.app import service as intake

RIVAL: Final = "django-helpdesk: POST /api/tickets/"
INTAKE: Final = "POST /intake/requests, intake alone"
_MEASURE: Final = "requests/s"


@dataclass(frozen=True, slots=True)
class Door:
    """Our intake, while nobody listens to its events."""

    url: str
    admin: asyncpg.Connection

    async def flood(self, seconds: float) -> Numbers:
        """Post as fast as answers come; returns when all events have been published."""
        numbers = await post(self.url, CLIENTS, seconds, REQUEST, adapter_token())
        while await self.admin.fetchval("SELECT EXISTS (SELECT FROM intake.outbox)"):  # noqa: ASYNC110
            await asyncio.sleep(LOOK)
        return numbers


@asynccontextmanager
async def door(stage: Stage) -> AsyncIterator[Door]:
    broker, database = await stage.vhost(topology()), await stage.database(intake)
    admin = await stage.admin(database("intake"))
    product = stage.replica(
        "intake", AFTERCARE_DATABASE_URL=database("intake"), AFTERCARE_AMQP_URL=broker("intake")
    )
    try:
        async with running(product):
            yield Door(f"http://127.0.0.1:{product.port}/intake/requests", admin)
    finally:
        await admin.close()


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    theirs, ours = (2, 1) if stage.quick else (8, 3)  # seconds
    async with AsyncExitStack() as stack:
        rival = await stack.enter_async_context(desk(stage))
        intake_alone = await stack.enter_async_context(door(stage))
        chain = await stack.enter_async_context(whole(stage))
        yield (
            Side(RIVAL, partial(rival.flood, theirs)),
            Side(INTAKE, partial(intake_alone.flood, ours)),
            Side(WHOLE, partial(chain.flood, ours)),
        )


FIGURE: Final = Figure(
    "rivals",
    f"One worker each, {CLIENTS} clients; what is answered is committed. Theirs ({', '.join(PINS)}; four "
    "threads, connections kept): a token and a form are checked, a ticket and its first follow-up stored, 18 "
    "statements, of which 5 write and commit one by one; no mail, for the ticket has no address, nobody is "
    "assigned, no promise computed. Our intake: token, key, duplicate check, customer, triage, "
    "conversation and event; what waits commits together. Our whole chain is five processes of one worker, "
    "with RabbitMQ, and so uses both cores, where theirs uses little more than one: what was accepted "
    "until the last ticket is assigned by the rules and has its clocks, over the whole time.",
    sides,
    (
        Ratio("T9, intake over django-helpdesk", _MEASURE, INTAKE, RIVAL, targets=(30,)),
        Ratio("T9, whole chain over django-helpdesk", _MEASURE, WHOLE, RIVAL, targets=(4,)),
    ),
)
