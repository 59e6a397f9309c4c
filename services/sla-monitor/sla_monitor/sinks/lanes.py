"""One lane per sink: it gathers notices into messages, sends them and records what became of them.

A lane is a task of its own while its sink has something to do, so that one whose receiver hangs delays no
other. Nothing is sent within a transaction: a message is claimed for a while, sent, and recorded. After a
crash in between it is repeated if its receiver drops duplicates, else shown to a person as `unknown`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Gauge

from shared.clock import clock, uuid7
from shared.db import Database, Tx
from shared.http import metrics
from shared.inbox.failure import explain
from shared.outgoing import PATIENCE, BrokenOff, Forbidden, Outgoing
from sla_monitor.sinks import queue, store
from sla_monitor.sinks.kind import Kind, Parcel, SinkUnusable, Undelivered
from sla_monitor.sinks.messages import alert_of, body_of
from sla_monitor.sinks.registry import kind_of
from sla_monitor.sinks.rules import KEEP_TRYING, Group, gather, resume_at, retry_at
from sla_monitor.sinks.store import Sink

AT_ONCE: Final = 8  # messages of one sink on their way together
MOST: Final = 1_000  # notices gathered in one transaction
# Longer than any attempt takes: who holds a message so long is dead, or will not record it any more.
LEASE: Final = timedelta(seconds=4 * PATIENCE)
REST_OF_A_BUG: Final = 5.0  # seconds until a lane that broke is begun again

failing: Final = Gauge(
    "aftercare_sla_sinks_failing", "Sinks that do not deliver at present.", registry=metrics.registry
)

log = structlog.get_logger(__name__)


class Lanes:
    """The lanes of this process."""

    def __init__(self, database: Database, outgoing: Outgoing) -> None:
        self.database = database
        self.outgoing = outgoing
        self._lanes: dict[UUID, asyncio.Task[None]] = {}
        self._resting: dict[UUID, float] = {}

    async def tick(self, tx: Tx, now: datetime) -> None:
        """Begin a lane for every sink that has something to do and no lane yet."""
        self._forget_ended()
        for sink_id in await queue.list_due(tx, now):
            if sink_id not in self._lanes and self._resting.get(sink_id, 0.0) <= time.monotonic():
                self._lanes[sink_id] = asyncio.create_task(self.work(sink_id), name=f"sink {sink_id}")
        failing.set(len(await store.load_failing(tx)))

    async def stop(self) -> None:
        """End all lanes; what they were sending is found again when its lease is over."""
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        self._lanes.clear()
        await self.outgoing.close()

    async def settle(self) -> None:
        """Wait until no lane has anything to do at present."""
        while self._lanes:
            await asyncio.wait(self._lanes.values())
            self._forget_ended()

    def _forget_ended(self) -> None:
        for sink_id, lane in list(self._lanes.items()):
            if not lane.done():
                continue
            del self._lanes[sink_id]
            if not lane.cancelled() and (error := lane.exception()):
                log.warning("a sink's lane broke off", sink=str(sink_id), error=explain(error))
                self._resting[sink_id] = time.monotonic() + REST_OF_A_BUG

    async def work(self, sink_id: UUID) -> None:
        """Do all that one sink has to do now, until nothing is due or an attempt fails."""
        await self.database.transact(lambda tx: self._gather(tx, sink_id))
        while True:
            sink, claimed = await self.database.transact(lambda tx: self._claim(tx, sink_id))
            # All of them come to their end, also when one of them cannot be recorded.
            ended = await asyncio.gather(
                *(self._deliver(sink, each) for each in claimed), return_exceptions=True
            )
            for each in ended:
                if isinstance(each, BaseException):
                    raise each
            if not ended or not all(ended):
                return

    async def _gather(self, tx: Tx, sink_id: UUID) -> None:
        if not await queue.take_turn(tx, sink_id):
            return
        waiting = await queue.load_waiting(tx, sink_id, MOST)
        if not waiting:
            return
        terms = (await store.load_sink(tx, sink_id)).terms
        latest = await queue.load_latest(tx, sink_id, tx.now - timedelta(seconds=terms.window))
        groups = gather(waiting, latest, terms, tx.now).groups
        if groups:
            told = await queue.load_told(tx, groups)
            await self._make(tx, sink_id, groups, told)

    async def _make(self, tx: Tx, sink_id: UUID, groups: Sequence[Group], told: dict[UUID, Any]) -> None:
        rows: list[dict[str, Any]] = []
        listed: list[tuple[UUID, UUID]] = []
        for group in groups:
            notices = [told[each.id] for each in group.notices]
            alerts = [alert_of(each, self.outgoing.public_url) for each in notices]
            tell = [
                (role, UUID(person) if person else None) for each in notices for role, person in each.tell
            ]
            message, until = uuid7(), tx.now + KEEP_TRYING
            body = body_of(group.what, alerts, tell, tx.now)
            rows.append(queue.message_row(message, sink_id, group.what, group.key, body, tx.now, until))
            listed += [(each.id, message) for each in group.notices]
        await queue.save_messages(tx, rows, listed)

    async def _claim(self, tx: Tx, sink_id: UUID) -> tuple[Sink, Sequence[Any]]:
        sink = await store.load_sink(tx, sink_id)
        if not sink.enabled or (sink.resume_at and sink.resume_at > tx.now):
            return sink, ()
        # While it fails one message at a time asks whether it is well again.
        most = 1 if sink.failures else AT_ONCE
        repeat = kind_of(sink.kind).drops_duplicates
        return sink, await queue.claim_messages(tx, sink_id, tx.now, LEASE, most, repeat=repeat)

    async def _deliver(self, sink: Sink, claimed: Any) -> bool:
        kind = kind_of(sink.kind)
        after: timedelta | None = None
        try:
            async with asyncio.timeout(2 * PATIENCE):
                await kind.send(self._parcel(kind, sink, claimed))
        except Exception as error:  # whatever it is, it belongs to this message of this sink alone
            reason = _reason(error)
            after = error.after if isinstance(error, Undelivered) else None
            await self._record_failed(sink, claimed, reason, after)
            return False
        now = clock.now()
        await self.database.transact(
            lambda tx: queue.record_sent(tx, sink.id, claimed.id, claimed.attempts, now)
        )
        return True

    def _parcel(self, kind: Kind, sink: Sink, claimed: Any) -> Parcel:
        return Parcel(
            id=claimed.id,
            made_at=claimed.made_at,
            sent_at=clock.now(),
            body=claimed.body,
            config=kind.config.model_validate(sink.config),
            secret=sink.secret,
            terms=sink.terms,
            outgoing=self.outgoing,
        )

    async def _record_failed(self, sink: Sink, claimed: Any, reason: str, after: timedelta | None) -> None:
        now = clock.now()
        again = retry_at(claimed.attempts, now, claimed.retry_until, random.random())
        resume = resume_at(sink.failures + 1, now, random.random())
        if after is not None:
            resume = max(resume, now + after)
            again = max(again, min(resume, claimed.retry_until)) if again else None
        await self.database.transact(
            lambda tx: queue.record_failed(
                tx, sink.id, claimed.id, claimed.attempts, reason, now=now, again=again, resume=resume
            )
        )


def _reason(error: Exception) -> str:
    """Why an attempt failed, for people; without what was sent, and without secrets."""
    match error:
        case Undelivered():
            return error.reason
        case Forbidden() | SinkUnusable():
            return str(error)
        case TimeoutError():
            return f"no answer within {PATIENCE:g} s"
        case BrokenOff() | OSError():
            return f"cannot be reached ({type(error).__name__})"
        case _:
            return explain(error)
