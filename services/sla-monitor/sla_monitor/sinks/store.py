"""Sinks as they were set up and as they fare, and the notices made for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from shared.errors import AftercareError
from sla_monitor.sinks.rules import Terms
from sla_monitor.tables import metadata

_moment = DateTime(timezone=True)

sink = Table(
    "sink",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("config", JSONB, nullable=False),
    Column("secret", Text, nullable=False),
    Column("terms", JSONB, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("retired_at", _moment),
    Column("failures", Integer, nullable=False),
    Column("failing_since", _moment),
    Column("resume_at", _moment),
    Column("last_error", Text),
    Column("last_sent_at", _moment),
    Column("version", BigInteger, nullable=False),
)
notice = Table(
    "notice",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("alert_id", Uuid, nullable=False),
    Column("sink_id", Uuid, nullable=False),
    Column("rung", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("tell", JSONB, nullable=False),
    Column("owner", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("promise", Text, nullable=False),
    Column("raised_at", _moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("message_id", Uuid),
)


class SinkUnknown(AftercareError):
    """There is no sink {id}."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Sink:
    """A sink as it was set up, and how it fares."""

    id: UUID
    kind: str
    name: str
    config: Mapping[str, Any]
    secret: str = field(repr=False)
    terms: Terms
    enabled: bool
    failures: int
    failing_since: datetime | None
    resume_at: datetime | None
    last_error: str | None
    last_sent_at: datetime | None
    version: int


def _sink(row: Any) -> Sink:
    known = {name: getattr(row, name) for name in Sink.__slots__ if name != "terms"}
    return Sink(**known, terms=Terms.model_validate(row.terms))


_ALL: Final = text("SELECT * FROM sink WHERE retired_at IS NULL ORDER BY name, id")
_ONE: Final = text("SELECT * FROM sink WHERE id = :id AND retired_at IS NULL")
_HOLD: Final = text("SELECT * FROM sink WHERE id = :id AND retired_at IS NULL FOR NO KEY UPDATE")
_LISTENING: Final = text("SELECT id, terms FROM sink WHERE enabled AND retired_at IS NULL ORDER BY id")
_SINK_TAIL: Final = """
    ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, config = EXCLUDED.config, secret = EXCLUDED.secret,
        terms = EXCLUDED.terms, enabled = EXCLUDED.enabled, failures = 0, failing_since = NULL,
        resume_at = NULL, last_error = NULL, version = EXCLUDED.version
"""
_RETIRE: Final = text("UPDATE sink SET retired_at = :now, version = version + 1 WHERE id = :id")


async def list_sinks(tx: Tx) -> list[Sink]:
    """All sinks, by name."""
    return [_sink(row) for row in await tx.execute(_ALL)]


async def load_sink(tx: Tx, id: UUID) -> Sink:
    """A sink; `SinkUnknown` when there is none."""
    return await _one(tx, _ONE, id)


async def lock_sink(tx: Tx, id: UUID) -> Sink:
    """A sink, held for a change; `SinkUnknown` when there is none."""
    return await _one(tx, _HOLD, id)


async def _one(tx: Tx, query: Any, id: UUID) -> Sink:
    row = (await tx.execute(query, {"id": id})).first()
    if row is None:
        raise SinkUnknown(id=id)
    return _sink(row)


async def load_listening(tx: Tx) -> list[tuple[UUID, Terms]]:
    """The sinks that are told of alerts now, and on which terms."""
    return [(row.id, Terms.model_validate(row.terms)) for row in await tx.execute(_LISTENING)]


async def save_sink(tx: Tx, each: Sink) -> None:
    """Store a sink as it was set up; how it fared before is forgotten, so that it is tried at once."""
    row = {name: getattr(each, name) for name in Sink.__slots__}
    row |= {"config": dict(each.config), "terms": each.terms.model_dump(mode="json")}
    row |= {"failures": 0, "failing_since": None, "resume_at": None, "last_error": None}
    await insert_rows(tx, sink, [row], tail=_SINK_TAIL)


async def retire_sink(tx: Tx, id: UUID) -> None:
    """It is told nothing any more; what it was told stays known."""
    await tx.execute(_RETIRE, {"id": id, "now": tx.now})


async def save_notices(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add notices, each (alert, rung, sink) once."""
    await insert_rows(tx, notice, rows, tail="ON CONFLICT (alert_id, rung, sink_id) DO NOTHING")


# Only those that were told of an alert hear what became of it.
_FOLLOWING: Final = text(
    """
    SELECT alert_id, sink_id, notice.promise,
           (array_agg(owner ORDER BY notice.raised_at DESC, notice.id DESC))[1] AS owner,
           (array_agg(notice.region ORDER BY notice.raised_at DESC, notice.id DESC))[1] AS region,
           CASE WHEN bool_or(clock.revision > alert.revision) THEN 'retraction' ELSE 'ended' END AS what,
           jsonb_agg(tell ORDER BY notice.raised_at) AS tells
    FROM notice JOIN alert ON alert.id = alert_id JOIN clock ON clock.id = clock_id
         JOIN sink ON sink.id = sink_id
    WHERE clock_id = ANY(CAST(:clocks AS uuid[])) AND notice.state <> 'moot'
      AND notice.what NOT IN ('retraction', 'ended')
      AND (clock.revision > alert.revision
           OR ((clock.stopped_at IS NOT NULL OR clock.outcome = 'cancelled')
               AND sink.kind = ANY(CAST(:told_ends AS text[]))))
    GROUP BY alert_id, sink_id, notice.promise
    """
).bindparams(bindparam("clocks", type_=ARRAY(Uuid)), bindparam("told_ends", type_=ARRAY(Text)))


async def load_following(tx: Tx, clocks: Sequence[UUID], told_ends: Sequence[str]) -> Sequence[Any]:
    """Which sinks were told of alerts of `clocks` that were wrong, or are over by now, and whom they told.

    That they are over is for the kinds `told_ends` only.
    """
    return (await tx.execute(_FOLLOWING, {"clocks": sorted(clocks), "told_ends": list(told_ends)})).all()


# A message that is overdue for so long says that nobody is sending, whatever the attempts say.
_OVERDUE: Final = timedelta(minutes=1)
_FAILING: Final = text(
    """
    SELECT sink.id, sink.kind, sink.name, sink.failing_since, sink.last_error, waits.number AS waiting,
           waits.oldest AS waiting_since
    FROM sink CROSS JOIN LATERAL (
        SELECT count(*) AS number, min(made_at) AS oldest, min(next_attempt_at) AS due FROM message
        WHERE sink_id = sink.id AND next_attempt_at IS NOT NULL
    ) AS waits
    WHERE enabled AND retired_at IS NULL AND (failing_since IS NOT NULL OR waits.due < :overdue)
    ORDER BY coalesce(failing_since, waits.due), sink.id
    """
)


@dataclass(frozen=True, slots=True)
class Failing:
    """A sink that does not deliver: since when it fails, what it said last, and how many messages wait."""

    id: UUID
    kind: str
    name: str
    failing_since: datetime | None
    last_error: str | None
    waiting: int
    waiting_since: datetime | None


async def load_failing(tx: Tx) -> list[Failing]:
    """The sinks that do not deliver at present, the longest first."""
    found = await tx.execute(_FAILING, {"overdue": tx.now - _OVERDUE})
    return [Failing(**row) for row in found.mappings()]
