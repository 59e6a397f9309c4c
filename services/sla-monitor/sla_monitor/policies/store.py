"""Policy versions, and which policy and calendar govern a subject."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

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
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from sla_monitor.calendars.rules import Calendar
from sla_monitor.calendars.store import load_calendar
from sla_monitor.policies.rules import Policy
from sla_monitor.scope import WITHIN, limited, limits
from sla_monitor.tables import metadata

if TYPE_CHECKING:
    from shared.http.auth import Principal

policy_version = Table(
    "policy_version",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("valid_from", DateTime(timezone=True), nullable=False),
    Column("body", JSONB, nullable=False),
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_by", Text),
    Column("note", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
)


def row_of(version: int, valid_from: datetime, policy: Policy, source: str) -> dict[str, Any]:
    """The row of a policy version."""
    return {
        "version": version,
        "valid_from": valid_from,
        "body": policy.model_dump(mode="json"),
        "source": source,
        "digest": hashlib.sha256(policy.model_dump_json().encode()).hexdigest(),
    }


async def save_version(tx: Tx, row: dict[str, Any]) -> None:
    """Store what `row_of` made."""
    await insert_rows(tx, policy_version, [row])


@dataclass(frozen=True, slots=True)
class Version:
    """A policy version as people look at it; `made_by` is None of what shipped."""

    version: int
    valid_from: datetime
    source: str
    made_by: str | None
    made_at: datetime
    note: str


_LISTED: Final = (
    select(*(policy_version.c[name] for name in Version.__slots__))
    .where(policy_version.c.version < bindparam("before"))
    .order_by(policy_version.c.version.desc())
    .limit(bindparam("limit"))
)


async def list_versions(tx: Tx, before: int | None = None, limit: int = 50) -> Sequence[Version]:
    """The versions, the newest first."""
    found = await tx.execute(_LISTED, {"before": before or 2**31 - 1, "limit": limit})
    return tuple(Version(**row._mapping) for row in found)


async def load_version(tx: Tx, version: int) -> Version:
    """A version that exists."""
    (found,) = await list_versions(tx, version + 1, 1)
    return found


@dataclass(frozen=True, slots=True)
class Governing:
    """The policy and the calendar a subject's clocks obey, their versions, and the calendar's name."""

    policy: Policy
    calendar: Calendar
    versions: tuple[int, int]
    calendar_name: str


@dataclass(frozen=True, slots=True)
class _Version:
    version: int
    valid_from: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All versions, oldest first."""

    policies: Sequence[_Version]
    calendars: Mapping[str, Sequence[_Version]]

    def at(self, instant: datetime, region: str | None = None, moved_to: int | None = None) -> Governing:
        """What is in force at `instant` in `region`: for a subject, when its history begins.

        So a version published later changes no clock that runs, and a late message finds the version of
        its time. A subject that was moved on purpose obeys the policy version it was moved to.
        """
        policy_version = _in_force(self.policies, instant)
        if moved_to is not None:
            policy_version = next(each for each in self.policies if each.version == moved_to)
        policy = _policies[policy_version.digest]
        name = policy.calendar_of(region)
        calendar_version = _in_force(self.calendars[name], instant)
        calendar = _calendars[calendar_version.digest]
        return Governing(policy, calendar, (policy_version.version, calendar_version.version), name)

    def calendar_version(self, name: str, instant: datetime) -> int:
        """The number of the version of a calendar that is in force at `instant`."""
        return _in_force(self.calendars[name], instant).version

    def policy(self, version: int) -> Policy:
        """The policy under `version`, which exists."""
        return _policies[next(each.digest for each in self.policies if each.version == version)]

    def calendars_at(self, instant: datetime) -> dict[str, Calendar]:
        """The version of every calendar that is in force at `instant`."""
        return {name: self.calendar(name, instant) for name in self.calendars}

    def calendar(self, name: str, instant: datetime) -> Calendar:
        """The version of a calendar that is in force at `instant`."""
        return _calendars[_in_force(self.calendars[name], instant).digest]


def _in_force(versions: Sequence[_Version], instant: datetime) -> _Version:
    return next((each for each in reversed(versions) if each.valid_from <= instant), versions[0])


# Kept by content: a version never changes, so neither does what its digest stands for.
_policies: Final[dict[str, Policy]] = {}
_calendars: Final[dict[str, Calendar]] = {}

_VERSIONS: Final = text(
    """
    SELECT NULL AS calendar, version, valid_from, digest FROM policy_version
    UNION ALL
    SELECT calendar, version, valid_from, digest FROM calendar_version
    ORDER BY valid_from, version
    """
)


async def load_rulebook(tx: Tx) -> Rulebook:
    """Which versions there are; one statement once their contents are known to this process."""
    policies: list[_Version] = []
    calendars: dict[str, list[_Version]] = {}
    for row in await tx.execute(_VERSIONS):
        kept = policies if row.calendar is None else calendars.setdefault(row.calendar, [])
        kept.append(_Version(row.version, row.valid_from, row.digest))
        if row.calendar is None and row.digest not in _policies:
            _policies[row.digest] = await _load_policy(tx, row.version)
        elif row.calendar is not None and row.digest not in _calendars:
            _calendars[row.digest] = await load_calendar(tx, row.calendar, row.version)
    return Rulebook(policies, calendars)


