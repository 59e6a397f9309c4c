"""T2: events from committed row to committed inbox row, with a handler that writes rows of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Final

import aio_pika
import asyncpg
from chaos.processes import Replica, running
from toy.events import ThingMade

from bench.figure import Figure, Numbers, Ratio, Side
from bench.services import TOPOLOGY, ThingCounted, keeper, maker
from bench.stage import Stage
from shared.clock import uuid7
from shared.db import Database, Tx
from shared.events import Payload
from shared.outbox.emit import emit

EVENT_BYTES: Final = 600
IN_FLIGHT: Final = 1000
EVENTS_PER_SUBJECT: Final = 4  # far apart, so that the events of one batch are about different subjects
COMMITTED_AT_ONCE: Final = 1000
POLL_SECONDS: Final = 0.02
SUSTAINED_BACKLOG: Final = 4000  # events waiting, so that nobody on the way runs dry

FLOOR, WHOLE, QUIET, SUSTAINED = (
    "aio-pika: publish with confirm, 1,000 in flight",
    "outbox → relay → RabbitMQ → inbox, handler writes rows and emits",
    "the same, handler writes rows only",
    "the same as the first, while events are being committed",
)
_MEASURE: Final = "events/s"

Make = Callable[[str], Payload]


@dataclass(frozen=True, slots=True)
class Line:
    """A producer, a consumer, and both ends of what flows between them."""

    database: Database
    """The producer's."""
    admin: asyncpg.Connection
    producer: Replica
    numbers: count[int]

    async def commit(self, events: int, subjects: int, make: Make) -> None:
        """Write `events` events to the outbox, none about a subject that had one just before."""

        async def work(tx: Tx, some: int) -> None:
            for _ in range(some):
                number = next(self.numbers)
                sequence, subject = divmod(number, subjects)
                emit(tx, payload, subject=f"thing-{subject:010}", sequence=sequence)

        payload = padded(make)
        for begin in range(0, events, COMMITTED_AT_ONCE):
            await self.database.transact(partial(work, some=min(COMMITTED_AT_ONCE, events - begin)))

    async def handled(self) -> int:
        """How many events have had their effect; committed with their inbox rows, and cheap to ask for."""
        found: int = await self.admin.fetchval("SELECT coalesce(sum(events), 0)::bigint FROM keeper.total")
        return found

    async def until(self, events: int) -> None:
        while await self.handled() < events:
            await asyncio.sleep(POLL_SECONDS)

    async def drain(self, events: int, make: Make) -> Numbers:
        """Commit all while the relay sleeps, wake it, and take the time until the inbox has them."""
        goal = await self.handled() + events
        self.producer.suspend()
        try:
            await self.commit(events, events // EVENTS_PER_SUBJECT, make)
        finally:
            self.producer.resume()
        begun = time.perf_counter()
        await self.until(goal)
        return {_MEASURE: events / (time.perf_counter() - begun)}

    async def sustain(self, seconds: float, make: Make) -> Numbers:
        """Keep committing, and count what comes out within `seconds`."""
        committed = await self.handled()

        async def keep_committing() -> None:
            nonlocal committed
            while True:
                while committed - await self.handled() >= SUSTAINED_BACKLOG:
                    await asyncio.sleep(POLL_SECONDS)
                await self.commit(COMMITTED_AT_ONCE, 5 * COMMITTED_AT_ONCE, make)
                committed += COMMITTED_AT_ONCE

        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(keep_committing())
            await self.until(committed + SUSTAINED_BACKLOG)
            before, begun = await self.handled(), time.perf_counter()
            await asyncio.sleep(seconds)
            after, ended = await self.handled(), time.perf_counter()
            committing.cancel()
        await self.until(committed)
        return {_MEASURE: (after - before) / (ended - begun)}
