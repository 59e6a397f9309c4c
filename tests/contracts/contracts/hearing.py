"""A served service with what reaches it as events, what it tells in turn, and a look behind the doors."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from sqlalchemy import event as engine_events
from sqlalchemy.engine import make_url

from contracts.serving import Served, serving
from shared.clock import clock, uuid7
from shared.db import Database
from shared.events import Event, Payload
from shared.events.envelope import event_model
from shared.http.auth import Principal, Role, mint
from shared.inbox import Receiver
from shared.process.service import Service


def told_event(
    payload: Payload, *, subject: UUID, version: int, at: datetime | None = None, id: UUID | None = None
) -> bytes:
    """A message of one event, as its owner would send it."""
    event: Event[Any] = event_model(type(payload))(
        id=id or uuid7(),
        source=f"/aftercare/{payload.owner()}",
        type=payload.type,
        subject=str(subject),
        sequence=f"{version:010d}",
        time=at or clock.now(),
        data=payload,
    )
    return b"[" + event.model_dump_json(exclude_none=True).encode() + b"]"


@dataclass(frozen=True)
class Hearing:
    """One service; `admin` may read and break everything in its database."""

    service: Service
    served: Served
    admin: asyncpg.Connection

    @property
    def database(self) -> Database:
        return self.served.database

    def replica(self, pool_size: int) -> Receiver:
        """One more process of the service; close its database afterwards."""
        url = str(self.served.settings.database_url)
        return Receiver(Database(self.service.name, url, pool_size=pool_size), self.service.consumers)

    async def receive(self, *messages: bytes) -> None:
        """Everything in one batch; a handler that fails is a fault of the test."""
        await Receiver(self.database, self.service.consumers).receive(messages, "live")
        assert await self.admin.fetch("SELECT type, error FROM parked") == []
        assert await self.admin.fetch("SELECT reason, error FROM dead_letter") == []

    async def told(self, subject: UUID | None = None) -> list[tuple[str, int, dict[str, Any]]]:
        """What it told: (name, sequence, data), in the order it was written."""
        rows = await self.admin.fetch(
            "SELECT type, sequence, body FROM event_log WHERE $1::text IS NULL OR subject = $1 ORDER BY id",
            str(subject) if subject else None,
        )
        return [(row["type"].split(".")[1], row["sequence"], json.loads(row["body"])["data"]) for row in rows]

    async def numbered(self, page: str) -> UUID:
        """The one request that `page` names by its number."""
        [number] = set(re.findall(r"\bR-([0-9]+)\b", page))
        found: UUID = await self.admin.fetchval("SELECT id FROM request WHERE number = $1", int(number))
        return found

    def client(self, *roles: Role, id: str = "desk.one", **scope: Any) -> httpx.AsyncClient:
        """A program with a token, or with none if it has no role."""
        headers = {}
        if roles:
            principal = Principal(id, frozenset(roles), **scope)
            headers["authorization"] = f"Bearer {mint(principal, self.served.settings, timedelta(hours=1))}"
        transport = httpx.ASGITransport(self.served.app)
        return httpx.AsyncClient(
            transport=transport, base_url=self.served.settings.public_url, headers=headers
        )

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """The statements that the service sends meanwhile."""
        sent: list[str] = []

        def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            sent.append(statement)

        engine = self.database.engine.sync_engine
        engine_events.listen(engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            engine_events.remove(engine, "before_cursor_execute", note)


@asynccontextmanager
async def hearing(
    admin_url: str, service: Service, *, public_url: str = "http://127.0.0.1:8000"
) -> AsyncIterator[Hearing]:
    """`service` alone, on a fresh database of the server at `admin_url`."""
    async with serving(admin_url, service, public_url=public_url) as served:
        name = make_url(str(served.settings.database_url)).database
        url = make_url(admin_url).set(database=name).render_as_string(hide_password=False)
        admin = await asyncpg.connect(url, server_settings={"search_path": service.name})
        try:
            yield Hearing(service, served, admin)
        finally:
            await admin.close()
