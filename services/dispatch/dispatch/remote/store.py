"""Sessions of remote assistance."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, Column, DateTime, Integer, Table, Text, Uuid, select, update
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.remote.rules import Session
from dispatch.tables import among, metadata
from shared.db import Tx, insert_rows

remote_session: Final = Table(
    "remote_session",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("url", Text),
    Column("started_by", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("invited_at", DateTime(timezone=True)),
    Column("ended_by", Text),
    Column("ended_at", DateTime(timezone=True)),
    Column("participants", JSONB, nullable=False),
    Column("with_customer", Boolean, nullable=False),
    Column("recording_url", Text),
    comment="Remote assistance: who helped from afar, when and where; one of a ticket goes on at most.",
)
_CHANGING: Final = ("invited_at", "ended_by", "ended_at", "with_customer", "recording_url")


async def list_sessions(tx: Tx, ticket_id: UUID) -> list[Session]:
    """Of a ticket, the newest first."""
    chosen = select(remote_session).where(remote_session.c.ticket_id == ticket_id)
    found = await tx.execute(chosen.order_by(remote_session.c.id.desc()))
    return [_session_of(row) for row in found]


def _session_of(row: Any) -> Session:
    values = dict(row._mapping)
    return Session(**values | {"participants": tuple(map(UUID, values["participants"]))})


async def add_session(tx: Tx, session: Session) -> None:
    row = {each.name: getattr(session, each.name) for each in fields(Session)}
    await insert_rows(tx, remote_session, [row | {"participants": list(map(str, session.participants))}])


async def save_session(tx: Tx, session: Session) -> None:
    """What became of it since it began."""
    told: dict[str, Any] = {name: getattr(session, name) for name in _CHANGING}
    told["participants"] = list(map(str, session.participants))
    await tx.execute(update(remote_session).where(remote_session.c.id == session.id).values(told))


async def forget(tx: Tx, tickets: Collection[UUID]) -> None:
    """Where a customer was helped and where that is recorded; who helped when stays."""
    gone = {"url": None, "recording_url": None}
    await tx.execute(update(remote_session).where(among(remote_session.c.ticket_id, tickets)).values(gone))
