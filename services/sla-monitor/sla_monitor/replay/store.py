"""Replays: what was asked, how far each has come, and what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text, Uuid, select, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from shared.errors import AftercareError
from sla_monitor.clocks.rules.changes import StoredClock
from sla_monitor.clocks.store import clock, stored
from sla_monitor.policies.rules import Policy
from sla_monitor.replay.rules import Changed, Compared
from sla_monitor.replay.tally import Tally
from sla_monitor.tables import metadata

_moment = DateTime(timezone=True)

replay = Table(
    "replay",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", _moment, nullable=False),
    Column("policy", JSONB, nullable=False),
    Column("policy_version", Integer),
    Column("against_version", Integer),
    Column("calendar", Text),
    Column("calendar_version", Integer),
    Column("source", Text),
    Column("begins", _moment, nullable=False),
    Column("ends", _moment, nullable=False),
    Column("until", _moment),
    Column("total", Integer, nullable=False),
    Column("reached_at", _moment),
    Column("reached_id", Uuid),
    Column("tally", JSONB, nullable=False),
    Column("finished_at", _moment),
    Column("failure", Text),
    Column("version", BigInteger, nullable=False),
)

replay_change = Table(
    "replay_change",
    metadata,
    Column("replay_id", Uuid, primary_key=True),
    Column("subject_id", Uuid, primary_key=True),
    Column("promise", Text, primary_key=True),
    Column("occurrence", BigInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("outcome_before", Text),
    Column("outcome_after", Text),
    Column("deadline_before", _moment),
    Column("deadline_after", _moment),
    Column("reasons", JSONB, nullable=False),
)


class ReplayUnknown(AftercareError):
    """There is no replay {id}."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Replay:
    """A row of the replay table.

    policy            what is tried; policy_version is None for a draft
    against_version   what it is compared with; None is what was in force for each subject
    calendar          a calendar and its version that counts for all; None is what the policy names
    source            an imported history; None is our own
    begins, ends      subjects whose history begins in between
    until             as of when clocks are judged; None is the present, each time it is looked at
    reached           first instant and id of the last subject that was folded
    """

    id: UUID
    asked_by: str
    asked_at: datetime
    policy: Policy
    policy_version: int | None
    against_version: int | None
    calendar: str | None
    calendar_version: int | None
    source: str | None
    begins: datetime
    ends: datetime
    until: datetime | None
    total: int
    reached_at: datetime | None
    reached_id: UUID | None
    tally: Tally
    finished_at: datetime | None
    failure: str | None
    version: int

    @property
    def state(self) -> str:
        if self.failure is not None:
            return "failed"
        if self.finished_at is not None:
            return "done"
        return "running" if self.reached_at else "waiting"

    def beyond(self, reached: tuple[datetime, UUID], tally: Tally) -> Replay:
        """One step further."""
        at, id = reached
        return replace(self, reached_at=at, reached_id=id, tally=tally, version=self.version + 1)

    def ended(self, at: datetime, failure: str | None = None) -> Replay:
        return replace(self, finished_at=at, failure=failure, version=self.version + 1)


_TAIL: Final = (
    "ON CONFLICT (id) DO UPDATE SET reached_at = EXCLUDED.reached_at, reached_id = EXCLUDED.reached_id, "
    "tally = EXCLUDED.tally, finished_at = EXCLUDED.finished_at, failure = EXCLUDED.failure, "
    "version = EXCLUDED.version"
)


async def save(tx: Tx, each: Replay) -> None:
    """Store a new replay, or how far a known one has come."""
    row = {name: getattr(each, name) for name in Replay.__slots__}
    row |= {"policy": each.policy.model_dump(mode="json"), "tally": each.tally.plain()}
    await insert_rows(tx, replay, [row], tail=_TAIL)


def _replay(row: Any) -> Replay:
    known = {name: getattr(row, name) for name in Replay.__slots__}
    known |= {"policy": Policy.model_validate(row.policy), "tally": Tally.read(row.tally)}
    return Replay(**known)


async def load(tx: Tx, id: UUID) -> Replay:
    """One replay; `ReplayUnknown`."""
    row = (await tx.execute(select(replay).where(replay.c.id == id))).first()
    if row is None:
        raise ReplayUnknown(id=id)
    return _replay(row)


async def list_latest(tx: Tx, limit: int) -> list[Replay]:
    """The last that were asked for, the latest first."""
    query = select(replay).order_by(replay.c.asked_at.desc(), replay.c.id.desc()).limit(limit)
    return [_replay(row) for row in await tx.execute(query)]


