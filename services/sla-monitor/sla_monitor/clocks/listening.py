"""What all replicas together have heard: an event that one of them holds is not known to the others yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, DateTime, Integer, Table, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.clock import uuid7
from shared.db import Tx
from sla_monitor.tables import metadata

EVERY: Final = timedelta(milliseconds=200)
# What a replica held when it died is with another one within this time.
HANDED_ON: Final = timedelta(seconds=4)
# By then the broker has given up on one that is frozen, and handed on what it held.
GIVEN_UP: Final = timedelta(seconds=30)
# Every process that ever ran leaves a row.
FORGOTTEN: Final = timedelta(hours=1)
HOLD: Final = "5s"
"""How long a judging transaction may stand still."""

listener = Table(
    "listener",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("heard", JSONB, nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("connection", Integer, nullable=False),
    Column("connected_at", DateTime(timezone=True), nullable=False),
    comment="A replica: how far it has heard each producer, when it said so, and by which connection.",
)

# Nothing is lost with the last second of it, so no commit waits for the disk.
_LIGHTLY: Final = text("SET LOCAL synchronous_commit = off")
_TELL: Final = text(
    """
    WITH forgotten AS (DELETE FROM listener WHERE seen_at < :forgotten AND id <> :id)
    INSERT INTO listener (id, heard, seen_at, connection, connected_at)
    SELECT :id, :heard, :now, pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
    ON CONFLICT (id) DO UPDATE SET heard = EXCLUDED.heard, seen_at = EXCLUDED.seen_at,
        connection = EXCLUDED.connection, connected_at = EXCLUDED.connected_at
    """
).bindparams(bindparam("heard", type_=JSONB))
# Whoever has died has no connection any more; who is frozen keeps his. And who is frozen from here on loses
# this transaction soon, so that the others take over the clocks it held.
_OTHERS: Final = text(
    """
    SELECT set_config('idle_in_transaction_session_timeout', :hold, true),
        (SELECT coalesce(jsonb_agg(heard), '[]') FROM listener
         WHERE id <> :id AND (seen_at >= :handed_on OR seen_at >= :given_up AND EXISTS (
            SELECT FROM pg_stat_activity WHERE pid = connection AND backend_start = connected_at))) AS others
    """
).columns(others=JSONB)


class Listening:
    """Keeps this replica's row, and reads those of the others.

    heard_here  tells how far this process has heard each producer
    """

    def __init__(self, heard_here: Callable[[], Mapping[str, datetime]]) -> None:
        self._heard_here = heard_here
        self._id: UUID | None = None

    async def tick(self, tx: Tx, now: datetime) -> None:
        """Tell the others. They have to know of this replica before it takes anything into its hands."""
        self._id = self._id or uuid7()
        await tx.execute(_LIGHTLY)
        heard = {name: until.isoformat() for name, until in self._heard_here().items()}
        await tx.execute(_TELL, {"id": self._id, "heard": heard, "now": now, "forgotten": now - FORGOTTEN})

    async def heard(self, tx: Tx, now: datetime) -> Mapping[str, datetime]:
        """By producer: what it recorded before is known to every replica; empty before the first tick.

        First this replica, then the others: what it does not wait for may have gone to one of them. The
        transaction goes on to judge, and from now on may not stand still.
        """
        if self._id is None:
            return {}
        mine = self._heard_here()
        known = {"id": self._id, "handed_on": now - HANDED_ON, "given_up": now - GIVEN_UP, "hold": HOLD}
        others = [_instants(each) for each in (await tx.execute(_OTHERS, known)).one().others]
        return {
            name: min([until, *(each[name] for each in others)])
            for name, until in mine.items()
            if all(name in each for each in others)
        }


def _instants(heard: Mapping[str, Any]) -> Mapping[str, datetime]:
    return {name: datetime.fromisoformat(until) for name, until in heard.items()}
