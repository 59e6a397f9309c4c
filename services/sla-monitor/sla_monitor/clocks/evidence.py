"""What was heard, told and done about one subject: beside the arithmetic, what its dossier stands on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text

from shared.clock import made_at
from shared.db import Tx

_RECEIVED: Final = text("SELECT event_id, received_at FROM history WHERE subject_id = :id")


async def load_received(tx: Tx, subject_id: UUID) -> dict[UUID, datetime | None]:
    """By event of the subject's history, when it was received; None where nobody noted it."""
    return {row.event_id: row.received_at for row in await tx.execute(_RECEIVED, {"id": subject_id})}


@dataclass(frozen=True, slots=True)
class Said:
    """One event that was told about a clock.

    what      its kind, for example `clock_breached`
    at        when it was told
    revision  of the clock then
    data      all of what it said
    """

    what: str
    at: datetime
    revision: int
    data: Mapping[str, Any]


_SAID: Final = text(
    """
    SELECT id, type, subject, body FROM event_log
    WHERE subject = ANY(CAST(:clocks AS text[])) ORDER BY sequence, id LIMIT 1000
    """
).bindparams(bindparam("clocks", type_=ARRAY(Text)))


async def load_said(tx: Tx, clocks: Sequence[UUID]) -> dict[UUID, list[Said]]:
    """What was told about each of `clocks`, in order, as long as the log keeps it."""
    said: dict[UUID, list[Said]] = {}
    for row in await tx.execute(_SAID, {"clocks": [str(id) for id in clocks]}):
        data = json.loads(row.body)["data"]
        what = row.type.split(".")[1]
        said.setdefault(UUID(row.subject), []).append(
            Said(what, made_at(row.id), data.get("revision", 0), data)
        )
    return said


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done about an alert; by nobody when time did it."""

    at: datetime
    what: str
    by: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert about a clock: at how many percent of its time, who looks after it, and all that was done."""

    id: UUID
    threshold: int
    revision: int
    raised_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    deeds: list[Deed] = field(default_factory=list)


_RAISED: Final = text(
    """
    SELECT clock_id, id, threshold, revision, raised_at, acknowledged_by, acknowledged_at FROM alert
    WHERE clock_id = ANY(CAST(:clocks AS uuid[])) ORDER BY raised_at, id
    """
).bindparams(bindparam("clocks", type_=ARRAY(Uuid)))
_DONE: Final = text(
    """
    SELECT alert_id, at, deed, by, detail FROM alert_deed
    WHERE alert_id = ANY(CAST(:alerts AS uuid[])) ORDER BY id
    """
).bindparams(bindparam("alerts", type_=ARRAY(Uuid)))


async def load_raised(tx: Tx, clocks: Sequence[UUID]) -> dict[UUID, list[Raised]]:
    """The alerts about each of `clocks`, the first first."""
    raised: dict[UUID, list[Raised]] = {}
    alerts: dict[UUID, Raised] = {}
    for row in await tx.execute(_RAISED, {"clocks": sorted(clocks)}):
        known = dict(row._mapping)
        alert = Raised(**{name: known[name] for name in known if name != "clock_id"})
        raised.setdefault(row.clock_id, []).append(alert)
        alerts[alert.id] = alert
    for row in await tx.execute(_DONE, {"alerts": sorted(alerts)}):
        alerts[row.alert_id].deeds.append(Deed(row.at, row.deed, row.by, row.detail))
    return raised
