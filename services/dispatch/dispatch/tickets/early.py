"""Events about requests that were not seen yet: kept, and applied when the request arrives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Table, Uuid, delete
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.tables import among, metadata
from shared.db import Tx, insert_rows
from shared.events import Event
from shared.events.envelope import event_model
from shared.events.intake import RequestReclassified

early_event: Final = Table(
    "early_event",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("kept_at", DateTime(timezone=True), nullable=False),
)
_MODEL: Final = event_model(RequestReclassified)


async def keep_early(tx: Tx, events: Sequence[Event[RequestReclassified]]) -> None:
    rows = [
        {
            "event_id": event.id,
            "request_id": UUID(event.subject),
            "version": event.version,
            "data": event.model_dump(mode="json", exclude_none=True),
            "kept_at": tx.now,
        }
        for event in events
    ]
    await insert_rows(tx, early_event, rows)


async def take_early(tx: Tx, requests: Collection[UUID]) -> list[Event[RequestReclassified]]:
    """What was kept about `requests`, which is forgotten here: the caller applies it."""
    taken = delete(early_event).where(among(early_event.c.request_id, requests)).returning(early_event.c.data)
    return [_MODEL.model_validate(row.data) for row in await tx.execute(taken)]
