"""Who is moved by which criteria, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ConfigDict, Field
from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    Integer,
    Table,
    Text,
    Uuid,
    bindparam,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from shared.events.terms import Code, Severity
from shared.sent import Sent
from sla_monitor.tables import metadata

_moment = DateTime(timezone=True)

policy_move = Table(
    "policy_move",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("policy_version", Integer, nullable=False),
    Column("criteria", JSONB, nullable=False),
    Column("began_by", Text, nullable=False),
    Column("began_at", _moment, nullable=False),
    Column("total", Integer, nullable=False),
    Column("reached", Uuid),
    Column("moved", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("flipped", Integer, nullable=False),
    Column("ended_at", _moment),
)


class Criteria(Sent):
    """Which running subjects: those with a running clock that fits; nothing named is any."""

    model_config = ConfigDict(frozen=True)

    regions: tuple[Code, ...] | None = Field(default=None, max_length=200)
    promises: tuple[Code, ...] | None = Field(default=None, max_length=200)
    severities: tuple[Severity, ...] | None = None


@dataclass(frozen=True, slots=True)
class Moving:
    """A move of many subjects, begun by somebody; `reached` is the last subject dealt with."""

    id: UUID
    policy_version: int
    criteria: Criteria
    began_by: str
    began_at: datetime
    total: int
    reached: UUID | None
    moved: int
    changed: int
    flipped: int
    ended_at: datetime | None


_FITTING: Final = """
    FROM clock JOIN subject ON subject.id = clock.subject_id
    WHERE clock.outcome = 'running' AND clock.policy_version <> :version
      AND (CAST(:regions AS text[]) IS NULL OR subject.region = ANY(CAST(:regions AS text[])))
      AND (CAST(:promises AS text[]) IS NULL OR clock.promise = ANY(CAST(:promises AS text[])))
      AND (CAST(:severities AS text[]) IS NULL OR clock.severity = ANY(CAST(:severities AS text[])))
"""
_LISTS: Final = [bindparam(name, type_=ARRAY(Text)) for name in ("regions", "promises", "severities")]
_COUNT: Final = text(f"SELECT count(DISTINCT clock.subject_id) {_FITTING}").bindparams(*_LISTS)
_NEXT: Final = text(
    f"""
    SELECT DISTINCT clock.subject_id {_FITTING}
      AND (CAST(:reached AS uuid) IS NULL OR clock.subject_id > :reached)
    ORDER BY clock.subject_id LIMIT :limit
    """
).bindparams(*_LISTS)


def _asked(version: int, criteria: Criteria) -> dict[str, Any]:
    lists = {name: None if value is None else list(value) for name, value in criteria}
    return {"version": version, **lists}


async def count_fitting(tx: Tx, version: int, criteria: Criteria) -> int:
    """How many running subjects obey another version than `version`."""
    return int((await tx.execute(_COUNT, _asked(version, criteria))).scalar_one())


async def list_fitting(
    tx: Tx, version: int, criteria: Criteria, reached: UUID | None, limit: int
) -> Sequence[UUID]:
    """The next of them after `reached`, in order."""
    asked = {**_asked(version, criteria), "reached": reached, "limit": limit}
    return (await tx.execute(_NEXT, asked)).scalars().all()


async def save_moving(tx: Tx, moving: Moving) -> None:
    """Note that a move begins."""
    row = {name: getattr(moving, name) for name in Moving.__slots__}
    await insert_rows(tx, policy_move, [{**row, "criteria": moving.criteria.model_dump(mode="json")}])


_OLDEST: Final = (
    select(policy_move.c.id)
    .where(policy_move.c.ended_at.is_(None))
    .order_by(policy_move.c.began_at, policy_move.c.id)
    .limit(1)
    .scalar_subquery()
)
_OPEN: Final = (
    select(policy_move)
    .where(policy_move.c.id == _OLDEST, policy_move.c.ended_at.is_(None))
    .with_for_update(skip_locked=True)
)


async def claim_moving(tx: Tx) -> Moving | None:
    """The oldest move that is not done, held; None when there is none or another process holds it.

    Never the one after it: of two moves of one subject the later shall hold.
    """
    row = (await tx.execute(_OPEN)).first()
    return _moving(row) if row else None


async def list_moving(tx: Tx, version: int, limit: int = 50) -> Sequence[Moving]:
    """The moves to a version, the latest first."""
    query = select(policy_move).where(policy_move.c.policy_version == version)
    latest = query.order_by(policy_move.c.began_at.desc(), policy_move.c.id.desc()).limit(limit)
    return tuple(map(_moving, await tx.execute(latest)))


async def save_progress(tx: Tx, moving: Moving) -> None:
    """Note how far a move has come."""
    progress = {
        name: getattr(moving, name) for name in ("reached", "moved", "changed", "flipped", "ended_at")
    }
    await tx.execute(update(policy_move).where(policy_move.c.id == moving.id).values(progress))


def _moving(row: Any) -> Moving:
    return Moving(**{**row._mapping, "criteria": Criteria.model_validate(row.criteria)})
