"""Alerts: the unique key (clock, threshold, revision) is the only right to alert.

Clocks are held before their alerts, in the order of their ids, everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Integer,
    Interval,
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.http.auth import Principal
from sla_monitor.alerts.ladder import ASSIGNED, GROUPED, INFORMED, People, people_of
from sla_monitor.alerts.rules import Alert
from sla_monitor.clocks.queries import ClockUnknown
from sla_monitor.clocks.rules.changes import StoredClock
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.clocks.store import stored
from sla_monitor.scope import WITHIN, limited, limits
from sla_monitor.tables import metadata

_moment = DateTime(timezone=True)

alert = Table(
    "alert",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("clock_id", Uuid, nullable=False),
    Column("threshold", SmallInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("raised_at", _moment, nullable=False),
    Column("acknowledged_by", Text),
    Column("acknowledged_at", _moment),
    Column("assigned_to", Uuid),
    Column("snoozed_until", _moment),
    Column("snooze_reason", Text),
    Column("version", BigInteger, nullable=False),
)
alert_deed = Table(
    "alert_deed",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("alert_id", Uuid, nullable=False),
    Column("at", _moment, nullable=False),
    Column("deed", Text, nullable=False),
    Column("by", Text),
    Column("detail", JSONB, nullable=False),
)
escalation = Table(
    "escalation",
    metadata,
    Column("alert_id", Uuid, primary_key=True),
    Column("minutes", Integer, primary_key=True),
    Column("due_at", _moment, nullable=False),
    Column("tell", JSONB, nullable=False),
)


SUBJECT: Final = ", ".join(
    "subject.severity AS subject_severity" if name == "severity" else f"subject.{name}"
    for name in Subject.__slots__
)
"""What a subject is read from, beside a clock that has a severity of its own."""


def subject_of(row: Any) -> Subject:
    """The subject in a row that has its columns, the severity as `subject_severity`."""
    known = {name: getattr(row, name) for name in Subject.__slots__ if name != "severity"}
    return Subject(**known, severity=row.subject_severity)


async def claim_alerts(tx: Tx, alerts: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Insert alerts; the ids of those that nobody had raised before."""
    rows = await insert_rows(
        tx,
        alert,
        alerts,
        tail="ON CONFLICT (clock_id, threshold, revision) DO NOTHING RETURNING id",
    )
    return {row.id for row in rows}


SUPERSEDED_BY: Final = """
    (SELECT more.id FROM alert AS more
     WHERE more.clock_id = alert.clock_id AND more.revision = alert.revision
       AND more.threshold > alert.threshold ORDER BY more.threshold DESC LIMIT 1)
"""
"""Of an alert: the one about the same clock that says the most, if that is another one."""


@dataclass(frozen=True, slots=True)
class Held:
    """An alert that is held for a change, with its clock and subject.

    superseded  whether another alert about the same clock says more
    """

    alert: Alert
    clock: StoredClock
    subject: Subject
    superseded: bool = False


_COLUMNS: Final = f"""
    alert.id AS alert_id, alert.threshold, alert.revision AS alert_revision, acknowledged_by,
    acknowledged_at, assigned_to, snoozed_until, snooze_reason, alert.version AS alert_version, clock.*,
    {SUBJECT}, {SUPERSEDED_BY} IS NOT NULL AS superseded
"""
_JOINED: Final = "alert JOIN clock ON clock.id = clock_id JOIN subject ON subject.id = subject_id"
_LOCK: Final = limited(
    text(
        f"""
        SELECT {_COLUMNS} FROM {_JOINED} WHERE alert.id = ANY(CAST(:ids AS uuid[])) AND {WITHIN}
        ORDER BY clock.id, alert.id FOR UPDATE OF clock, alert
        """
    ).bindparams(bindparam("ids", type_=ARRAY(Uuid)))
)


async def lock_alerts(tx: Tx, viewer: Principal | None, ids: Sequence[UUID]) -> list[Held]:
    """Hold those of the alerts that exist and `viewer` may see, with their clocks."""
    found = await tx.execute(_LOCK, {"ids": sorted(ids), **limits(viewer)})
    return [_held(row) for row in found]


_LATEST: Final = text(
    f"""
    SELECT {_COLUMNS} FROM {_JOINED} WHERE clock_id = :clock AND alert.revision = clock.revision
    ORDER BY alert.threshold DESC LIMIT 1 FOR UPDATE OF clock, alert
    """
)


async def lock_latest(tx: Tx, clock_id: UUID) -> Held | None:
    """Hold the alert of a clock that says the most: its breach, else its highest warning, else by hand."""
    row = (await tx.execute(_LATEST, {"clock": clock_id})).first()
    return _held(row) if row is not None else None


