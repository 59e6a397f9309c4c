"""The versions of the urgent policy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, DateTime, Integer, Table, Text, cast, select
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.tables import metadata
from dispatch.urgent.policy import Policy, shipped
from shared.db import Tx, insert_rows

Row = Mapping[str, Any]

urgent_policy: Final = Table(
    "urgent_policy",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("note", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    comment="Every version of the urgent policy there was; append-only. Without any, what ships counts.",
)


async def load_policy(tx: Tx) -> tuple[Policy, int]:
    """The policy in force and its version: 0 while it is what ships."""
    newest = select(cast(urgent_policy.c.body, Text).label("body"), urgent_policy.c.version)
    row = (await tx.execute(newest.order_by(urgent_policy.c.version.desc()).limit(1))).first()
    return (_policy(row.body), row.version) if row else (shipped(), 0)


@lru_cache(maxsize=8)
def _policy(body: str) -> Policy:
    return Policy.model_validate_json(body)


async def list_policies(tx: Tx, before: int | None = None, limit: int = 1) -> list[Row]:
    """The versions, the newest first."""
    chosen = select(urgent_policy).order_by(urgent_policy.c.version.desc()).limit(limit)
    if before is not None:
        chosen = chosen.where(urgent_policy.c.version < before)
    return [dict(row) for row in (await tx.execute(chosen)).mappings()]


async def save_policy(tx: Tx, version: int, body: Mapping[str, Any], note: str, by: str) -> None:
    row = {"version": version, "body": body, "note": note, "made_by": by, "made_at": tx.now}
    await insert_rows(tx, urgent_policy, [row])
