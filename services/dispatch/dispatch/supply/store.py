"""What a ticket has asked the parts desk for, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Table, Text, Uuid, case, func, select
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
    Column("expected_at", DateTime(timezone=True)),
    Column("expected_version", BigInteger, nullable=False, server_default="0"),
    Column("ended_as", Text),
    Column("ended_version", BigInteger, nullable=False, server_default="0"),
    Column("used", JSONB, nullable=False, server_default="[]"),
    comment="`version` is the parts desk's; 0 before its answer. What it expects holds while it is newer.",
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


_EXPECTED: Final = """
ON CONFLICT (id) DO UPDATE
SET expected_at = EXCLUDED.expected_at, expected_version = EXCLUDED.expected_version
WHERE requisition.expected_version < EXCLUDED.expected_version
"""
_IS_EXPECTED: Final = requisition.c.expected_version > requisition.c.version


async def save_expected(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """When what is short is expected: id, ticket_id, expected_at (None: no more), its version, told_at."""
    unanswered: Mapping[str, Any] = {"state": "requested", "lines": [], "missing": [], "version": 0}
    newest = {row["id"]: row for row in sorted(rows, key=lambda row: row["expected_version"])}
    await insert_rows(tx, requisition, [{**unanswered, **row} for row in newest.values()], tail=_EXPECTED)


async def load_arrivals(tx: Tx, tickets: Collection[UUID]) -> dict[UUID, datetime]:
    """When the last of the parts that each ticket waits for are expected, where that is known."""
    last = func.max(requisition.c.expected_at).label("last")
    chosen = select(requisition.c.ticket_id, last).where(
        among(requisition.c.ticket_id, tickets), requisition.c.expected_at.is_not(None), _IS_EXPECTED
    )
    return {row.ticket_id: row.last for row in await tx.execute(chosen.group_by(requisition.c.ticket_id))}


_ENDED: Final = """
ON CONFLICT (id) DO UPDATE
SET ended_as = EXCLUDED.ended_as, ended_version = EXCLUDED.ended_version, used = EXCLUDED.used
WHERE requisition.ended_version < EXCLUDED.ended_version
"""


async def save_ends(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """What became of requisitions in the end: id, ticket_id, ended_as, ended_version, used lines, told_at."""
    unanswered: Mapping[str, Any] = {"state": "requested", "lines": [], "missing": [], "version": 0}
    newest = {row["id"]: row for row in sorted(rows, key=lambda row: row["ended_version"])}
    await insert_rows(tx, requisition, [{**unanswered, **row} for row in newest.values()], tail=_ENDED)


async def list_requisitions(tx: Tx, tickets: Collection[UUID]) -> list[Mapping[str, Any]]:
    """What `tickets` asked for, the newest first; `expected_at` where they are short and that is known."""
    expected_at = case((_IS_EXPECTED, requisition.c.expected_at)).label("expected_at")
    columns = [each for each in requisition.c if each.name != "expected_at"]
    chosen = select(*columns, expected_at).where(among(requisition.c.ticket_id, tickets))
    chosen = chosen.order_by(requisition.c.id.desc())
    return [dict(row) for row in (await tx.execute(chosen)).mappings()]
