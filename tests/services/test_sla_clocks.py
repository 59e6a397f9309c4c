"""Events in, clocks and events out, on a real database."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import pytest_asyncio
from sla_monitor.alerts.actions import judge_due
from sla_monitor.app import service
from sqlalchemy import text

from shared.clock import clock, uuid7
from shared.db import Database
from shared.db.provision import provision, role_url
from shared.events import Event, Payload
from shared.events.dispatch import (
    AssignmentAccepted,
    AssignmentDeclined,
    EngineerArrived,
    OwnerChanged,
    TicketAssigned,
    TicketClosed,
    TicketOpened,
    TicketRegraded,
    VisitAgreed,
)
from shared.events.envelope import event_model
from shared.events.intake import CallEnded, CallRang, RequestAnswered, RequestRegistered
from shared.events.terms import Severity, Site
from shared.inbox import Receiver

ENGINEER, OTHER, LEAD = UUID(int=1), UUID(int=2), UUID(int=3)
SITE = Site(region="east", city="shanghai")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def shanghai(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """In November 2026: the 20th is a Friday."""
    return datetime(2026, 11, day, hour, minute, second, tzinfo=ZoneInfo("Asia/Shanghai"))


TEN = shanghai(20, 10)


@dataclass
class Desk:
    """The service with its database; events go in, rows and events come out."""

    database: Database
    admin: asyncpg.Connection
    versions: dict[UUID, int] = field(default_factory=dict)

    def event(self, subject: UUID, payload: Payload, at: datetime) -> bytes:
        version = self.versions[subject] = self.versions.get(subject, 0) + 1
        event: Event[Any] = event_model(type(payload))(
            id=uuid7(), source="/aftercare/test", type=payload.type, subject=str(subject),
            sequence=f"{version:010d}", time=at, data=payload,
        )  # fmt: skip
        return b"[" + event.model_dump_json(exclude_none=True).encode() + b"]"

    async def receive(self, *bodies: bytes) -> None:
        await Receiver(self.database, service.consumers).receive(bodies, "live")

    async def happen(self, subject: UUID, payload: Payload, at: datetime) -> None:
        await self.receive(self.event(subject, payload, at))

    async def tick(
        self, now: datetime, began: datetime = LONG_AGO, **watermarks: datetime
    ) -> datetime | None:
        return await self.database.transact(lambda tx: judge_due(tx, now, watermarks, began))

    async def clocks(self, subject: UUID) -> dict[str, asyncpg.Record]:
        rows = await self.admin.fetch(
            "SELECT * FROM sla.clock WHERE subject_id = $1 ORDER BY occurrence", subject
        )
        return {row["promise"]: row for row in rows}

    async def told(self, subject: UUID) -> list[tuple[str, dict[str, Any]]]:
        """The events about the clocks of `subject`, in order."""
        rows = await self.admin.fetch("SELECT body FROM sla.event_log ORDER BY id")
        events = [json.loads(row["body"]) for row in rows]
        return [
            (f"{each['data']['promise']} {each['type'].split('.')[1].removeprefix('clock_')}", each["data"])
            for each in events
            if each["data"]["about"] == str(subject)
        ]

    async def words(self, subject: UUID) -> list[str]:
        return [word for word, _ in await self.told(subject)]


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Desk]:
    name = f"test_{uuid7().hex}"
    await provision(postgres_url, name, ["sla"], str)
    await service.history.upgrade(role_url(postgres_url, "sla_owner", "sla_owner", name))
    database = Database("sla", role_url(postgres_url, "sla", "sla", name))
    admin = await asyncpg.connect(postgres_url.rpartition("/")[0] + f"/{name}")
    yield Desk(database, admin)
    await admin.close()
    await database.close()


def assigned(
    severity: Severity = "urgent", *, same_city: bool = True, engineer: UUID = ENGINEER
) -> TicketAssigned:
    return TicketAssigned(
        request_id=UUID(int=9), engineer_id=engineer, tier="senior", severity=severity, centre="SH1",
        same_city=same_city, site=SITE,
    )  # fmt: skip


async def test_a_ticket_is_clocked_from_assignment_to_arrival(desk: Desk) -> None:
    ticket = uuid7()
    await desk.happen(ticket, assigned(), TEN)
    await desk.happen(ticket, AssignmentAccepted(engineer_id=ENGINEER), TEN + timedelta(minutes=4))
    await desk.happen(ticket, EngineerArrived(engineer_id=ENGINEER), TEN + timedelta(hours=2))
    clocks = await desk.clocks(ticket)
    assert clocks["on_site"]["deadline"] == TEN + timedelta(hours=2)
    assert clocks["on_site"]["outcome"] == clocks["accept"]["outcome"] == "met"
    assert sorted(await desk.words(ticket)) == [
        "accept met",
        "accept started",
        "on_site met",
        "on_site started",
    ]
