"""Dispatch with the sample organisation on a real database: events and calls in, rows out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
from sqlalchemy import text
from sqlalchemy.engine import make_url

from contracts.serving import Served, serving
from dispatch.app import PACKAGE, service
from dispatch.invariants import VIOLATIONS
from dispatch.organisation.actions import import_organisation
from dispatch.organisation.rules import Organisation
from shared.clock import clock, uuid7
from shared.db import Database, Tx
from shared.events import Payload
from shared.events.envelope import event_model
from shared.events.intake import RequestReclassified, RequestRegistered
from shared.events.terms import Site
from shared.http.auth import Principal, Role, mint
from shared.http.etag import Precondition
from shared.inbox import Receiver

SAMPLE: Final = Organisation.model_validate_json((PACKAGE / "sample" / "organisation.json").read_text())


def person(number: int) -> UUID:
    """Somebody of the sample organisation, by the last digits of their id."""
    return UUID(f"01930000-0000-7000-8000-{number:012d}")


JUNIOR_A, JUNIOR_B, SENIOR_C, EXPERT_D, LEADER_E, SUPERVISOR_F, DUTY_LEAD_G = map(person, range(1, 8))
NORTH_DUTY_LEAD = person(16)
SHANGHAI = Site(region="east", city="shanghai", latitude=31.23, longitude=121.47)


def told(payload: Payload, subject: UUID, sequence: int = 1) -> bytes:
    """One event as it arrives."""
    event = event_model(type(payload))(
        id=uuid7(),
        type=payload.type,
        source=f"/aftercare/{payload.owner()}",
        subject=str(subject),
        sequence=f"{sequence:010d}",
        time=clock.now(),
        data=payload,
    )
    return event.model_dump_json(exclude_none=True).encode()


def registered(severity: str = "general", **changes: Any) -> RequestRegistered:
    asked = {"kind": "fault", "site": SHANGHAI, "title": "The pump makes a noise", "customer_id": uuid7()}
    return RequestRegistered(channel="email", severity=severity, **(asked | changes))


def reclassified(severity: str, **changes: Any) -> RequestReclassified:
    judged = {"kind": "fault", "by": person(24), "reason": "worse than it sounded"}
    return RequestReclassified(severity=severity, **(judged | changes))


@dataclass(frozen=True)
class Desk:
    """The service, and ways to talk to it."""

    served: Served
    receiver: Receiver
    admin: asyncpg.Connection

    @property
    def database(self) -> Database:
        return self.served.database

    async def hear(self, *events: bytes) -> None:
        """Take these in one message."""
        await self.receiver.receive([b"[" + b",".join(events) + b"]"], "live")

    async def ask(self, severity: str = "general", **changes: Any) -> UUID:
        """A new request; its id."""
        request_id = uuid7()
        await self.hear(told(registered(severity, **changes), request_id))
        return request_id

    async def rows(self, statement: str, **parameters: object) -> Sequence[Any]:
        async with self.database.transaction() as tx:
            return (await tx.execute(text(statement), parameters)).all()

    async def ticket(self, request_id: UUID) -> Any:
        """The row of the ticket of a request."""
        [row] = await self.rows("SELECT * FROM ticket WHERE request_id = :id", id=request_id)
        return row

    async def events(self, subject: UUID) -> list[tuple[str, int, dict[str, Any]]]:
        """What was told about a ticket: (type without owner and version, sequence, data)."""
        rows = await self.rows(
            "SELECT type, sequence, body FROM event_log WHERE subject = :id ORDER BY sequence, id",
            id=str(subject),
        )
        return [(row.type.split(".")[1], row.sequence, json.loads(row.body)["data"]) for row in rows]

    async def names(self, subject: UUID) -> list[str]:
        return [name for name, _, _ in await self.events(subject)]

    async def violations(self) -> dict[str, int]:
        """The invariants that do not hold."""
        async with self.database.transaction() as tx:
            counts = (await tx.execute(VIOLATIONS)).mappings().one()
        return {name: count for name, count in counts.items() if count}

    async def clear(self) -> None:
        """Forget everything, the organisation too."""
        tables = ("organisation", "person", "early_event", "requisition", "event_log", "outbox", "inbox")
        await self.admin.execute(f"TRUNCATE {', '.join(f'dispatch.{each}' for each in tables)} CASCADE")

    async def put(self, document: Organisation, seen: int) -> None:
        """Import an organisation on top of a version."""

        async def put(tx: Tx) -> None:
            await import_organisation(tx, document, Precondition(frozenset({str(seen)})), "admin")

        await self.database.transact(put)

    def client(self, who: UUID | str, *roles: Role, **limits: Any) -> httpx.AsyncClient:
        """A program that acts for somebody."""
        token = mint(
            Principal(str(who), frozenset(roles), **limits), self.served.settings, timedelta(hours=1)
        )
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.served.app),
            base_url=self.served.settings.public_url,
            headers={"authorization": f"Bearer {token}"},
        )

    async def browser(self, who: UUID | str, *roles: Role, language: str = "en") -> httpx.AsyncClient:
        """A signed-in browser without scripts."""
        token = mint(Principal(str(who), frozenset(roles)), self.served.settings, timedelta(hours=1))
        client = self.served.client()
        client.headers["accept-language"] = language
        assert (await client.post("/sign-in", data={"token": token})).status_code == 303
        return client


@asynccontextmanager
async def dispatching(admin_url: str) -> AsyncIterator[Desk]:
    """Dispatch on a fresh database of the server at `admin_url`, without an organisation yet."""
    async with serving(admin_url, service) as served:
        database = make_url(str(served.settings.database_url)).database
        url = make_url(admin_url).set(database=database).render_as_string(hide_password=False)
        admin = await asyncpg.connect(url)
        try:
            yield Desk(served, Receiver(served.database, service.consumers), admin)
        finally:
            await admin.close()
