"""What the board shows: what runs, what was missed today, and how today is going."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from shared.db import Tx
from shared.http.sse import Row
from sla_monitor.board import words
from sla_monitor.clocks.attainment import Attainment, attainment_today, midnight

MOST: Final = 60  # rows of each list; nobody acts on more at once


@dataclass(frozen=True, slots=True)
class Entry:
    """A clock as the board shows it."""

    id: UUID
    subject_id: UUID
    kind: str
    title: str | None
    region: str | None
    product_line: str | None
    customer_level: str | None
    promise: str
    requirement: str
    rule: str
    severity: str | None
    started_at: datetime
    deadline: datetime
    allowance: timedelta
    standing: bool
    pause_reason: str | None
    paused_from: datetime | None
    paused_until: datetime | None
    stopped_at: datetime | None
    confirmed: bool | None
    alert_id: UUID | None
    alert_version: int | None
    acknowledged_by: str | None

    @property
    def promise_name(self) -> str:
        return words.promise(self.promise)

    @property
    def subject_name(self) -> str:
        return words.SUBJECTS[self.kind]

    @property
    def short_id(self) -> str:
        """Enough of the identifier to tell subjects apart by eye."""
        return self.subject_id.hex[-6:]

    @property
    def pause_name(self) -> str:
        return words.REASONS.get(self.pause_reason or "", self.pause_reason or "")


_ENTRY: Final = """
    SELECT clock.id, clock.subject_id, subject.kind, subject.title, subject.region, subject.product_line,
           subject.customer_level, clock.promise, clock.requirement, clock.rule, clock.severity,
           clock.started_at, clock.deadline, clock.allowance, clock.standing, clock.pause_reason,
           clock.paused_from, clock.paused_until, clock.stopped_at, clock.confirmed,
           alert.id AS alert_id, alert.version AS alert_version, alert.acknowledged_by
    FROM clock JOIN subject ON subject.id = clock.subject_id
    LEFT JOIN alert
      ON alert.clock_id = clock.id AND alert.threshold = 100 AND alert.revision = clock.revision
"""
_RUNNING: Final = text(
    _ENTRY + " WHERE clock.outcome = 'running' ORDER BY clock.deadline, clock.id LIMIT :most"
)
_MISSED: Final = text(
    _ENTRY
    + """
    WHERE clock.outcome = 'breached' AND clock.id IN (
        SELECT id FROM clock WHERE decided_at >= :since
        UNION SELECT clock_id FROM alert WHERE raised_at >= :since
    )
    ORDER BY clock.deadline DESC, clock.id LIMIT :most
    """
)


async def load_running(tx: Tx) -> Sequence[Entry]:
    """What runs, the soonest deadline first."""
    return _entries(await tx.execute(_RUNNING, {"most": MOST}))


async def load_missed(tx: Tx) -> Sequence[Entry]:
    """What was missed today or became known today, the latest first."""
    return _entries(await tx.execute(_MISSED, {"since": await midnight(tx), "most": MOST}))


def _entries(found: Any) -> tuple[Entry, ...]:
    return tuple(Entry(**row) for row in found.mappings())


async def running_rows(tx: Tx) -> Sequence[Row]:
    """What runs, as rows of a live list."""
    return [Row(str(each.id), each.deadline.isoformat(), each) for each in await load_running(tx)]


async def missed_rows(tx: Tx) -> Sequence[Row]:
    """What was missed today, as rows of a live list."""
    return [Row(str(each.id), _latest_first(each.deadline), each) for each in await load_missed(tx)]


def _latest_first(instant: datetime) -> str:
    return f"{10**11 - instant.timestamp():018.6f}"


@dataclass(frozen=True, slots=True)
class Tile:
    """How one promise goes today; `promise` is None for all response promises together (R110)."""

    promise: str | None
    figures: Attainment

    @property
    def name(self) -> str:
        return words.promise(self.promise) if self.promise else ""

    @property
    def tone(self) -> str:
        share = self.figures.share
        if share is None:
            return "plain"
        return "good" if share >= 0.95 else "important" if share >= 0.8 else "urgent"


async def load_tiles(tx: Tx) -> Sequence[Tile]:
    """All together first, then each promise in the order of the policy."""
    today = await attainment_today(tx)
    each = (Tile(code, figures) for code, figures in today.promises.items())
    return (Tile(None, today.response), *each)


async def tile_rows(tx: Tx) -> Sequence[Row]:
    """Today's figures, as rows of a live list."""
    return [
        Row(tile.promise or "all", f"{place:02}", tile) for place, tile in enumerate(await load_tiles(tx))
    ]
