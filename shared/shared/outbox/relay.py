"""From the outbox to the bus: claims what waits, sends it in batches, forgets exactly what was confirmed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Row, Uuid, bindparam, text

from shared import crash
from shared.bus.contract import Bus, ListenerMissing, Message, Outcome
from shared.clock import clock, uuid7_floor
from shared.db import Database, Tx
from shared.db.tx import Lane
from shared.errors import Outage
from shared.outbox.resend import queue_again

MOST_CLAIMED: Final = 1000
MOST_EVENTS: Final = 100  # in one message
MOST_BYTES: Final = 128 * 1024  # in one message; a larger event travels alone
POLL_SECONDS: Final = 0.25
# Transactions commit out of id order: how far behind the newest claim an id may still turn up…
_LATE: Final = timedelta(seconds=5)
# …and how often everything is looked at again, for those that were later still.
_RESCAN: Final = timedelta(seconds=10)

_NOTHING: Final = UUID(int=0)

# The floor keeps the scan away from the dead entries that deleted rows leave at the start of the index.
_WAITING: Final = """
    SELECT event_id, type, lane FROM outbox
    WHERE lane = '{lane}' AND event_id > :floor AND (retry_at IS NULL OR retry_at <= :now)
    ORDER BY event_id LIMIT :most
    FOR UPDATE SKIP LOCKED
"""
# What is bulk is looked for, and locked, only as far as the live events leave room.
_CLAIM = text(
    f"""
    WITH live AS ({_WAITING.format(lane="live")}), bulk AS ({_WAITING.format(lane="bulk")}),
         claimed AS (SELECT * FROM live UNION ALL SELECT * FROM bulk LIMIT :most)
    SELECT claimed.*, event_log.body FROM claimed JOIN event_log ON event_log.id = claimed.event_id
    """
).bindparams(bindparam("floor", type_=Uuid), bindparam("most", type_=Integer))

_FORGET = text("DELETE FROM outbox WHERE lane = :lane AND event_id = ANY(CAST(:ids AS uuid[]))").bindparams(
    bindparam("ids", type_=ARRAY(Uuid))
)

_LATER = text(
    """
    UPDATE outbox
    SET attempts = attempts + 1,
        retry_at = CAST(:now AS timestamptz) + least(60, power(2, least(attempts, 6))) * interval '1 second'
    WHERE lane = :lane AND event_id = ANY(CAST(:ids AS uuid[]))
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


class Unconfirmed(Outage):
    """{count} messages were not confirmed in time; they stay queued and are sent again."""


class Relay:
    """Sends the events of one service; any number of replicas run side by side."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._woken = asyncio.Event()
        self._floor = _NOTHING
        self._rescan_at: datetime | None = None
        self._probing = False
        self._suspect_since: datetime | None = None

    def wake(self) -> None:
        """Something was committed to the outbox in this process."""
        self._woken.set()

    async def run(self) -> None:
        """Send for ever; raises `Outage` when the bus is out of reach, to be called again after a pause."""
        while True:
            self._woken.clear()
            while await self.pump() == MOST_CLAIMED:
                pass
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()

    async def flush(self) -> None:
        """Send all that waits, once, before the process ends."""
        while await self.pump() == MOST_CLAIMED:
            pass

    async def pump(self) -> int:
        """Claim and send once; returns how many events were claimed."""
        await self._check_sendable()
        most = 1 if self._probing else MOST_CLAIMED  # after a failure one event tries the way first
        async with self._database.transaction() as tx:
            claimed = await self._claim(tx, most)
            if not claimed:
                self._probing = False
                return 0
            crash.reach("relay.claimed")
            messages = list(batched(claimed))
            outcomes = await self._bus.publish(tx, messages)
            crash.reach("relay.published")
            await _settle(tx, messages, outcomes)
        self._bus.published(messages)
        unknown = outcomes.count(Outcome.UNKNOWN)
        self._probing = unknown > 0
        if unknown:
            raise Unconfirmed(count=unknown)
        return len(claimed) if most > 1 else MOST_CLAIMED

    async def _check_sendable(self) -> None:
        try:
            await self._bus.check_sendable()
        except ListenerMissing as missing:
            self._suspect_since = min(self._suspect_since or missing.since, missing.since)
            raise
        except Outage:
            self._probing = True
            raise
        if self._suspect_since is not None:
            # A queue was gone: the broker confirmed what only the other queues received.
            since = self._suspect_since
            await self._database.transact(lambda tx: queue_again(tx, since, self._database.listening))
            self._suspect_since = None

    async def _claim(self, tx: Tx, most: int) -> Sequence[Row[Any]]:
        now = clock.now()
        if self._rescan_at is None or now >= self._rescan_at:
            self._floor, self._rescan_at = _NOTHING, now + _RESCAN
        found = await tx.execute(_CLAIM, {"floor": self._floor, "now": now, "most": most})
        rows = found.all()
        if len(rows) < most:
            self._floor = uuid7_floor(now - _LATE)
        return rows


def batched(rows: Iterable[Row[Any]]) -> Iterator[Message]:
    """Events of one type and lane, at most 100 and 128 KiB in a message."""

    def kind(row: Row[Any]) -> tuple[str, str]:
        return row.type, row.lane

    for (type, lane), group in groupby(sorted(rows, key=kind), key=kind):
        ids: list[UUID] = []
        bodies: list[bytes] = []
        size = 0
        for row in group:
            body = row.body.encode()
            if ids and (len(ids) == MOST_EVENTS or size + len(body) > MOST_BYTES):
                yield Message(type, lane, tuple(ids), b"[" + b",".join(bodies) + b"]")  # type: ignore[arg-type]
                ids, bodies, size = [], [], 0
            ids.append(row.event_id)
            bodies.append(body)
            size += len(body)
        yield Message(type, lane, tuple(ids), b"[" + b",".join(bodies) + b"]")  # type: ignore[arg-type]


async def _settle(tx: Tx, messages: Sequence[Message], outcomes: Sequence[Outcome]) -> None:
    settled: defaultdict[tuple[Outcome, Lane], list[UUID]] = defaultdict(list)
    for message, outcome in zip(messages, outcomes, strict=True):
        settled[outcome, message.lane] += message.event_ids
    for (outcome, lane), ids in settled.items():
        if outcome is Outcome.CONFIRMED:
            await tx.execute(_FORGET, {"lane": lane, "ids": sorted(ids)})
        elif outcome is Outcome.RETURNED:
            await tx.execute(_LATER, {"lane": lane, "ids": sorted(ids), "now": clock.now()})
