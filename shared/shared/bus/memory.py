"""The bus of the all-in-one: no broker, the same promises.

What each subscriber has not committed yet is a row in the producer's schema, so a crash loses nothing; each
subscriber and lane has a loop of its own, so one that fails or waits starves nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, Uuid, bindparam, select, text

from shared import crash
from shared.bus.contract import BusReport, Message, Outcome, Watermark
from shared.bus.topology import Topology
from shared.clock import clock
from shared.db import Database, Tx, insert_rows
from shared.db.tables import delivery, event_log
from shared.db.tx import Lane
from shared.errors import AftercareError
from shared.inbox import Receiver

MOST_EVENTS: Final = 500  # handed over at a time
POLL_SECONDS: Final = 1.0  # the guarantee; wake-ups inside the process make it rarely matter

_WAITING = (
    select(delivery.c.event_id, event_log.c.body)
    .join(event_log, event_log.c.id == delivery.c.event_id)
    .where(delivery.c.subscriber == bindparam("subscriber"), delivery.c.lane == bindparam("lane"))
    .order_by(delivery.c.event_id)
    .limit(MOST_EVENTS)
)

_DONE = text(
    "DELETE FROM delivery"
    " WHERE subscriber = :subscriber AND lane = :lane AND event_id = ANY(CAST(:ids AS uuid[]))"
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


class NotAllServicesHere(AftercareError):
    """The memory bus reaches only its own process, where {missing} is not running; use RabbitMQ instead."""


class MemoryBus:
    """One bus for all services of a process; `producers` are their databases by name."""

    def __init__(self, producers: Mapping[str, Database], topology: Topology) -> None:
        missing = set(topology.consuming_services()) - set(producers)
        if missing:
            raise NotAllServicesHere(missing=", ".join(sorted(missing)))
        self._producers = producers
        self._topology = topology
        self._wakes: dict[tuple[str, Lane], asyncio.Event] = {}
        self._hearing: list[Callable[[Watermark], None]] = []

    async def check_sendable(self) -> None:
        """Always: sending is a write in the transaction that claims."""

    async def publish(self, tx: Tx, messages: Sequence[Message]) -> list[Outcome]:
        rows = [
            {"subscriber": subscriber, "lane": message.lane, "event_id": event_id}
            for message in messages
            for subscriber in self._topology.listeners.get(message.type, ())
            for event_id in message.event_ids
        ]
        await insert_rows(tx, delivery, rows, tail="ON CONFLICT DO NOTHING")
        return [Outcome.CONFIRMED] * len(messages)

    def published(self, messages: Sequence[Message]) -> None:
        for message in messages:
            for subscriber in self._topology.listeners.get(message.type, ()):
                self._wake(subscriber, message.lane).set()

    async def listen(self, receiver: Receiver, lane: Lane) -> None:
        wake = self._wake(receiver.service, lane)
        while True:
            wake.clear()
            for producer in self._producers.values():
                while await self._deliver(producer, receiver, lane):
                    pass
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await wake.wait()

    async def listen_dead(self, receiver: Receiver) -> None:
        """Nothing is ever given up here: the receiver parks and buries by itself."""
        await asyncio.Event().wait()

    async def announce(self, watermark: Watermark) -> None:
        for heard in self._hearing:
            heard(watermark)

    async def hear(self, heard: Callable[[Watermark], None]) -> None:
        self._hearing.append(heard)
        try:
            await asyncio.Event().wait()
        finally:
            self._hearing.remove(heard)

    def taken(self) -> datetime:
        """What is not taken yet is a row of its producer, and so its watermark says it."""
        return clock.now()

    def report(self) -> BusReport:
        return BusReport(trouble=None)

    async def stuck(self) -> bool:
        return False

    async def close(self) -> None:
        """It has no connections of its own."""

    async def _deliver(self, producer: Database, receiver: Receiver, lane: Lane) -> bool:
        """Hand over what waits; whether there was anything. The receiver commits before the rows go.

        Meanwhile no connection is held: a handler that takes its time must not use up the producer's.
        """
        mine = {"subscriber": receiver.service, "lane": lane}
        async with producer.transaction() as tx:
            waiting = (await tx.execute(_WAITING, mine)).all()
        if not waiting:
            return False
        await receiver.receive([b"[" + row.body.encode() + b"]" for row in waiting], lane)
        crash.reach("consumer.committed")
        async with producer.transaction() as tx:
            await tx.execute(_DONE, mine | {"ids": [row.event_id for row in waiting]})
        return True

    def _wake(self, subscriber: str, lane: Lane) -> asyncio.Event:
        return self._wakes.setdefault((subscriber, lane), asyncio.Event())
