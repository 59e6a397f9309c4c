"""How far everything has been sent: lets a listener tell a missed promise from a delayed message."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from sqlalchemy import text

from shared.bus.contract import Bus, Watermark
from shared.clock import clock, made_at
from shared.db import Database

EVERY_SECONDS: Final = 0.25
# What the clocks of two replicas, and PostgreSQL's, may differ by.
_MARGIN: Final = timedelta(milliseconds=250)

# Every replica's transactions count, so every replica may speak for the service.
_OLDEST_OPEN = text(
    """
    SELECT min(xact_start) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = :name AND pid <> pg_backend_pid()
    """
)
# Each from its end of the index; PostgreSQL has no minimum of UUIDs before 18.
OLDEST_UNSENT: Final = """
    SELECT least((SELECT event_id FROM outbox WHERE lane = 'live' ORDER BY event_id LIMIT 1),
                 (SELECT event_id FROM outbox WHERE lane = 'bulk' ORDER BY event_id LIMIT 1))
"""
# On the memory bus an event is sent when its subscribers have committed it; on a broker the table is empty.
_UNSENT: Final = text(
    f"SELECT least(({OLDEST_UNSENT}),"
    " (SELECT event_id FROM delivery WHERE lane = 'live' ORDER BY event_id LIMIT 1))"
)


async def watermark(database: Database) -> Watermark:
    """Everything this service recorded before `until` has been sent."""
    asked = clock.now()
    async with database.transaction() as tx:
        # In this order: what commits between the two statements is seen by the second.
        open_since = (await tx.execute(_OLDEST_OPEN, {"name": f"aftercare-{database.service}-work"})).scalar()
        unsent = (await tx.execute(_UNSENT)).scalar()
    until = min(asked, open_since or asked, made_at(unsent) if unsent else asked)
    return Watermark(database.service, until - _MARGIN)


async def announce_for_ever(database: Database, bus: Bus) -> None:
    """Tell the bus every 250 ms."""
    while True:
        await bus.announce(await watermark(database))
        await asyncio.sleep(EVERY_SECONDS)
