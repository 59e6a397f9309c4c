"""What an operator does to a running or stopped suite; the command line only prints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from allinone import access
from allinone.faults import NotUsable, OutOfReach
from allinone.services import SERVICES, topology
from dispatch.organisation.store import load_names
from shared.bus.declare import declare
from shared.clock import clock, made_at
from shared.db import Database, Tx
from shared.db.tables import dead_letter, outbox
from shared.inbox import Receiver
from shared.inbox.parked import replay_dead_letters
from shared.outbox.resend import queue_again

LETTERS_AT_ONCE: Final = 200
"""Dead letters of one transaction: their rows stay locked until its end."""


async def declare_topology() -> list[str]:
    """Exchanges and queues; returns the queues."""
    admin = access.admin_amqp_url()
    with access.reaching("RabbitMQ", access.ADMIN_AMQP, admin):
        return await declare(admin, topology())


@dataclass(frozen=True, slots=True)
class Queued:
    """Events of one type that were queued again."""

    service: str
    type: str
    events: int


async def resend(since: datetime, services: Sequence[str]) -> AsyncIterator[Queued]:
    """Queue everything published since then once more, type by type, each in a transaction of its own."""
    for name in services:
        async with _database(name) as database:
            for type in sorted(topology().listened_from(name)):
                again = partial(queue_again, since=since, listening=frozenset({type}))
                yield Queued(name, type, await database.transact(again))


async def dead_letters(services: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
    """Each dead letter, without its body: that may hold what a customer wrote."""
    shown = select(
        dead_letter.c.id,
        dead_letter.c.event_id,
        dead_letter.c.reason,
        dead_letter.c.error,
        dead_letter.c.attempts,
        dead_letter.c.lane,
    ).order_by(dead_letter.c.id)
    for name in services:
        async with _database(name) as database, database.transaction() as tx:
            for row in await tx.execute(shown):
                yield {
                    "service": name,
                    "id": str(row.id),
                    "event_id": str(row.event_id) if row.event_id else None,
                    "at": made_at(row.id).isoformat(),
                    "reason": row.reason,
                    "error": row.error,
                    "attempts": row.attempts,
                    "lane": row.lane,
                }


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a replay has come: letters of `total` that were tried, and those of them that live again."""

    tried: int
    revived: int
    total: int


async def replay(service: str, ids: Sequence[UUID] | None) -> AsyncIterator[Replayed]:
    """Give dead letters (all when `ids` is None) another five attempts; yields after each transaction.

    What stays dead cannot be read yet, is too old for the inbox, or is not there.
    """
    async with _database(service) as database:
        [value] = [each for each in SERVICES if each.name == service]
        receiver = Receiver(database, value.consumers)
        chosen = await database.transact(_all_letters) if ids is None else ids
        revived = 0
        for first in range(0, len(chosen), LETTERS_AT_ONCE):
            some = chosen[first : first + LETTERS_AT_ONCE]
            revived += await database.transact(partial(replay_dead_letters, receiver, ids=some))
            yield Replayed(first + len(some), revived, len(chosen))


async def _all_letters(tx: Tx) -> Sequence[UUID]:
    return (await tx.execute(select(dead_letter.c.id).order_by(dead_letter.c.id))).scalars().all()


async def unsent(service: str) -> int:
    """How many events wait in the outbox of a service."""
    async with _database(service) as database, database.transaction() as tx:
        found: int = (await tx.execute(select(func.count()).select_from(outbox))).scalar_one()
        return found


async def sync_clock(service: str) -> None:
    """Set the clock by the database that a service works with."""
    async with _database(service):
        pass


async def name_of(person: str) -> str | None:
    """What an employee is called; None for a program, and where dispatch's database is not at hand."""
    try:
        id = UUID(person)
        async with _database("dispatch") as database:
            return (await database.transact(partial(load_names, people=[id]))).get(id)
    except (ValueError, OutOfReach, NotUsable, DBAPIError):
        return None


@asynccontextmanager
async def _database(service: str) -> AsyncIterator[Database]:
    url = access.running_url(service)
    database = Database(service, url, pool_size=1)
    try:
        with access.reaching("PostgreSQL", access.service_variable(service), url):
            await clock.sync(database.time)
            yield database
    finally:
        await database.close()