_CLOCK: Final = limited(
    text(
        f"""
        SELECT clock.*, {SUBJECT} FROM clock JOIN subject ON subject.id = subject_id
        WHERE clock.id = :id AND {WITHIN} FOR UPDATE OF clock
        """
    )
)


async def lock_clock(tx: Tx, viewer: Principal, id: UUID) -> tuple[StoredClock, Subject]:
    """Hold a clock; `ClockUnknown` when there is none that `viewer` may see."""
    row = (await tx.execute(_CLOCK, {"id": id, **limits(viewer)})).first()
    if row is None:
        raise ClockUnknown(id=id)
    return stored(row), subject_of(row)


LEADERSHIP_TOLD: Final = "(deed = 'called' OR deed = 'escalated' AND detail -> 'roles' @> '[\"leadership\"]')"
"""Of a deed: whether leadership heard of the alert by it, from a person or by the ladder."""

_TOLD: Final = text(
    f"SELECT at, by FROM alert_deed WHERE alert_id = :alert AND {LEADERSHIP_TOLD} ORDER BY id LIMIT 1"
)


async def load_called(tx: Tx, alert_id: UUID) -> Any | None:
    """When and by whom leadership was told of an alert, which is held; None while it was not."""
    return (await tx.execute(_TOLD, {"alert": alert_id})).first()


def _held(row: Any) -> Held:
    kept = Alert(
        id=row.alert_id,
        clock_id=row.id,
        threshold=row.threshold,
        revision=row.alert_revision,
        retracted=row.alert_revision < row.revision,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        assigned_to=row.assigned_to,
        snoozed_until=row.snoozed_until,
        snooze_reason=row.snooze_reason,
        version=row.alert_version,
    )
    return Held(kept, stored(row), subject_of(row), row.superseded)


_KEPT: Final[Mapping[str, TypeEngine[Any]]] = {
    "id": Uuid(),
    "acknowledged_by": Text(),
    "acknowledged_at": _moment,
    "assigned_to": Uuid(),
    "snoozed_until": _moment,
    "snooze_reason": Text(),
    "version": BigInteger(),
}
_SAVE: Final = text(
    """
    UPDATE alert SET acknowledged_by = new.acknowledged_by, acknowledged_at = new.acknowledged_at,
           assigned_to = new.assigned_to, snoozed_until = new.snoozed_until,
           snooze_reason = new.snooze_reason, version = new.version
    FROM unnest(CAST(:id AS uuid[]), CAST(:acknowledged_by AS text[]),
                CAST(:acknowledged_at AS timestamptz[]), CAST(:assigned_to AS uuid[]),
                CAST(:snoozed_until AS timestamptz[]), CAST(:snooze_reason AS text[]),
                CAST(:version AS bigint[]))
         AS new (id, acknowledged_by, acknowledged_at, assigned_to, snoozed_until, snooze_reason, version)
    WHERE alert.id = new.id
    """
).bindparams(*(bindparam(name, type_=ARRAY(type)) for name, type in _KEPT.items()))


async def save_alerts(tx: Tx, alerts: Sequence[Alert]) -> None:
    """Store alerts that are held."""
    if alerts:
        await tx.execute(_SAVE, {name: [getattr(each, name) for each in alerts] for name in _KEPT})


async def save_deeds(tx: Tx, deeds: Sequence[tuple[UUID, str, Mapping[str, Any]]], by: str | None) -> None:
    """Note what was done to alerts (alert, deed, detail), and by whom; None is the clock."""
    rows = [
        {"id": uuid7(), "alert_id": alert_id, "at": tx.now, "deed": deed, "by": by, "detail": dict(detail)}
        for alert_id, deed, detail in deeds
    ]
    await insert_rows(tx, alert_deed, rows)


