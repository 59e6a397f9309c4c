"""Due timers, and alerts: the unique key (clock, threshold, revision) is the only right to alert."""

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
    SmallInteger,
    Table,
    Text,
    Uuid,
    bindparam,
    text,
)

from shared.db import Tx, insert_rows
from shared.errors import AftercareError
from shared.http.auth import Principal
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
    Column("version", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Due:
    """A clock with a timer that has run out.

    heard  the producers its verdict awaits have told everything up to the instant of the timer
    """

    clock: StoredClock
    subject: Subject
    threshold: int
    awaits: str
    heard: bool


_HEARD: Final = """
    due_at < ALL (
        SELECT coalesce(until, '-infinity') FROM unnest(string_to_array(awaits, ',')) AS awaited(producer)
        LEFT JOIN heard USING (producer)
    )
"""
_CLAIM: Final = text(
    f"""
    WITH heard AS (
        SELECT * FROM unnest(CAST(:producers AS text[]), CAST(:untils AS timestamptz[]))
             AS heard (producer, until)
    )
    SELECT clock.*, timer.threshold, timer.awaits, {_HEARD} AS heard,
           subject.kind, subject.title, subject.region, subject.severity AS subject_severity,
           subject.product_line, subject.customer_level, subject.owner_id, subject.first_at
    FROM timer JOIN clock ON clock.id = clock_id JOIN subject ON subject.id = subject_id
    WHERE due_at <= :now
      AND (threshold < 100 OR (threshold = 100 AND due_at <= :latest) OR {_HEARD})
    ORDER BY due_at, clock_id LIMIT :batch
    FOR UPDATE OF timer, clock SKIP LOCKED
    """
).bindparams(
    bindparam("producers", type_=ARRAY(Text)),
    bindparam("untils", type_=ARRAY(_moment)),
)


async def claim_due(
    tx: Tx, now: datetime, latest: datetime, watermarks: Mapping[str, datetime], batch: int
) -> list[Due]:
    """At most `batch` due timers with their clocks, held; those that somebody else holds are left to them.

    The timer of a breach is due when the watermarks have passed it, or when it lies before `latest`; the one
    that confirms a breach only by the watermarks.
    """
    producers = sorted(watermarks)
    found = await tx.execute(
        _CLAIM,
        {
            "now": now,
            "latest": latest,
            "producers": producers,
            "untils": [watermarks[each] for each in producers],
            "batch": batch,
        },
    )
    return [Due(stored(row), _subject(row), row.threshold, row.awaits, row.heard) for row in found.all()]


def _subject(row: Any) -> Subject:
    known = {name: getattr(row, name) for name in Subject.__slots__ if name != "severity"}
    return Subject(**known, severity=row.subject_severity)


_DISCARD: Final = text(
    """
    DELETE FROM timer USING unnest(CAST(:clocks AS uuid[]), CAST(:thresholds AS smallint[]))
         AS done (clock, done) WHERE clock_id = clock AND threshold = done.done
    """
).bindparams(
    bindparam("clocks", type_=ARRAY(Uuid)),
    bindparam("thresholds", type_=ARRAY(SmallInteger)),
)


async def discard_timers(tx: Tx, timers: Sequence[tuple[UUID, int]]) -> None:
    """Forget timers, by clock and threshold, that have been dealt with."""
    ordered = sorted(timers)
    await tx.execute(
        _DISCARD,
        {"clocks": [clock for clock, _ in ordered], "thresholds": [share for _, share in ordered]},
    )


_NEXT: Final = text(
    """
    SELECT (SELECT min(due_at) FROM timer WHERE due_at > :now) AS ahead,
           EXISTS (SELECT FROM timer WHERE due_at <= :now AND threshold <= 100) AS waiting
    """
)
# A verdict that waits for a watermark, or a clock that somebody holds, is looked at again so soon.
_SOON: Final = timedelta(milliseconds=50)


async def next_due(tx: Tx, now: datetime) -> datetime | None:
    """When to look again: at the next timer, sooner if one is due that could not be dealt with."""
    row = (await tx.execute(_NEXT, {"now": now})).one()
    if row.waiting:
        return min(now + _SOON, row.ahead) if row.ahead else now + _SOON
    ahead: datetime | None = row.ahead
    return ahead


async def claim_alerts(tx: Tx, alerts: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Insert alerts; the ids of those that nobody had raised before."""
    rows = await insert_rows(
        tx,
        alert,
        alerts,
        tail="ON CONFLICT (clock_id, threshold, revision) DO NOTHING RETURNING id",
    )
    return {row.id for row in rows}


class AlertUnknown(AftercareError):
    """There is no alert {id}."""

    kind = "not_found"


_SHOWN: Final = """
    SELECT alert.*, clock.subject_id, clock.promise, clock.severity, clock.outcome, clock.deadline,
           clock.revision AS clock_revision, subject.kind, subject.region
    FROM alert JOIN clock ON clock.id = clock_id JOIN subject ON subject.id = subject_id
"""
_ONE: Final = limited(text(f"{_SHOWN} WHERE alert.id = :id AND {WITHIN}"))
_LIST: Final = limited(
    text(
        f"""
        {_SHOWN}
        WHERE (CAST(:acknowledged AS boolean) IS NULL OR (acknowledged_at IS NOT NULL) = :acknowledged)
          AND (CAST(:id AS uuid) IS NULL OR (raised_at, alert.id) < (:raised_at, :id))
          AND {WITHIN}
        ORDER BY raised_at DESC, alert.id DESC LIMIT :limit
        """
    )
)


async def load_alert(tx: Tx, viewer: Principal, id: UUID) -> Any:
    """An alert with its clock and subject; `AlertUnknown` when there is none that `viewer` may see."""
    row = (await tx.execute(_ONE, {"id": id, **limits(viewer)})).first()
    if row is None:
        raise AlertUnknown(id=id)
    return row


async def list_alerts(
    tx: Tx, viewer: Principal, acknowledged: bool | None, after: tuple[Any, ...] | None, limit: int
) -> Sequence[Any]:
    """Alerts, the latest first."""
    raised_at, id = after or (None, None)
    position = {"raised_at": raised_at, "id": id, "limit": limit}
    found = await tx.execute(_LIST, {"acknowledged": acknowledged, **position, **limits(viewer)})
    return found.all()


_LOCK: Final = text(
    """
    SELECT alert.version AS alert_version, alert.threshold, alert.acknowledged_at, clock.*,
           subject.kind, subject.title, subject.region, subject.severity AS subject_severity,
           subject.product_line, subject.customer_level, subject.owner_id, subject.first_at
    FROM alert JOIN clock ON clock.id = clock_id JOIN subject ON subject.id = subject_id
    WHERE alert.id = :id FOR UPDATE OF alert, clock
    """
)


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert that is held for a change, with its clock and subject."""

    threshold: int
    acknowledged: bool
    version: int
    clock: StoredClock
    subject: Subject


async def lock_alert(tx: Tx, id: UUID) -> Raised:
    """Hold an alert that exists, and its clock."""
    row = (await tx.execute(_LOCK, {"id": id})).one()
    acknowledged = row.acknowledged_at is not None
    return Raised(row.threshold, acknowledged, row.alert_version, stored(row), _subject(row))


_ACKNOWLEDGE: Final = text(
    """
    UPDATE alert SET acknowledged_by = :by, acknowledged_at = :at, version = version + 1 WHERE id = :id
    """
)


async def save_acknowledgement(tx: Tx, id: UUID, by: str, at: datetime) -> None:
    """Note who looks after an alert, and since when."""
    await tx.execute(_ACKNOWLEDGE, {"id": id, "by": by, "at": at})
