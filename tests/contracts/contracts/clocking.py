"""sla-monitor on its own: what happened to tickets goes in, clocks, alerts and events come out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from chaos.databases import empty
from contracts.hearing import Hearing, hearing, told_event
from shared.clock import uuid7
from shared.events import Payload
from shared.events.dispatch import (
    AssignmentAccepted,
    EngineerArrived,
    TicketAssigned,
    TicketOpened,
    VisitAgreed,
)
from shared.events.terms import Severity, Site
from sla_monitor.alerts.actions import judge_due
from sla_monitor.app import service

ENGINEER, LEAD = UUID(int=1), UUID(int=2)
SITE = Site(region="east", city="shanghai")
ARRIVED = EngineerArrived(engineer_id=ENGINEER)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
TEN = datetime(2026, 11, 20, 10, tzinfo=ZoneInfo("Asia/Shanghai"))
"""Of an ordinary working Friday."""
MINUTE, HOUR, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)
DUE = TEN + 2 * HOUR
"""When the engineer of an urgent ticket in the same city must be on site (R54)."""


def assigned(severity: Severity = "urgent", *, same_city: bool = True) -> TicketAssigned:
    return TicketAssigned(
        request_id=UUID(int=9), engineer_id=ENGINEER, tier="senior", severity=severity, centre="SH1",
        same_city=same_city, site=SITE,
    )  # fmt: skip


def opened(severity: Severity = "urgent") -> TicketOpened:
    return TicketOpened(
        request_id=UUID(int=9), customer_id=UUID(int=8), customer_level="vip", kind="fault",
        severity=severity, site=SITE, title="The press stands still", owner_id=LEAD,
    )  # fmt: skip


def visit(starts_at: datetime) -> VisitAgreed:
    return VisitAgreed(
        visit_id=uuid7(), engineer_id=ENGINEER, starts_at=starts_at, ends_at=starts_at + HOUR,
        at_customers_wish=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Desk(Hearing):
    """The service with its database; `versions` are those of the subjects that were heard of."""

    versions: dict[UUID, int] = field(default_factory=dict)

    async def clear(self) -> None:
        """Forget every ticket, with its clocks and what was told of them."""
        await empty(self.admin, "history, subject, clock, timer, alert, event_log, inbox")

    def event(self, subject: UUID, payload: Payload, at: datetime) -> bytes:
        """What happened next to `subject`, as a message."""
        version = self.versions[subject] = self.versions.get(subject, 0) + 1
        return told_event(payload, subject=subject, version=version, at=at)

    async def happen(self, subject: UUID, payload: Payload, at: datetime) -> None:
        await self.receive(self.event(subject, payload, at))

    async def tick(self, now: datetime, began: datetime = LONG_AGO, **heard: datetime) -> datetime | None:
        """Judge all that is due at `now`, given the watermarks `heard`; when to look again."""
        again: datetime | None = now
        while again == now:
            again = await self.database.transact(lambda tx: judge_due(tx, now, heard, began))
        return again

    async def clock(self, subject: UUID, promise: str = "on_site") -> asyncpg.Record:
        query = "SELECT * FROM clock WHERE subject_id = $1 AND promise = $2"
        return await self.admin.fetchrow(query, subject, promise)

    async def told_about(self, subject: UUID, promise: str = "on_site") -> list[tuple[str, dict[str, Any]]]:
        """The events about one promise to `subject`, in order: what, and its data."""
        rows = await self.admin.fetch("SELECT body FROM event_log ORDER BY id")
        events = [json.loads(row["body"]) for row in rows]
        return [
            (each["type"].split(".")[1].removeprefix("clock_"), each["data"])
            for each in events
            if (each["data"]["about"], each["data"].get("promise")) == (str(subject), promise)
        ]

    async def words(self, subject: UUID, promise: str = "on_site") -> list[str]:
        return [word for word, _ in await self.told_about(subject, promise)]

    async def alerts(self, subject: UUID, promise: str = "on_site") -> list[tuple[int, int]]:
        """Threshold and revision of each alert about one promise to `subject`."""
        query = """
            SELECT threshold, alert.revision FROM alert JOIN clock ON clock.id = clock_id
            WHERE subject_id = $1 AND promise = $2 ORDER BY 2, 1
        """
        return [tuple(row) for row in await self.admin.fetch(query, subject, promise)]

    async def urgent(self, at: datetime = TEN) -> UUID:
        """A new urgent ticket in the same city, accepted at once."""
        ticket = uuid7()
        accepted = AssignmentAccepted(engineer_id=ENGINEER)
        await self.receive(self.event(ticket, assigned(), at), self.event(ticket, accepted, at + SECOND))
        return ticket


@asynccontextmanager
async def clocking(admin_url: str, *, public_url: str = "http://127.0.0.1:8000") -> AsyncIterator[Desk]:
    """sla-monitor on a fresh database of the server at `admin_url`."""
    async with hearing(admin_url, service, public_url=public_url) as heard:
        yield Desk(heard.service, heard.served, heard.admin)
