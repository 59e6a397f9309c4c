"""Histories, subjects, clocks and their timers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    Interval,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows, insert_together
from sla_monitor.clocks.rules.changes import StoredClock, Timer
from sla_monitor.clocks.rules.history import Happening, Subject, in_order
from sla_monitor.clocks.rules.timeline import Pause
from sla_monitor.tables import metadata

_moment = DateTime(timezone=True)

history = Table(
    "history",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at", _moment, nullable=False),
    Column("facts", JSONB, nullable=False),
)

subject = Table(
    "subject",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("title", Text),
    Column("region", Text),
    Column("severity", Text),
    Column("product_line", Text),
    Column("customer_level", Text),
    Column("owner_id", Uuid),
    Column("first_at", _moment, nullable=False),
    Column("team", Text),
    Column("channel", Text),
    Column("request_id", Uuid),
)

clock = Table(
    "clock",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("subject_id", Uuid, nullable=False),
    Column("promise", Text, nullable=False),
    Column("occurrence", BigInteger, nullable=False),
    Column("requirement", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("allowance", Interval, nullable=False),
    Column("severity", Text),
    Column("started_at", _moment, nullable=False),
    Column("deadline", _moment, nullable=False),
    Column("standing", Boolean, nullable=False),
    Column("pause_reason", Text),
    Column("paused_from", _moment),
    Column("paused_until", _moment),
    Column("pause_by", Text),
    Column("pause_note", Text),
    Column("outcome", Text, nullable=False),
    Column("stopped_at", _moment),
    Column("reason", Text),
    Column("warned", SmallInteger, nullable=False),
    Column("alerted_at", _moment),
    Column("confirmed", Boolean),
    Column("policy_version", Integer, nullable=False),
    Column("calendar_version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("called", Boolean, nullable=False),
)

timer = Table(
    "timer",
    metadata,
    Column("clock_id", Uuid, primary_key=True),
    Column("threshold", SmallInteger, primary_key=True),
    Column("due_at", _moment, nullable=False),
    Column("awaits", Text, nullable=False),
)

Armed: TypeAlias = tuple[str, Sequence[Timer]]
"""Of a clock: the producers its verdict awaits, and when it is to be looked at."""

_FIXED: Final = {"id", "subject_id", "promise", "occurrence"}
_CLOCK_TAIL: Final = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(
    f"{column.name} = EXCLUDED.{column.name}" for column in clock.columns if column.name not in _FIXED
)
_SUBJECT_TAIL: Final = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(
    f"{column.name} = EXCLUDED.{column.name}" for column in subject.columns if column.name != "id"
)


async def save_happenings(tx: Tx, happenings: Iterable[tuple[UUID, Happening]]) -> None:
    """Add to the histories of subjects."""
    rows = [
        {
            "subject_id": subject_id,
            "event_id": each.id,
            "kind": each.kind,
            "sequence": each.sequence,
            "at": each.at,
            "facts": dict(each.facts),
        }
        for subject_id, each in happenings
    ]
    await insert_rows(tx, history, rows, tail="ON CONFLICT DO NOTHING")


async def load_histories(tx: Tx, subjects: Sequence[UUID]) -> dict[UUID, list[Happening]]:
    """All that is known to have happened to each of `subjects`."""
    found: dict[UUID, list[Happening]] = {}
    for row in await tx.execute(select(history).where(history.c.subject_id.in_(subjects))):
        happening = Happening(row.event_id, row.kind, row.sequence, row.at, row.facts)
        found.setdefault(row.subject_id, []).append(happening)
    return found


async def save_subjects(tx: Tx, subjects: Mapping[UUID, Subject]) -> None:
    """Store what is known of subjects now."""
    rows = [{"id": id, **asdict(each)} for id, each in subjects.items()]
    await insert_rows(tx, subject, rows, tail=_SUBJECT_TAIL)


async def lock_clocks(tx: Tx, subjects: Sequence[UUID]) -> dict[UUID, list[StoredClock]]:
    """The clocks of `subjects`, held until the transaction ends: no timer of theirs is judged meanwhile."""
    found: dict[UUID, list[StoredClock]] = {}
    query = select(clock).where(clock.c.subject_id.in_(subjects)).order_by(clock.c.id).with_for_update()
    for row in await tx.execute(query):
        found.setdefault(row.subject_id, []).append(stored(row))
    return found


async def load_clocks(tx: Tx, subject_id: UUID) -> list[StoredClock]:
    """The clocks of one subject, to look at."""
    return [stored(row) for row in await tx.execute(select(clock).where(clock.c.subject_id == subject_id))]


def stored(row: Any) -> StoredClock:
    """A row that has every column of the clock table, as a value."""
    known = {name: getattr(row, name) for name in StoredClock.__slots__ if name != "pause"}
    return StoredClock(**known, pause=pause_of(row))


def pause_of(row: Any) -> Pause | None:
    """The pause in a row that has its columns; only the reason tells whether there is one."""
    if row.pause_reason is None:
        return None
    return Pause(row.paused_from, row.paused_until, row.pause_reason, row.pause_by, row.pause_note)


def _row(each: StoredClock) -> dict[str, Any]:
    row = {name: getattr(each, name) for name in StoredClock.__slots__ if name != "pause"}
    pause = each.pause
    return {
        **row,
        "pause_reason": pause.reason if pause else None,
        "paused_from": pause.begins if pause else None,
        "paused_until": pause.ends if pause else None,
        "pause_by": pause.by if pause else None,
        "pause_note": pause.note if pause else None,
    }


async def save_armed(tx: Tx, clocks: Sequence[StoredClock], timers: Mapping[UUID, Armed]) -> None:
    """Store clocks, new ones and changed ones, and their timers, in one round trip."""
    rows = [_row(each) for each in clocks]
    await insert_together(tx, (clock, rows), (timer, _timer_rows(timers)), tails={clock: _CLOCK_TAIL})


async def save_clocks(tx: Tx, clocks: Sequence[StoredClock]) -> None:
    """Store clocks, new ones and changed ones."""
    await insert_rows(tx, clock, [_row(each) for each in clocks], tail=_CLOCK_TAIL)


_DISARM = text("DELETE FROM timer WHERE clock_id = ANY(CAST(:clocks AS uuid[]))").bindparams(
    bindparam("clocks", type_=ARRAY(Uuid))
)


async def disarm(tx: Tx, clocks: Collection[UUID]) -> None:
    """Forget all timers of `clocks`."""
    if clocks:
        await tx.execute(_DISARM, {"clocks": sorted(clocks)})


async def arm(tx: Tx, timers: Mapping[UUID, Armed]) -> None:
    """Add timers to clocks."""
    await insert_rows(tx, timer, _timer_rows(timers))


def _timer_rows(timers: Mapping[UUID, Armed]) -> list[dict[str, Any]]:
    return [
        {"clock_id": clock_id, "threshold": each.threshold, "due_at": each.due_at, "awaits": awaits}
        for clock_id, (awaits, armed) in timers.items()
        for each in armed
    ]


async def load_history(tx: Tx, subject_id: UUID) -> list[Happening]:
    """The history of one subject in order, empty when it is not known."""
    return in_order((await load_histories(tx, [subject_id])).get(subject_id, []))
