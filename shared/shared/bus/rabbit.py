"""RabbitMQ by aio-pika: the only module that speaks AMQP.

Run against 3.10 (Debian 12) and written for 4.x, whose defaults differ: every argument that matters is set
explicitly, attempts are counted in our own tables, and only quorum queues are used. Connections are the plain
kind: when one fails it is let go and a supervisor makes a new one, so nothing half-recovered is ever trusted.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage
from aio_pika.connection import make_url
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, DeliveryError, PublishError
from pamqp.commands import Basic

from shared import crash
from shared.bus.contract import BusReport, ListenerMissing, Message, Outcome, Watermark
from shared.bus.gate import Gate
from shared.bus.progress import Progress, recorded_at
from shared.bus.topology import (
    EXCHANGE,
    LANES,
    WATERMARKS,
    Topology,
    dead_queue_name,
    queue_name,
    routing_key,
)
from shared.clock import clock
from shared.db.tx import Lane, Tx
from shared.errors import Outage
from shared.events.envelope import CONTENT_TYPE
from shared.inbox import Receiver

CONNECT_SECONDS: Final = 5.0
PUBLISH_SECONDS: Final = 3.0
HEARTBEAT_SECONDS: Final = 6  # a dead peer is noticed after three of these
PREFETCH: Final = 200  # messages
MOST_EVENTS: Final = 2000  # handed to the receiver at a time
CHECK_SECONDS: Final = 1.0  # how old the last look at the listeners' queues may be
UNSEEN: Final = timedelta(
    hours=1
)  # how far back a process that finds a queue missing at its start sends again
STUCK_SECONDS: Final = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # while the receiver's database is out of reach

_TROUBLE: Final = (AMQPError, OSError, TimeoutError, RuntimeError)


class RabbitBus:
    """One service's connections: one to publish, one for each of its queues."""

    def __init__(self, url: str, service: str, topology: Topology) -> None:
        self._url = url
        self._service = service
        self._listeners = sorted(
            queue_name(each, lane) for each in topology.services_listening_to(service) for lane in LANES
        )
        self._publisher: _Publisher | None = None
        self._opening = asyncio.Lock()
        self._consuming: dict[str, bool] = {}
        self._progress = Progress()
        self._gate = Gate()
        self._trouble = "not connected yet"
        self._lost_at: float | None = time.monotonic()
        self._checked = 0.0
        self._all_seen_at: datetime | None = None

    async def check_sendable(self) -> None:
        publisher = await self._open_publisher()
        self._lost_at = None
        if await publisher.blocked():
            self._trouble = "blocked by the broker: it is out of memory or disk"
            raise Outage(what="The broker (blocked: it is out of memory or disk)")
        try:
            await self._check_listeners(publisher)
        except ListenerMissing as missing:
            self._trouble = str(missing)
            raise
        except _TROUBLE as error:
            await self._drop_publisher(error)
            raise Outage(what="RabbitMQ") from error
        self._trouble = ""

    async def _check_listeners(self, publisher: _Publisher) -> None:
        """Raise `ListenerMissing` when one of their queues is not there; looks at most once a second."""
        if time.monotonic() - self._checked < CHECK_SECONDS:
            return
        looked_at = clock.now()
        if missing := [queue for queue in self._listeners if not await publisher.exists(queue)]:
            raise ListenerMissing(missing, self._all_seen_at or looked_at - UNSEEN)
        self._checked, self._all_seen_at = time.monotonic(), looked_at

    async def publish(self, tx: Tx, messages: Sequence[Message]) -> list[Outcome]:
        publisher = await self._open_publisher()
        outcomes = await asyncio.gather(*(publisher.publish(message) for message in messages))
        if Outcome.UNKNOWN in outcomes and not await publisher.blocked():
            await self._drop_publisher(TimeoutError("no confirmation"))
        return outcomes

    def published(self, messages: Sequence[Message]) -> None:
        """The broker pushes; nobody needs waking."""

    async def listen(self, receiver: Receiver, lane: Lane) -> None:
        async def receive(bodies: Sequence[bytes]) -> None:
            await receiver.receive(bodies, lane)

        self._gate.guarded = True
        await self._consume(queue_name(receiver.service, lane), receive, lane == "live")

    async def listen_dead(self, receiver: Receiver) -> None:
        async def bury(bodies: Sequence[bytes]) -> None:
            await receiver.bury(bodies, "delivered too often")

        await self._consume(dead_queue_name(receiver.service), bury)

    async def announce(self, watermark: Watermark) -> None:
        publisher = await self._open_publisher()
        with suppress(*_TROUBLE):  # the next one says more anyway
            await publisher.announce(watermark)

    async def hear(self, heard: Callable[[Watermark], None]) -> None:
        self._gate.leads_to(heard)
        connection = await self._connect("watermarks")
        try:
            channel = await connection.channel()
            exchange = await channel.get_exchange(WATERMARKS)
            queue = await channel.declare_queue(
                f"aftercare.transient.{self._service}.{clock.uuid7()}", exclusive=True, auto_delete=True
            )
            await queue.bind(exchange, "#")

            async def on_message(message: AbstractIncomingMessage) -> None:
                told = json.loads(message.body)
                self._gate.tell(Watermark(told["producer"], datetime.fromisoformat(told["until"])))

            await queue.consume(on_message, no_ack=True)
            await channel.closed()
        except _TROUBLE as error:
            raise Outage(what="RabbitMQ") from error
        finally:
            await _let_go(connection)
        raise Outage(what="RabbitMQ")

    def taken(self) -> datetime:
        """Of what is live: a bulk of old events takes its time and tells nobody's present."""
        return self._progress.until

    def report(self) -> BusReport:
        idle = (queue for queue, consuming in self._consuming.items() if not consuming)
        return BusReport(self._trouble or None, tuple(sorted(idle)))

    async def stuck(self) -> bool:
        if self._lost_at is None:
            return False
        try:
            await _let_go(await self._connect("probe"))
        except Outage:
            self._lost_at = time.monotonic()  # away for everybody: what counts begins when it is back
            return False
        return self._lost_at is not None and time.monotonic() - self._lost_at >= STUCK_SECONDS

    async def close(self) -> None:
        await self._drop_publisher(None)

    async def _connect(self, purpose: str) -> AbstractConnection:
        connection = aio_pika.Connection(
            make_url(self._url, heartbeat=HEARTBEAT_SECONDS),
            client_properties={"connection_name": f"{self._service} {purpose}"},
        )
        try:
            await connection.connect(timeout=CONNECT_SECONDS)
        except _TROUBLE as error:
            # Or the garbage collector would, in whichever thread it runs: in most there is no loop.
            await connection.close()
            self._trouble = f"cannot connect: {type(error).__name__}"
            raise Outage(what="RabbitMQ") from error
        return connection

    async def _open_publisher(self) -> _Publisher:
        async with self._opening:
            if self._publisher is None or self._publisher.closed:
                await self._drop_publisher(None)
                connection = await self._connect("publish")
                try:
                    self._publisher = await _Publisher.open(connection)
                    self._checked = 0.0  # another connection may be to another broker
                except _TROUBLE as error:
                    await _let_go(connection)
                    self._trouble = f"exchange {EXCHANGE} is missing: run `aftercare topology`"
                    raise Outage(what="RabbitMQ") from error
            return self._publisher

    async def _drop_publisher(self, reason: BaseException | None) -> None:
        publisher, self._publisher = self._publisher, None
        if reason is not None:
            self._trouble = f"connection lost: {type(reason).__name__}"
            self._lost_at = self._lost_at or time.monotonic()
        if publisher is not None:
            await _let_go(publisher.connection)

    async def _consume(
        self, queue: str, hand_over: Callable[[Sequence[bytes]], Awaitable[None]], live: bool = False
    ) -> None:
        progress = self._progress if live else Progress()
        self._consuming[queue] = False
        asking: asyncio.Task[None] | None = None
        connection = await self._connect(queue)
        try:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH)
            arrived: Arrived = asyncio.Queue()
            declared = await channel.get_queue(queue)  # passive: topology is not ours to declare
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda _: arrived.put_nowait(None))

            async def note(message: AbstractIncomingMessage) -> None:
                progress.arrived(recorded_at(message.message_id, clock.now()))
                arrived.put_nowait(message)

            progress.begin()
            await declared.consume(note)
            self._consuming[queue] = True
            if live:
                asking = asyncio.create_task(self._keep_asking(channel, queue))
            while batch := await _take(arrived, channel):
                await _insist(hand_over, [message.body for message in batch], channel)
                progress.done(len(batch))
                crash.reach("consumer.committed")
                await batch[-1].ack(multiple=True)
        except _TROUBLE as error:
            raise Outage(what=f"RabbitMQ (consuming {queue})") from error
        finally:
            self._consuming[queue] = False
            if asking is not None:
                asking.cancel()
            await _let_go(connection)
        raise Outage(what=f"RabbitMQ (consuming {queue})")

    async def _keep_asking(self, channel: AbstractChannel, queue: str) -> None:
        """How much the queue holds, on the channel of the deliveries.

        Within the broker an answer overtakes what the queue had just handed to the channel. That is written
        before the channel reads the next question: its answer comes after all of it.
        """

        async def held() -> int:
            answer = await channel.declare_queue(queue, passive=True)
            await channel.declare_queue(queue, passive=True)
            return answer.declaration_result.message_count or 0

        with suppress(*_TROUBLE):  # the consumer notices, too
            await self._gate.keep_asking(self._progress, held)


