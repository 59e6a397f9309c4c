"""Delivers a second time what was delivered before, in another order and in other groups."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Protocol, Self
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError
from sqlalchemy import Row, select

from shared.bus.topology import EXCHANGE
from shared.clock import clock
from shared.db import Database, insert_rows
from shared.db.engine import is_database_outage
from shared.db.tables import delivery, event_log
from shared.events.envelope import CONTENT_TYPE
from shared.outbox.resend import queue_again
from testbed.ground import Ground
from toy.services import TOPOLOGY

SHARE: Final = 0.1  # of all events
ROUND: Final = 500  # events looked at in one go
RESENT: Final = timedelta(seconds=0.5)  # how far back an operator's re-send goes
EVERY: Final = 8  # rounds to one re-send
BACK_WITHIN: Final = 60.0  # seconds until broker and database are back after the last fault
_BROKEN: Final = (AMQPError, OSError, TimeoutError, RuntimeError)


def _is_away(error: Exception) -> bool:
    """Whether it means that database or broker are away."""
    return isinstance(error, _BROKEN) or is_database_outage(error)


class Way(Protocol):
    """How copies get to the listeners."""

    async def send(self, copies: Sequence[Row[Any]], lane: str) -> None: ...

    async def close(self) -> None: ...


class RawMessages:
    """Past the outbox, straight to the broker."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None

    async def send(self, copies: Sequence[Row[Any]], lane: str) -> None:
        body = b"[" + b",".join(each.body.encode() for each in copies) + b"]"
        message = aio_pika.Message(body, content_type=CONTENT_TYPE, delivery_mode=2)
        try:
            exchange = self._exchange or await self._open()
            await exchange.publish(message, f"{copies[0].type}{'.bulk' if lane == 'bulk' else ''}", timeout=3)
        except _BROKEN:
            await self.close()
            raise

    async def close(self) -> None:
        if self._connection is not None:
            with suppress(*_BROKEN):
                await self._connection.close()
        self._connection = self._exchange = None

    async def _open(self) -> AbstractExchange:
        self._connection = await aio_pika.connect(self._ground.amqp_url("maker"), timeout=3)
        self._channel = await self._connection.channel(on_return_raises=True)
        self._exchange = await self._channel.get_exchange(EXCHANGE)
        return self._exchange


class RawDeliveries:
    """Rows of the memory bus that say: not delivered yet."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, copies: Sequence[Row[Any]], lane: str) -> None:
        rows = [{"event_id": each.id, "subscriber": "keeper", "lane": lane} for each in copies]
        async with self._database.transaction() as tx:
            await insert_rows(tx, delivery, rows, tail="ON CONFLICT DO NOTHING")

    async def close(self) -> None:
        """Nothing of its own."""


class Echo:
    """Doubles every tenth event; `sent` counts the copies that surely arrived."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.sent = 0
        self.queued_again = 0
        self._chance = random.Random(f"{seed}/echo")
        self._seen = UUID(int=0)
        self._rounds = 0
        self._database = Database("maker", ground.database_url("maker"), pool_size=1, purpose="echo")
        self._way: Way = RawMessages(ground) if ground.rabbit else RawDeliveries(self._database)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._way.close()
        await self._database.close()

    async def round(self) -> bool:
        """Double a share of what was new; False when database or broker were away, which is no matter."""
        self._rounds += 1
        try:
            if self._rounds % EVERY == 0:
                await self._queue_again()
            await self._double()
        except Exception as error:
            if not _is_away(error):
                raise
            return False
        return True

    async def reach(self, share: float, of: int) -> None:
        """Go on, from the beginning again if need be, until that share has been doubled.

        The last fault may be a broker killed: what cannot be sent yet is tried again until it is back.
        """
        async with asyncio.timeout(BACK_WITHIN):
            while self.sent < share * of:
                try:
                    if not await self._double():
                        self._seen = UUID(int=0)
                except Exception as error:
                    if not _is_away(error):
                        raise
                    await asyncio.sleep(0.1)

    async def _double(self) -> bool:
        new = (
            select(event_log.c.id, event_log.c.type, event_log.c.body)
            .where(event_log.c.id > self._seen)
            .order_by(event_log.c.id)
            .limit(ROUND)
        )
        async with self._database.transaction() as tx:
            rows = (await tx.execute(new)).all()
        copies = [row for row in rows if self._chance.random() < 1.2 * SHARE]
        self._chance.shuffle(copies)
        while copies:
            size = self._chance.randint(1, 20)
            group, copies = copies[:size], copies[size:]
            await self._way.send(group, self._chance.choice(("live", "bulk")))
            self.sent += len(group)
        if rows:
            self._seen = rows[-1].id
        return len(rows) == ROUND

    async def _queue_again(self) -> None:
        since = clock.now() - RESENT
        async with self._database.transaction() as tx:
            self.queued_again += await queue_again(tx, since, TOPOLOGY.listened_from("maker"))
