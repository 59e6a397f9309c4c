"""The toy services in this process on either bus, with what it takes to disturb and to judge them.

A second listener, `witness`, hears the same events as `keeper` and keeps nothing but its inbox, so that a
queue may be missing while another one takes the message.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

import aio_pika
import asyncpg
from sqlalchemy.engine import make_url

from chaos.checkers import check_deliveries, check_effects
from chaos.databases import empty, fresh
from localservers.rabbitmq import RabbitServer
from shared.bus.declare import declare
from shared.bus.topology import LANES
from shared.clock import clock, uuid7
from shared.db import Database, Tx
from shared.db.tables import core
from shared.db.tx import Lane
from shared.events import Event
from shared.inbox import on
from shared.outbox.resend import queue_again
from shared.process.assembly import Process
from shared.process.service import Service, topology_of
from shared.settings import Settings
from toy.events import ThingMade
from toy.services import keeper, make_things, maker, on_thing_made

T = TypeVar("T")
Thing = tuple[str, int, ThingMade]
Hook = Callable[[Tx, Sequence[Event[ThingMade]]], Awaitable[None]]

TYPE: Final = ThingMade.type
WITHIN: Final = 30.0  # seconds; what takes longer does not come


async def until(look: Callable[[], Awaitable[T]], within: float = WITHIN) -> T:
    """Repeat `look` until it raises no AssertionError any more; the last one goes to the caller."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        try:
            return await look()
        except AssertionError:
            if loop.time() > deadline:
                raise
        await asyncio.sleep(0.02)