_CLAIM: Final = (
    select(replay)
    .where(replay.c.finished_at.is_(None))
    .order_by(replay.c.asked_at, replay.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)


async def claim(tx: Tx) -> Replay | None:
    """The oldest that is not done and that nobody works on, held."""
    row = (await tx.execute(_CLAIM)).first()
    return _replay(row) if row is not None else None


_WITHIN: Final = "first_at >= :begins AND first_at < :ends"
_AFTER: Final = "(CAST(:id AS uuid) IS NULL OR (first_at, {id}) > (:at, :id))"
_OURS: Final = f"FROM subject WHERE {_WITHIN}"
_IMPORTED: Final = f"FROM imported_history WHERE source = :source AND {_WITHIN}"
_COUNTS: Final = {"ours": text(f"SELECT count(*) {_OURS}"), "imported": text(f"SELECT count(*) {_IMPORTED}")}
_NEXT_OURS: Final = text(f"SELECT * {_OURS} AND {_AFTER.format(id='id')} ORDER BY first_at, id LIMIT :limit")
_NEXT_IMPORTED: Final = text(
    f"SELECT subject_id, ticket, first_at, happenings {_IMPORTED} AND {_AFTER.format(id='subject_id')} "
    "ORDER BY first_at, subject_id LIMIT :limit"
).columns(happenings=JSONB)


async def count_subjects(tx: Tx, source: str | None, begins: datetime, ends: datetime) -> int:
    """How many histories begin within a stretch of time."""
    query = _COUNTS["ours" if source is None else "imported"]
    counted: int = (await tx.execute(query, _of(source) | {"begins": begins, "ends": ends})).scalar_one()
    return counted


def _of(source: str | None) -> dict[str, Any]:
    return {} if source is None else {"source": source}


async def next_subjects(tx: Tx, each: Replay, limit: int) -> Sequence[Any]:
    """Those that follow what was reached, at most `limit`: rows of subjects, or of imported histories."""
    query = _NEXT_OURS if each.source is None else _NEXT_IMPORTED
    place = {"begins": each.begins, "ends": each.ends, "at": each.reached_at, "id": each.reached_id}
    return (await tx.execute(query, _of(each.source) | place | {"limit": limit})).all()


async def save_changes(tx: Tx, id: UUID, compared: Sequence[Compared]) -> None:
    """Keep what turned out otherwise."""
    rows = [_change(id, each, changed) for each in compared for changed in each.changes]
    await insert_rows(tx, replay_change, rows, tail="ON CONFLICT DO NOTHING")


def _change(id: UUID, compared: Compared, changed: Changed) -> dict[str, Any]:
    before, after = changed.before, changed.after
    return {
        "replay_id": id,
        "subject_id": compared.id,
        "promise": changed.promise,
        "occurrence": changed.occurrence,
        "name": compared.name,
        "region": compared.region,
        "team": compared.team,
        "outcome_before": before.outcome if before else None,
        "outcome_after": after.outcome if after else None,
        "deadline_before": before.deadline if before else None,
        "deadline_after": after.deadline if after else None,
        "reasons": [asdict(reason) for reason in changed.reasons],
    }


_CHANGES: Final = text(
    """
    SELECT * FROM replay_change WHERE replay_id = :replay
      AND (CAST(:subject AS uuid) IS NULL
           OR (subject_id, promise, occurrence) > (:subject, CAST(:promise AS text), :occurrence))
    ORDER BY subject_id, promise, occurrence LIMIT :limit
    """
).columns(reasons=JSONB)


async def list_changes(tx: Tx, id: UUID, after: tuple[Any, ...] | None, limit: int) -> Sequence[Any]:
    """What turned out otherwise, by subject, promise and occurrence."""
    subject, promise, occurrence = after or (None, None, None)
    place: Mapping[str, Any] = {"subject": subject, "promise": promise, "occurrence": occurrence}
    return (await tx.execute(_CHANGES, {"replay": id, "limit": limit, **place})).all()


_FOREMOST: Final = text(
    """
    SELECT * FROM replay_change WHERE replay_id = :replay
    ORDER BY outcome_before IS NOT DISTINCT FROM outcome_after, subject_id, promise, occurrence LIMIT :limit
    """
).columns(reasons=JSONB)


async def foremost_changes(tx: Tx, id: UUID, limit: int) -> Sequence[Any]:
    """Some of what turned out otherwise, other outcomes before other deadlines."""
    return (await tx.execute(_FOREMOST, {"replay": id, "limit": limit})).all()


async def load_clocks(tx: Tx, subjects: Sequence[UUID]) -> dict[UUID, list[StoredClock]]:
    """The clocks of `subjects` as they are stored, to compare with."""
    found: dict[UUID, list[StoredClock]] = {}
    for row in await tx.execute(select(clock).where(clock.c.subject_id.in_(subjects))):
        found.setdefault(row.subject_id, []).append(stored(row))
    return found
