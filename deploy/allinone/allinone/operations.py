"""What an operator does to a running or stopped suite; the command line only prints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.engine import make_url

from allinone import access
from allinone.services import SERVICES, topology
from shared.bus.declare import declare
from shared.clock import clock, made_at
from shared.db import Database
from shared.db.provision import provision
from shared.db.tables import dead_letter
from shared.inbox import Receiver
from shared.inbox.parked import replay_dead_letters
from shared.outbox.resend import queue_again


async def provision_all() -> None:
    """Database, roles and schemas, with the passwords that the services' URLs carry."""
    passwords = {}
    for name in access.NAMES:
        for url in (access.service_url(name), access.owner_url(name)):
            parsed = make_url(url)
            passwords[parsed.username or ""] = str(parsed.password or "")
    database = make_url(access.service_url(access.NAMES[0])).database or ""
    await provision(access.admin_database_url(), database, access.NAMES, passwords.__getitem__)


async def migrate_all() -> AsyncIterator[str]:
    """Bring each schema to head; yields each service when it is done."""
    for service in SERVICES:
        await service.history.upgrade(access.owner_url(service.name))
        yield service.name


async def declare_topology() -> list[str]:
    """Exchanges and queues; returns the queues."""
    return await declare(access.admin_amqp_url(), topology())


async def resend(since: datetime, services: Sequence[str]) -> AsyncIterator[tuple[str, int]]:
    """Queue everything published since then once more; yields (service, events)."""
    for name in services:
        async with _database(name) as database:
            listening = topology().listened_from(name)
            yield name, await database.transact(partial(queue_again, since=since, listening=listening))


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


async def replay(service: str, ids: Sequence[UUID] | None) -> int:
    """Give dead letters (all when `ids` is None) another five attempts; returns how many were revived."""
    [value] = [each for each in SERVICES if each.name == service]
    async with _database(service) as database:
        receiver = Receiver(database, value.consumers)
        async with database.transaction() as tx:
            if ids is None:
                ids = list((await tx.execute(select(dead_letter.c.id))).scalars())
            return await replay_dead_letters(receiver, tx, ids)


@asynccontextmanager
async def _database(service: str) -> AsyncIterator[Database]:
    database = Database(service, access.service_url(service), pool_size=1)
    try:
        await clock.sync(database.time)
        yield database
    finally:
        await database.close()