async def nothing_first(tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
    """The hook of a handler that nobody disturbs."""


async def only_note(tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
    """The inbox says enough."""


witness: Final = Service("witness", consumers=(on(ThingMade, only_note),))
SERVICES: Final = (maker, keeper, witness)
TOPOLOGY: Final = topology_of(SERVICES)


@dataclass(frozen=True)
class Broker:
    """A virtual host of a RabbitMQ."""

    server: RabbitServer
    vhost: str

    def url_of(self, service: str) -> str:
        user = "admin" if service == witness.name else service  # the server knows two services
        return self.server.url_of(user, self.vhost)

    async def declare(self) -> None:
        await declare(self.url_of("admin"), TOPOLOGY)

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
        """As administrator, publishing with confirms."""
        async with await aio_pika.connect(self.url_of("admin"), timeout=10) as connection:
            yield await connection.channel(on_return_raises=True)

    async def waiting(self, queue: str) -> int:
        """Messages in `queue` that no consumer holds."""
        async with self.channel() as channel:
            found = await channel.declare_queue(queue, passive=True)
            return found.declaration_result.message_count or 0


class Stage:
    """One database and one bus; the process on it may be started, stopped and started again.

    topology   who listens to what
    maker      a database of the producer that outlives the process
    admin      a connection that may read and break everything
    first      is awaited at the beginning of keeper's handler
    """

    def __init__(self, urls: Mapping[str, str], admin: asyncpg.Connection, broker: Broker | None) -> None:
        self.urls = urls
        self.admin = admin
        self.broker = broker
        self.topology = TOPOLOGY
        self.maker = self.database("maker")
        self.first: Hook = nothing_first
        self._process: Process | None = None
        self._sequence = 0

    @property
    def process(self) -> Process:
        assert self._process is not None, "start it first"
        return self._process

    def settings(self) -> dict[str, dict[str, str]]:
        """By service, as `Settings` takes them."""

        def bus(service: str) -> dict[str, str]:
            return {"amqp_url": self.broker.url_of(service)} if self.broker else {"bus": "memory"}

        return {name: {"database_url": url, **bus(name)} for name, url in self.urls.items()}

    def database(self, service: str, purpose: str = "work") -> Database:
        """One more of the service, as a replica has it."""
        listening = TOPOLOGY.listened_from(service)
        return Database(service, self.urls[service], listening=listening, purpose=purpose)

    async def start(self) -> None:
        """A new process, begun."""
        services = (maker, replace(keeper, consumers=(on(ThingMade, self._handle),)), witness)
        settings = {name: Settings.model_validate(stated) for name, stated in self.settings().items()}
        self._process = Process(services, settings, TOPOLOGY)
        self._process.start()
        await asyncio.wait_for(self._process.begun(), WITHIN)

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await asyncio.wait_for(process.stop(), WITHIN)

    async def close(self) -> None:
        await self.stop()
        await self.maker.close()

    async def _handle(self, tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
        await self.first(tx, events)
        await on_thing_made(tx, events)

    # What goes in.

    def things(self, count: int, *, subjects: int = 7) -> list[Thing]:
        """New ones, no two alike, their subjects taking turns."""
        numbers = range(self._sequence, self._sequence + count)
        self._sequence += count
        return [(f"thing {number % subjects}", number, ThingMade(amount=number + 1)) for number in numbers]

    async def make(self, things: int | Sequence[Thing], *, lane: Lane = "live") -> None:
        """Store and tell of them in one transaction."""
        chosen = self.things(things) if isinstance(things, int) else things
        await self.maker.transact(lambda tx: make_things(tx, chosen), lane=lane)

    async def send_again(self) -> int:
        """Queue everything once more, as after the loss of a broker; how many events."""
        since = clock.now() - timedelta(hours=1)
        return await self.maker.transact(lambda tx: queue_again(tx, since, self.maker.listening))

    async def inject(self, *events: bytes, lane: Lane = "live") -> None:
        """Bring these to keeper in one message, past every check of a producer."""
        inside = b",".join(events)
        if self.broker is not None:
            await self.post(b"[" + inside + b"]", lane)
            return
        stray = uuid7()
        await self.admin.execute(
            "INSERT INTO maker.event_log VALUES ($1, 'maker.stray.v1', 'stray', 0, $2, $3)",
            *(stray, lane, inside.decode()),
        )
        await self.admin.execute("INSERT INTO maker.delivery VALUES ($1, 'keeper', $2)", stray, lane)

    async def post(self, body: bytes, lane: Lane = "live", **properties: Any) -> None:
        """Put one message into keeper's queue, as it is."""
        assert self.broker is not None, "only a broker carries any bytes"
        async with self.broker.channel() as channel:
            await channel.default_exchange.publish(aio_pika.Message(body, **properties), f"keeper.{lane}")

    # What came of it.

    async def count(self, table: str) -> int:
        found: int = await self.admin.fetchval(f"SELECT count(*) FROM {table}")
        return found

    async def holds(self, table: str, count: int, within: float = WITHIN) -> None:
        """Wait until `table` has exactly `count` rows."""

        async def look() -> None:
            found = await self.count(table)
            assert found == count, f"{table} has {found} rows, not {count}"

        await until(look, within)

    async def judge(self) -> None:
        """Every event of the log: sent, received once by each listener, and its effect there once.

        Raises AssertionError, with what is wrong.
        """
        listeners = {TYPE: {"keeper", "witness"}}
        reports = [
            await check_deliveries(self.admin, ["maker"], listeners),
            await check_effects(self.admin, {"keeper": "keeper.effect"}),
        ]
        faults = [
            f"{each.checker}: {dict(each.found)} {each.violations[:3]}" for each in reports if not each.clean
        ]
        assert not faults, "\n".join(faults)
        assert await self.admin.fetch(_WRONG_TOTALS) == []

    async def settled(self, within: float = WITHIN) -> None:
        """Wait until `judge` is content."""
        await until(self.judge, within)

    async def passed(self) -> None:
        """Wait until keeper has handled every copy under way: a queue is read in order, so one comes last."""
        await self.holds("maker.outbox", 0)
        last: list[str] = []
        for lane in LANES:
            [(_, number, payload)] = self.things(1)
            last.append(f"last of {lane}, {number}")
            await self.make([(last[-1], number, payload)], lane=lane)
        await until(partial(self._look_for, last))

    async def _look_for(self, subjects: list[str]) -> None:
        found = "SELECT count(DISTINCT subject) FROM keeper.effect WHERE subject = ANY($1)"
        assert await self.admin.fetchval(found, subjects) == len(subjects)

    async def drained(self) -> None:
        """`passed`, and nothing is wrong."""
        await self.passed()
        await self.settled()


_WRONG_TOTALS: Final = f"""
    SELECT subject, sum((body::json -> 'data' ->> 'amount')::int), count(*)::int FROM maker.event_log
    WHERE type = '{TYPE}' GROUP BY subject
    EXCEPT SELECT subject, total, events FROM keeper.total
"""


def envelope(**changes: Any) -> dict[str, Any]:
    """A new event of ours as JSON has it, with `changes`; those that are None are left out."""
    event = {
        "specversion": "1.0",
        "id": str(uuid7()),
        "source": "/aftercare/maker",
        "type": TYPE,
        "subject": "stray",
        "sequence": "0000000001",
        "time": clock.now().isoformat(),
        "data": {"amount": 1},
        **changes,
    }
    return {name: value for name, value in event.items() if value is not None}


def encoded(**changes: Any) -> bytes:
    """`envelope` as bytes."""
    return json.dumps(envelope(**changes)).encode()


async def build(server: str) -> dict[str, str]:
    """A new database on `server` with the migrated schemas of all three; the URL of each one's role."""
    made = await fresh(server, SERVICES)
    return {each.name: made.url(each.name) for each in SERVICES}


async def tear_down(server: str, urls: Mapping[str, str]) -> None:
    """Drop what `build` made."""
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"DROP DATABASE {make_url(urls[maker.name]).database} WITH (FORCE)")
    finally:
        await connection.close()


async def administrator(server: str, urls: Mapping[str, str]) -> asyncpg.Connection:
    """A connection to what `build` made that may read and break everything."""
    return await asyncpg.connect(server, database=make_url(urls[maker.name]).database)


@asynccontextmanager
async def raised(server: str, urls: Mapping[str, str], broker: Broker | None) -> AsyncIterator[Stage]:
    """A stage with empty tables and declared queues; nothing is started."""
    admin = await administrator(server, urls)
    await empty(admin, ", ".join(_TABLES))
    if broker is not None:
        await broker.declare()
    stage = Stage(urls, admin, broker)
    try:
        yield stage
    finally:
        await stage.close()
        await admin.close()


_TABLES: Final = [
    *(f"{service.name}.{table}" for service in SERVICES for table in core.tables),
    *(f"{service.name}.{table}" for service in SERVICES for table in service.metadata.tables),
]


def quicken(set_: Callable[[str, Any], None]) -> None:
    """Shorten every pause that a test would otherwise wait out; `set_` is `monkeypatch.setattr`."""
    set_("shared.inbox.failure.PAUSES", (timedelta(milliseconds=50),) * 4)
    set_("shared.outbox.relay.POLL_SECONDS", 0.05)
    set_("shared.outbox.relay._RESCAN", timedelta(seconds=0.5))
    set_("shared.process.supervise.FIRST_PAUSE", 0.05)
    set_("shared.process.supervise.LONGEST_PAUSE", 0.5)
    set_("shared.process.supervise.ASK_AGAIN", 0.2)
    set_("shared.bus.memory.POLL_SECONDS", 0.1)
    set_("shared.bus.rabbit.CONNECT_SECONDS", 2.0)
    set_("shared.bus.rabbit.PUBLISH_SECONDS", 1.0)
    set_("shared.bus.rabbit.CHECK_SECONDS", 0.1)
    set_("shared.bus.rabbit.FIRST_PAUSE", 0.05)
    set_("shared.bus.rabbit.LONGEST_PAUSE", 0.2)