_STOP: Final = text("DELETE FROM escalation WHERE alert_id = ANY(CAST(:ids AS uuid[]))").bindparams(
    bindparam("ids", type_=ARRAY(Uuid))
)
_PUT_OFF: Final = text(
    """
    UPDATE escalation SET due_at = due_at + later.by
    FROM unnest(CAST(:ids AS uuid[]), CAST(:by AS interval[])) AS later (alert_id, by)
    WHERE escalation.alert_id = later.alert_id
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("by", type_=ARRAY(Interval)))


async def save_escalations(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """The steps above the breach that are waited for from now on."""
    await insert_rows(tx, escalation, rows)


async def stop_ladders(tx: Tx, ids: Sequence[UUID]) -> None:
    """Wait for no further step of these alerts."""
    await tx.execute(_STOP, {"ids": sorted(ids)})


async def put_off_ladders(tx: Tx, later: Mapping[UUID, timedelta]) -> None:
    """Let the further steps of alerts come so much later."""
    await tx.execute(_PUT_OFF, {"ids": list(later), "by": list(later.values())})


_RETURNING: Final = text(
    f"""
    SELECT {_COLUMNS} FROM {_JOINED} WHERE snoozed_until <= :now ORDER BY snoozed_until LIMIT :batch
    FOR UPDATE OF clock, alert SKIP LOCKED
    """
)
_CLIMBING: Final = text(
    f"""
    SELECT {_COLUMNS}, escalation.minutes, escalation.tell
    FROM {_JOINED} JOIN escalation ON escalation.alert_id = alert.id
    WHERE due_at <= :now ORDER BY due_at, alert.id LIMIT :batch
    FOR UPDATE OF clock, alert, escalation SKIP LOCKED
    """
)
_PASSED: Final = text(
    """
    DELETE FROM escalation
    USING unnest(CAST(:ids AS uuid[]), CAST(:minutes AS integer[])) AS passed (id, after)
    WHERE alert_id = passed.id AND minutes = passed.after
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("minutes", type_=ARRAY(Integer)))


async def claim_returning(tx: Tx, now: datetime, batch: int) -> list[Held]:
    """At most `batch` alerts whose snooze is over, held; those that somebody else holds are left to them."""
    return [_held(row) for row in await tx.execute(_RETURNING, {"now": now, "batch": batch})]


@dataclass(frozen=True, slots=True)
class Climb:
    """A step of a ladder that is due: so many minutes after the breach, and the roles to tell."""

    held: Held
    minutes: int
    tell: tuple[str, ...]


async def claim_steps(tx: Tx, now: datetime, batch: int) -> list[Climb]:
    """At most `batch` steps that are due, each once, with their alerts held."""
    found = (await tx.execute(_CLIMBING, {"now": now, "batch": batch})).all()
    if found:
        ids, minutes = [row.alert_id for row in found], [row.minutes for row in found]
        await tx.execute(_PASSED, {"ids": ids, "minutes": minutes})
    return [Climb(_held(row), row.minutes, tuple(row.tell)) for row in found]


_NEXT_STEP: Final = text(
    """
    SELECT least((SELECT min(due_at) FROM escalation),
                 (SELECT min(snoozed_until) FROM alert WHERE snoozed_until IS NOT NULL)) AS ahead
    """
)


async def next_step(tx: Tx) -> datetime | None:
    """When a step is due or an alert comes back."""
    ahead: datetime | None = (await tx.execute(_NEXT_STEP)).scalar_one()
    return ahead


_WHO: Final = text(
    """
    SELECT DISTINCT ON (subject_id, kind) subject_id, kind, facts FROM history
    WHERE subject_id = ANY(CAST(:subjects AS uuid[])) AND kind = ANY(CAST(:kinds AS text[]))
    ORDER BY subject_id, kind, at DESC, sequence DESC
    """
).bindparams(bindparam("subjects", type_=ARRAY(Uuid)), bindparam("kinds", type_=ARRAY(Text)))


async def load_people(tx: Tx, subjects: Sequence[UUID]) -> dict[UUID, People]:
    """Who supervises, leads and is informed of each of `subjects`, where events have told."""
    if not subjects:
        return {}
    latest: dict[UUID, dict[str, Any]] = {}
    asked = {"subjects": sorted(set(subjects)), "kinds": [ASSIGNED, GROUPED, INFORMED]}
    for row in await tx.execute(_WHO, asked):
        latest.setdefault(row.subject_id, {})[row.kind] = row.facts
    return {id: people_of(facts) for id, facts in latest.items()}


_RETRACTED: Final = text(
    """
    SELECT alert.id FROM alert JOIN clock ON clock.id = clock_id
    WHERE clock_id = ANY(CAST(:clocks AS uuid[])) AND alert.revision < clock.revision
      AND NOT EXISTS (SELECT FROM alert_deed WHERE alert_id = alert.id AND deed = 'retracted')
    ORDER BY alert.id
    """
).bindparams(bindparam("clocks", type_=ARRAY(Uuid)))


async def load_retracted(tx: Tx, clocks: Sequence[UUID]) -> Sequence[UUID]:
    """The alerts of `clocks` that an amendment has taken back, and nobody has noted it yet."""
    return (await tx.execute(_RETRACTED, {"clocks": list(clocks)})).scalars().all()
