"""Histories of other systems, kept apart from our own: what a replay may run over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, DateTime, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from shared.events import Event
from shared.events.intake import HistoryImported
from shared.inbox import Consumer, on
from sla_monitor.clocks.rules import Happening
from sla_monitor.clocks.rules.history import Facts
from sla_monitor.replay.reading import happenings_of
from sla_monitor.replay.rules import Recorded
from sla_monitor.tables import metadata

_moment = DateTime(timezone=True)

imported_history = Table(
    "imported_history",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("source", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("first_at", _moment, nullable=False),
    Column("last_at", _moment, nullable=False),
    Column("happenings", JSONB, nullable=False),
)

# The import that was made last holds, in whatever order they arrive.
_LATEST: Final = "ON CONFLICT (subject_id) DO UPDATE SET " + ", ".join(
    f"{column.name} = EXCLUDED.{column.name}" for column in imported_history.columns
) + " WHERE imported_history.event_id < EXCLUDED.event_id"  # fmt: skip


async def on_history_imported(tx: Tx, events: Sequence[Event[HistoryImported]]) -> None:
    """Keep histories for replays; no clock, alert or message comes of them."""
    latest = {event.subject: event for event in sorted(events, key=lambda event: event.id)}
    rows = [_row(event) for event in latest.values() if event.data.happenings]
    await insert_rows(tx, imported_history, rows, tail=_LATEST)


consumers: Final[tuple[Consumer, ...]] = (on(HistoryImported, on_history_imported),)


def _row(event: Event[HistoryImported]) -> dict[str, Any]:
    told = event.data.happenings
    return {
        "subject_id": UUID(event.subject),
        "source": event.data.source,
        "ticket": event.data.ticket,
        "event_id": event.id,
        "first_at": min(each.at for each in told).astimezone(UTC),
        "last_at": max(each.at for each in told).astimezone(UTC),
        "happenings": [_plain(each) for each in happenings_of(told)],
    }


@dataclass(frozen=True, slots=True)
class Source:
    """What was imported under one name; the last instant is that of the last thing that happened."""

    name: str
    tickets: int
    first_at: datetime
    last_at: datetime


_SOURCES: Final = text(
    """
    SELECT source AS name, count(*) AS tickets, min(first_at) AS first_at, max(last_at) AS last_at
    FROM imported_history WHERE CAST(:source AS text) IS NULL OR source = :source
    GROUP BY source ORDER BY source
    """
)


async def list_sources(tx: Tx, name: str | None = None) -> list[Source]:
    """All that was imported, or what was under `name`."""
    found = await tx.execute(_SOURCES, {"source": name})
    return [Source(row.name, row.tickets, row.first_at, row.last_at) for row in found]


# Each name found by the index from the one before: it is on every board.
_NAMES: Final = text(
    """
    WITH RECURSIVE known AS (
        SELECT min(source) AS name FROM imported_history
        UNION ALL
        SELECT (SELECT min(source) FROM imported_history WHERE source > name)
        FROM known WHERE name IS NOT NULL
    )
    SELECT name FROM known WHERE name IS NOT NULL LIMIT :most
    """
)
MOST_NAMES: Final = 50


async def list_names(tx: Tx) -> Sequence[str]:
    """The names under which histories were imported, some of them where there are very many."""
    return list((await tx.execute(_NAMES, {"most": MOST_NAMES})).scalars())


_ONE: Final = text(
    "SELECT subject_id, ticket, happenings FROM imported_history WHERE source = :source AND subject_id = :id"
).columns(happenings=JSONB)


async def load_one(tx: Tx, source: str, id: UUID) -> Recorded | None:
    """One imported ticket, if there is such a one."""
    row = (await tx.execute(_ONE, {"source": source, "id": id})).first()
    return None if row is None else read_row(row)


def read_row(row: Any) -> Recorded:
    """An imported ticket as a replay takes it."""
    told = [
        Happening(UUID(int=number), kind, number, datetime.fromisoformat(at), facts)
        for number, (kind, at, facts) in enumerate(row.happenings, start=1)
    ]
    return Recorded(row.subject_id, row.ticket, told)


def _plain(each: Happening) -> tuple[str, str, Facts]:
    """As JSON has it; in UTC."""
    return each.kind, each.at.isoformat(), each.facts
