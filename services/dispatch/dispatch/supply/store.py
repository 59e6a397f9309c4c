"""What a ticket has asked the parts desk for, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Table, Text, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.tables import among, metadata
from shared.db import Tx, insert_rows

requisition: Final = Table(
    "requisition",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("missing", JSONB, nullable=False),
    Column("held_until", DateTime(timezone=True)),
    Column("version", BigInteger, nullable=False),
    Column("told_at", DateTime(timezone=True), nullable=False),
    comment="`version` is the parts desk's; 0 until it has answered.",
)

_NEWEST: Final = """
ON CONFLICT (id) DO UPDATE SET state = EXCLUDED.state, missing = EXCLUDED.missing,
    held_until = EXCLUDED.held_until, version = EXCLUDED.version, told_at = EXCLUDED.told_at,
    lines = CASE WHEN EXCLUDED.lines = '[]' THEN requisition.lines ELSE EXCLUDED.lines END
WHERE requisition.version < EXCLUDED.version
"""


async def save_requisitions(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each row is the whole state of one requisition; an older version than what is stored is passed over."""
    newest = {row["id"]: row for row in sorted(rows, key=lambda row: row["version"])}
    await insert_rows(tx, requisition, list(newest.values()), tail=_NEWEST)


async def list_requisitions(tx: Tx, tickets: Collection[UUID]) -> list[Mapping[str, Any]]:
    """What `tickets` asked for, the newest first."""
    chosen = (
        select(requisition).where(among(requisition.c.ticket_id, tickets)).order_by(requisition.c.id.desc())
    )
    return [dict(row) for row in (await tx.execute(chosen)).mappings()]
