"""Alerts as they are looked at: the list, one with what was done to it, and those that stand now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text

from shared.db import Tx
from shared.errors import AftercareError
from shared.http.auth import Principal
from sla_monitor.alerts.store import SUPERSEDED_BY
from sla_monitor.scope import WITHIN, limited, limits

State = Literal["open", "acknowledged", "snoozed", "retracted", "ended", "superseded"]


class AlertUnknown(AftercareError):
    """There is no alert {id}."""

    kind = "not_found"


# What has been acknowledged stays so, whatever becomes of its clock afterwards. A clock is one matter: what
# was warned of before is not open beside the alert that says more.
STATE: Final = f"""
    CASE WHEN alert.revision < clock.revision THEN 'retracted'
         WHEN alert.acknowledged_at IS NOT NULL THEN 'acknowledged'
         WHEN clock.stopped_at IS NOT NULL OR clock.outcome = 'cancelled' THEN 'ended'
         WHEN {SUPERSEDED_BY} IS NOT NULL THEN 'superseded'
         WHEN alert.snoozed_until IS NOT NULL THEN 'snoozed'
         ELSE 'open' END
"""
_SHOWN: Final = f"""
    SELECT alert.*, {SUPERSEDED_BY} AS superseded_by, {STATE} AS state,
           clock.subject_id, clock.promise, clock.severity, clock.outcome,
           clock.deadline, clock.stopped_at, clock.confirmed, clock.revision AS clock_revision,
           subject.kind, subject.region, subject.title, subject.customer_level, subject.owner_id
    FROM alert JOIN clock ON clock.id = clock_id JOIN subject ON subject.id = subject_id
"""
_ONE: Final = limited(text(f"{_SHOWN} WHERE alert.id = :id AND {WITHIN}"))


@dataclass(frozen=True, slots=True)
class Filters:
    """Which alerts are asked for; None is any."""

    acknowledged: bool | None = None
    state: State | None = None
    missed: bool | None = None
    promise: str | None = None
    severity: str | None = None
    region: str | None = None
    assigned_to: UUID | None = None
    latest: bool | None = None


_LIST: Final = limited(
    text(
        f"""
        SELECT * FROM ({_SHOWN} WHERE {WITHIN}) AS alert
        WHERE (CAST(:acknowledged AS boolean) IS NULL OR (acknowledged_at IS NOT NULL) = :acknowledged)
          AND (CAST(:state AS text) IS NULL OR state = :state)
          AND (CAST(:missed AS boolean) IS NULL OR (threshold = 100) = :missed)
          AND (CAST(:promise AS text) IS NULL OR promise = :promise)
          AND (CAST(:severity AS text) IS NULL OR severity = :severity)
          AND (CAST(:region AS text) IS NULL OR region = :region)
          AND (CAST(:assigned_to AS uuid) IS NULL OR assigned_to = :assigned_to)
          AND (CAST(:latest AS boolean) IS NULL OR (superseded_by IS NULL) = :latest)
          AND (CAST(:id AS uuid) IS NULL OR (raised_at, id) < (:raised_at, :id))
        ORDER BY raised_at DESC, id DESC LIMIT :limit
        """
    ).bindparams(bindparam("assigned_to", type_=Uuid()), bindparam("id", type_=Uuid()))
)


async def load_alert(tx: Tx, viewer: Principal, id: UUID) -> Any:
    """An alert with its clock and subject; `AlertUnknown` when there is none that `viewer` may see."""
    row = (await tx.execute(_ONE, {"id": id, **limits(viewer)})).first()
    if row is None:
        raise AlertUnknown(id=id)
    return row


async def list_alerts(
    tx: Tx, viewer: Principal, filters: Filters, after: tuple[Any, ...] | None, limit: int
) -> Sequence[Any]:
    """Alerts, the latest first."""
    raised_at, id = after or (None, None)
    position = {"raised_at": raised_at, "id": id, "limit": limit}
    return (await tx.execute(_LIST, {**asdict(filters), **position, **limits(viewer)})).all()


_BEFORE: Final = text(
    """
    SELECT later.id AS of, alert.threshold, alert.raised_at, alert.acknowledged_at
    FROM alert AS later JOIN alert ON alert.clock_id = later.clock_id AND alert.revision = later.revision
    WHERE later.id = ANY(CAST(:ids AS uuid[])) AND alert.threshold < later.threshold
    ORDER BY alert.threshold
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


async def load_before(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """By alert: what was raised about the same clock before it, the earliest first."""
    found: dict[UUID, list[Any]] = {id: [] for id in ids}
    for row in await tx.execute(_BEFORE, {"ids": list(ids)}):
        found[row.of].append(row)
    return found


_DEEDS: Final = text("SELECT at, deed, by, detail FROM alert_deed WHERE alert_id = :id ORDER BY id")


async def list_deeds(tx: Tx, id: UUID) -> Sequence[Any]:
    """What was done to an alert, in order."""
    return (await tx.execute(_DEEDS, {"id": id})).all()


_STANDING: Final = limited(
    text(
        f"""
        SELECT * FROM ({_SHOWN} WHERE {WITHIN}) AS alert
        WHERE raised_at > :since AND state IN ('open', 'snoozed', 'acknowledged', 'superseded')
          AND stopped_at IS NULL AND outcome <> 'cancelled'
        ORDER BY raised_at DESC, id DESC LIMIT :most
        """
    )
)


async def list_standing(tx: Tx, viewer: Principal, since: datetime, most: int) -> Sequence[Any]:
    """Alerts raised since an instant about what has not ended yet, the latest first."""
    return (await tx.execute(_STANDING, {"since": since, "most": most, **limits(viewer)})).all()
