"""T2: events from committed row to committed inbox row, with a handler that writes rows of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import Final

import aio_pika
import asyncpg

from bench.cpu import Meter, parent_of
from bench.events import ThingCounted
from bench.figure import Figure, Numbers, Ratio, Side
from bench.services import TOPOLOGY, keeper, maker
from bench.stage import Stage, pid_of
from chaos.processes import Replica, running
from shared.clock import uuid7
from shared.db import Database, Tx
from shared.events import Payload
from shared.outbox.emit import emit
from toy.events import ThingMade

EVENT_BYTES: Final = 600
PADDING: Final = 345  # makes an event about as long as that
IN_FLIGHT: Final = 1000
SUBJECTS: Final = 5000  # more than wait in one batch, as with tickets: no two of its events share a subject
COMMITTED_AT_ONCE: Final = 1000
SHORTEST_LOOK, LONGEST_LOOK = 0.01, 0.3  # seconds between two
SUSTAINED_BACKLOG: Final = 4000  # events waiting, so that nobody on the way runs dry

FLOOR, WHOLE, TELLING, SUSTAINED = (
    "aio-pika: publish with confirm, 1,000 in flight",
    "outbox → relay → RabbitMQ → inbox, handler reads and writes rows",
    "the same, handler also emits an event for each",
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
    meter: Meter

    async def commit(self, events: int, make: Make) -> int:
        """Write `events` events to the outbox; returns how many. Subjects take turns."""
        payload = make("x" * PADDING)

        async def work(tx: Tx, some: int) -> None:
            for number in islice(self.numbers, some):
                sequence, subject = divmod(number, SUBJECTS)
                emit(tx, payload, subject=f"thing-{subject:010}", sequence=sequence)

        for begin in range(0, events, COMMITTED_AT_ONCE):
            await self.database.transact(partial(work, some=min(COMMITTED_AT_ONCE, events - begin)))
        return events

    async def handled(self) -> int:
        """How many events have had their effect; committed with their inbox rows, and cheap to ask for."""
        found: int = await self.admin.fetchval("SELECT coalesce(sum(events), 0)::bigint FROM keeper.total")
        return found

    async def until(self, events: int) -> None:
        """Wait until as many have been handled in all, looking seldom, for looking costs too."""
        begun, first = time.perf_counter(), await self.handled()
        found = first
        while found < events:
            rate = (found - first) / (time.perf_counter() - begun)
            left = (events - found) / rate if rate else LONGEST_LOOK
            await asyncio.sleep(min(max(left / 2, SHORTEST_LOOK), LONGEST_LOOK))
            found = await self.handled()

    async def drain(self, events: int, make: Make) -> Numbers:
        """Commit all while the relay sleeps, wake it, and take the time until the inbox has them."""
        goal = await self.handled() + events
        self.producer.suspend()
        try:
            await self.commit(events, make)
        finally:
            self.producer.resume()
        before, begun = self.meter.read(), time.perf_counter()
        await self.until(goal)
        took, after = time.perf_counter() - begun, self.meter.read()
        shares = {f"CPU of {name}, µs/event": (after[name] - before[name]) / events * 1e6 for name in before}
        return {_MEASURE: events / took, **shares}

    async def sustain(self, seconds: float, make: Make) -> Numbers:
        """Commit as fast as events come out, some always waiting; count what comes out within `seconds`."""
        committed = await self.handled()
        for _ in range(SUSTAINED_BACKLOG // COMMITTED_AT_ONCE):
            committed += await self.commit(COMMITTED_AT_ONCE, make)
        before, begun = await self.handled(), time.perf_counter()
        while time.perf_counter() - begun < seconds:
            committed += await self.commit(COMMITTED_AT_ONCE, make)
            await self.until(committed - SUSTAINED_BACKLOG)
        after, ended = await self.handled(), time.perf_counter()
        await self.until(committed)
        return {_MEASURE: (after - before) / (ended - begun)}


@dataclass(frozen=True, slots=True)
class Plain:
    """The floor: one message an event, to a quorum queue that nobody reads, each confirmed."""

    channel: aio_pika.abc.AbstractChannel

    async def publish(self, messages: int) -> Numbers:
        queue = await self.channel.declare_queue(
            f"plain-{uuid7()}", durable=True, arguments={"x-queue-type": "quorum"}
        )
        body = b"x" * EVENT_BYTES
        waiting = iter(range(messages))

        async def keep_publishing() -> None:
            for _ in waiting:
                message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await self.channel.default_exchange.publish(message, queue.name)

        begun = time.perf_counter()
        await asyncio.gather(*(keep_publishing() for _ in range(IN_FLIGHT)))
        took = time.perf_counter() - begun
        await queue.delete(if_unused=False, if_empty=False)
        return {_MEASURE: messages / took}


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    events, plain, seconds = (2_000, 1_000, 0.5) if stage.quick else (20_000, 8_000, 3.0)
    async with line(stage) as between, await aio_pika.connect(stage.rabbit.url) as connection:
        channel = await connection.channel()
        yield (
            Side(FLOOR, partial(Plain(channel).publish, plain)),
            Side(WHOLE, partial(between.drain, events, counted)),
            Side(TELLING, partial(between.drain, events, made)),
            Side(SUSTAINED, partial(between.sustain, seconds, counted)),
        )


@asynccontextmanager
async def line(stage: Stage) -> AsyncIterator[Line]:
    """The two services as processes, each with its own database role and broker user."""
    database, broker = await stage.database(maker, keeper), await stage.vhost(TOPOLOGY)
    producer, consumer = (
        stage.replica(f"bench.{name}", AFTERCARE_DATABASE_URL=database(name), AFTERCARE_AMQP_URL=broker(name))
        for name in ("maker", "keeper")
    )
    admin = await stage.admin(database("maker"))
    own = Database("maker", database("maker"), listening=TOPOLOGY.listened_from("maker"))
    try:
        async with running(producer, consumer):
            postmaster = parent_of(await admin.fetchval("SELECT pg_backend_pid()"))
            assert stage.rabbit.pid is not None
            meter = Meter(
                producer=pid_of(producer),
                consumer=pid_of(consumer),
                PostgreSQL=postmaster,
                RabbitMQ=stage.rabbit.pid,
            )
            yield Line(own, admin, producer, count(), meter)
    finally:
        await own.close()
        await admin.close()


def made(text: str) -> Payload:
    return ThingMade(amount=1, text=text)


def counted(text: str) -> Payload:
    return ThingCounted(amount=1, text=text)


FIGURE: Final = Figure(
    "transport",
    f"Events of about {EVENT_BYTES} bytes from committed outbox row to committed inbox row, producer and "
    "consumer as separate processes, into quorum queues. The handler reads, adds up and writes totals, and "
    "a row for each event.",
    sides,
    (
        Ratio("T2", _MEASURE, WHOLE, FLOOR, targets=(3, 10)),
        Ratio("T2, an event of the handler's own for each", _MEASURE, TELLING, FLOOR),
        Ratio("T2 sustained", _MEASURE, SUSTAINED, FLOOR),
    ),
)