class _Publisher:
    """An open connection and its channels, held strongly: aio-pika itself keeps only weak references."""

    def __init__(
        self,
        connection: AbstractConnection,
        channel: AbstractChannel,
        exchange: AbstractExchange,
        watermarks: AbstractExchange,
        unconfirmed: AbstractChannel,
    ) -> None:
        self.connection = connection
        self._channel = channel
        self._exchange = exchange
        self._unconfirmed = unconfirmed
        self._watermarks = watermarks

    @classmethod
    async def open(cls, connection: AbstractConnection) -> _Publisher:
        # Without on_return_raises the broker confirms what no queue received.
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        unconfirmed = await connection.channel(publisher_confirms=False)
        exchange = await channel.get_exchange(EXCHANGE)
        watermarks = await unconfirmed.get_exchange(WATERMARKS)
        return cls(connection, channel, exchange, watermarks, unconfirmed)

    @property
    def closed(self) -> bool:
        return self.connection.is_closed or self._channel.is_closed or self._unconfirmed.is_closed

    async def blocked(self) -> bool:
        """Whether the broker asked us to stop sending."""
        transport = self.connection.transport
        if transport is None:
            return False
        try:
            async with asyncio.timeout(0.01):
                await transport.connection.ready()
        except TimeoutError:
            return True
        return False

    async def exists(self, queue: str) -> bool:
        """Whether it is declared."""
        async with asyncio.timeout(PUBLISH_SECONDS):
            probe = await self.connection.channel()  # a failed passive declaration closes its channel
            try:
                await probe.declare_queue(queue, passive=True)
            except ChannelNotFoundEntity:
                return False
            finally:
                if not probe.is_closed:
                    await probe.close()
        return True

    async def publish(self, message: Message) -> Outcome:
        envelope = aio_pika.Message(
            message.body,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=str(message.event_ids[0]),
            type=message.type,
            headers={"events": len(message.event_ids)},
        )
        try:
            confirmation = await self._exchange.publish(
                envelope, routing_key(message.type, message.lane), mandatory=True, timeout=PUBLISH_SECONDS
            )
        except PublishError:
            return Outcome.RETURNED
        except (DeliveryError, *_TROUBLE):
            return Outcome.UNKNOWN
        return Outcome.CONFIRMED if isinstance(confirmation, Basic.Ack) else Outcome.UNKNOWN

    async def announce(self, watermark: Watermark) -> None:
        told = {"producer": watermark.producer, "until": watermark.until.isoformat()}
        envelope = aio_pika.Message(
            json.dumps(told).encode(), delivery_mode=aio_pika.DeliveryMode.NOT_PERSISTENT, expiration=5
        )
        await self._watermarks.publish(envelope, watermark.producer, mandatory=False, timeout=PUBLISH_SECONDS)