async def _load_policy(tx: Tx, version: int) -> Policy:
    body = await tx.execute(select(policy_version.c.body).where(policy_version.c.version == version))
    return Policy.model_validate(body.scalar_one())


governed_by = Table(
    "governed_by",
    metadata,
    Column("subject_id", Uuid, primary_key=True),
    Column("move_id", Uuid, primary_key=True),
    Column("policy_version", Integer, nullable=False),
    Column("moved_by", Text, nullable=False),
    Column("moved_at", DateTime(timezone=True), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Move:
    """That a subject was moved to another policy version on purpose: to which, by whom, when."""

    subject_id: UUID
    policy_version: int
    moved_by: str
    moved_at: datetime


_STANDING: Final = text(
    """
    SELECT subject_id, policy_version, moved_by, moved_at, move_id FROM governed_by
    WHERE subject_id = ANY(CAST(:subjects AS uuid[]))
    UNION ALL
    SELECT subject_id, NULL, NULL, NULL, NULL FROM uncovered
    WHERE subject_id = ANY(CAST(:subjects AS uuid[])) AND covered_at IS NULL
    ORDER BY moved_at, move_id
    """
).bindparams(bindparam("subjects", type_=ARRAY(Uuid)))


async def load_standing(tx: Tx, subjects: Iterable[UUID]) -> tuple[dict[UUID, Move], frozenset[UUID]]:
    """The last move of each of `subjects` that was moved at all, and those nothing was promised to so far."""
    moves: dict[UUID, Move] = {}
    bare: set[UUID] = set()
    for row in await tx.execute(_STANDING, {"subjects": sorted(subjects)}):
        if row.moved_at is None:
            bare.add(row.subject_id)
        else:
            moves[row.subject_id] = Move(row.subject_id, row.policy_version, row.moved_by, row.moved_at)
    return moves, frozenset(bare)


async def load_moves(tx: Tx, subjects: Iterable[UUID]) -> dict[UUID, Move]:
    """The last move of each of `subjects` that was moved at all."""
    moves, _ = await load_standing(tx, subjects)
    return moves


async def save_moves(tx: Tx, move_id: UUID, moves: Iterable[Move]) -> None:
    """Note that subjects obey another version from now on."""
    rows = [{"move_id": move_id, **asdict(each)} for each in moves]
    await insert_rows(tx, governed_by, rows)


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A subject that nothing is promised to, since when, and for which time."""

    subject_id: UUID
    kind: str
    title: str | None
    region: str | None
    severity: str | None
    product_line: str | None
    customer_level: str | None
    raised_at: datetime
    revision: int


_RAISE: Final = text(
    """
    INSERT INTO uncovered (subject_id, revision, raised_at)
    SELECT subject_id, 0, :now FROM unnest(CAST(:subjects AS uuid[])) AS bare (subject_id)
    ON CONFLICT (subject_id) DO UPDATE
    SET revision = uncovered.revision + 1, raised_at = EXCLUDED.raised_at, covered_at = NULL
    WHERE uncovered.covered_at IS NOT NULL
    RETURNING subject_id, revision
    """
).bindparams(bindparam("subjects", type_=ARRAY(Uuid)))
_COVER: Final = text(
    """
    UPDATE uncovered SET covered_at = :now
    WHERE subject_id = ANY(CAST(:subjects AS uuid[])) AND covered_at IS NULL
    """
).bindparams(bindparam("subjects", type_=ARRAY(Uuid)))
_UNCOVERED: Final = limited(
    text(
        f"""
        SELECT subject_id, subject.kind, subject.title, subject.region, subject.severity,
               subject.product_line, subject.customer_level, raised_at, revision
        FROM uncovered JOIN subject ON subject.id = subject_id
        WHERE covered_at IS NULL AND {WITHIN} ORDER BY raised_at DESC, subject_id LIMIT :limit
        """
    )
)


async def raise_uncovered(tx: Tx, subjects: Iterable[UUID]) -> dict[UUID, int]:
    """Note that nothing is promised to `subjects`; the revisions of those of whom that is news."""
    ordered = sorted(subjects)
    if not ordered:
        return {}
    found = await tx.execute(_RAISE, {"subjects": ordered, "now": tx.now})
    return {row.subject_id: row.revision for row in found}


async def cover(tx: Tx, subjects: Collection[UUID]) -> None:
    """Note that something is promised to `subjects` now."""
    if not subjects:
        return
    await tx.execute(_COVER, {"subjects": sorted(subjects), "now": tx.now})


async def list_uncovered(tx: Tx, viewer: Principal | None = None, limit: int = 60) -> Sequence[Uncovered]:
    """What nothing is promised to, of that which `viewer` may see, the latest first."""
    found = await tx.execute(_UNCOVERED, {"limit": limit, **limits(viewer)})
    return tuple(Uncovered(**row._mapping) for row in found)
