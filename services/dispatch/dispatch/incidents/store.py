"""What the service desk tells of incidents: how they stand, and which requests belong to them (R13)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Table, Text, Uuid, select

from dispatch.tables import among, metadata
from shared.db import Tx, insert_rows

incident_told: Final = Table(
    "incident_told",
    metadata,
    Column("incident_id", Uuid, primary_key=True),
    Column("title", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("recovery_at", DateTime(timezone=True)),
    Column("ended", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
)
incident_link: Final = Table(
    "incident_link",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("incident_id", Uuid, primary_key=True),
    Column("linked", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as the desk told of it last; all but the id is None where it told only that it exists."""

    id: UUID
    title: str | None
    cause: str | None
    recovery_at: datetime | None
    ended: bool | None
    version: int | None


_TOLD: Final = """
ON CONFLICT (incident_id) DO UPDATE SET title = EXCLUDED.title, cause = EXCLUDED.cause,
    recovery_at = EXCLUDED.recovery_at, ended = EXCLUDED.ended, version = EXCLUDED.version
    WHERE incident_told.version < EXCLUDED.version
"""
_LINKED: Final = """
ON CONFLICT (request_id, incident_id) DO UPDATE SET linked = EXCLUDED.linked, version = EXCLUDED.version
    WHERE incident_link.version < EXCLUDED.version
RETURNING request_id, incident_id, linked
"""


async def save_incidents(tx: Tx, rows: Iterable[dict[str, Any]]) -> None:
    """Each incident once, as it was told last."""
    await insert_rows(tx, incident_told, list(rows), tail=_TOLD)


async def save_links(tx: Tx, rows: Iterable[dict[str, Any]]) -> list[tuple[UUID, UUID, bool]]:
    """Each pair once; of which that is news: (request, incident, whether it belongs to it)."""
    news = await insert_rows(tx, incident_link, list(rows), tail=_LINKED)
    return [(row.request_id, row.incident_id, row.linked) for row in news]


async def load_incidents(tx: Tx, requests: Collection[UUID]) -> dict[UUID, list[Incident]]:
    """By request, the incidents that it belongs to, the newest first; requests in none are missing."""
    columns = [incident_told.c[name] for name in ("title", "cause", "recovery_at", "ended", "version")]
    joined = incident_link.outerjoin(
        incident_told, incident_link.c.incident_id == incident_told.c.incident_id
    )
    chosen = select(incident_link.c.request_id, incident_link.c.incident_id, *columns).select_from(joined)
    chosen = chosen.where(among(incident_link.c.request_id, requests), incident_link.c.linked)
    found: dict[UUID, list[Incident]] = {}
    for row in await tx.execute(chosen.order_by(incident_link.c.incident_id.desc())):
        told = Incident(row.incident_id, row.title, row.cause, row.recovery_at, row.ended, row.version)
        found.setdefault(row.request_id, []).append(told)
    return found