Arrived = asyncio.Queue[AbstractIncomingMessage | None]
"""None when the queue was deleted: of that the channel takes no notice."""


async def _take(arrived: Arrived, channel: AbstractChannel) -> list[AbstractIncomingMessage]:
    """What has arrived, up to a batch; waits for the first, empty when nothing will arrive any more."""
    first = asyncio.ensure_future(arrived.get())
    closed = asyncio.ensure_future(channel.closed())
    try:
        await asyncio.wait({first, closed}, return_when=asyncio.FIRST_COMPLETED)
        if not first.done() or channel.is_closed:
            return []
        batch: list[AbstractIncomingMessage] = []
        events, message = 0, first.result()
        while message is not None:
            batch.append(message)
            events += _events_in(message)
            if events >= MOST_EVENTS or arrived.empty():
                break
            message = arrived.get_nowait()
        return batch
    finally:
        first.cancel()
        closed.cancel()


def _events_in(message: AbstractIncomingMessage) -> int:
    """How many events the sender says are inside; only the size of a batch depends on it."""
    stated = message.headers.get("events", 1)
    return stated if isinstance(stated, int) and 0 < stated <= 1000 else 1


async def _insist(
    hand_over: Callable[[Sequence[bytes]], Awaitable[None]], bodies: Sequence[bytes], channel: AbstractChannel
) -> None:
    """Hand over until it works; through an outage the deliveries stay ours and no attempt is spent."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await hand_over(bodies)
        except Outage:
            if channel.is_closed:
                raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


async def _let_go(connection: AbstractConnection) -> None:
    """Close without waiting for a peer that may be dead."""
    with suppress(*_TROUBLE):
        async with asyncio.timeout(2):
            await connection.close()
