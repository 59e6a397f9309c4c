"""sla-monitor's own loops with its own database, in this process; the watermarks are announced by hand."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from allinone.services import topology
from shared.clock import clock
from shared.context import ServiceContext
from shared.db import Database, Tx
from shared.events import Event, Payload
from shared.events.envelope import event_model
from shared.outbox.watermark import EVERY_SECONDS
from shared.settings import Settings
from sla_monitor.app import service

ALERTING: Final = ("sla.clock_breached.v1",)
# As a producer says it: what lies before has been sent, whatever its clock and ours differ by.
_BEHIND: Final = timedelta(milliseconds=250)

Told = Callable[[Sequence[UUID]], None]
"""Called with the clocks that a transaction told of, as soon as it is committed."""


def _nobody(clocks: Sequence[UUID]) -> None:
    """Until somebody wants to be told."""


class Watched(Database):
    """Says which clocks were told to be missed, once that is committed."""

    told: Told = staticmethod(_nobody)

    async def transact(self, work: Callable[[Tx], Awaitable[Any]], *, lane: Any = "live") -> Any:
        alerted: list[UUID] = []

        async def noted(tx: Tx) -> Any:
            result = await work(tx)
            alerted[:] = [UUID(draft.subject) for draft in tx.drafts if draft.type in ALERTING]
            return result

        result = await super().transact(noted, lane=lane)
        if alerted:
            self.told(alerted)
        return result


class Announcer:
    """Announces for every producer at the pace of a service, and remembers what it has said when.

    since  how far everything had been said to be sent, and when that was said
    """

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self.since: list[tuple[datetime, datetime]] = []

    async def run(self) -> None:
        while True:
            now = clock.now()
            self._context.watermarks.update(dict.fromkeys(("intake", "dispatch"), now - _BEHIND))
            self.since.append((now - _BEHIND, now))
            for told in self._context.on_heard:
                told()
            await asyncio.sleep(EVERY_SECONDS)

    def allowed(self, deadline: datetime) -> datetime:
        """When it was first said that everything before `deadline` had been sent."""
        return self.since[bisect_right(self.since, deadline, key=lambda said: said[0])][1]


def message(payload: Payload, subject: UUID, version: int, at: datetime | None = None) -> bytes:
    """One event as its owner sends it."""
    event: Event[Any] = event_model(type(payload))(
        id=clock.uuid7(),
        source=f"/aftercare/{payload.owner()}",
        type=payload.type,
        subject=str(subject),
        sequence=f"{version:010d}",
        time=at or clock.now(),
        data=payload,
    )
    return b"[" + event.model_dump_json(exclude_none=True).encode() + b"]"


@dataclass(frozen=True, slots=True)
class Running:
    """The service at work: who announces to it, and its database, whose `told` may be set."""

    announcer: Announcer
    database: Watched


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Running]:
    """The loops of the service at work."""
    settings = Settings.model_validate({"database_url": url, "bus": "memory"})
    database = Watched("sla", url, listening=topology().listened_from("sla"))
    context = ServiceContext("sla", database, settings)
    announcer = Announcer(context)
    try:
        async with asyncio.TaskGroup() as tasks:
            works = [announcer.run(), *(loop.run(database) for loop in service.loops(context))]
            started = [tasks.create_task(work) for work in works]
            yield Running(announcer, database)
            for each in started:
                each.cancel()
    finally:
        await database.close()
