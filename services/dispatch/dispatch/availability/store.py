"""Leave and duty."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, DateTime, Table, Text, Uuid, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from dispatch.availability.rules import Absence, Duty, DutyOverlaps, State
from dispatch.tables import metadata
from shared.db import Tx
from shared.db.engine import sqlstate
from shared.events.terms import PersonId

absence: Final = Table(
    "absence",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("person_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("decided_by", Text),
    Column("handed_over_at", DateTime(timezone=True)),
)
duty: Final = Table(
    "duty",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("region", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("person_id", Uuid, nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("entered_by", Text, nullable=False),
    comment="Who is on call in a region: as duty lead, or as engineer outside of a shift.",
)
_EXCLUSION_VIOLATION: Final = "23P01"
MOST: Final = 500  # listed at once


async def save_absence(tx: Tx, entered: Absence) -> None:
    await tx.execute(insert(absence).values({name: getattr(entered, name) for name in Absence.__slots__}))


async def lock_absence(tx: Tx, absence_id: UUID) -> Absence | None:
    found = await tx.execute(select(absence).where(absence.c.id == absence_id).with_for_update())
    return _absences(found)[0] if found.rowcount else None


async def list_absences(tx: Tx, since: datetime, person_id: PersonId | None = None) -> list[Absence]:
    """What is not over at `since`, in order of time."""
    chosen = select(absence).where(absence.c.ends_at > since, absence.c.state.in_(("asked", "approved")))
    if person_id is not None:
        chosen = chosen.where(absence.c.person_id == person_id)
    return _absences(await tx.execute(chosen.order_by(absence.c.starts_at, absence.c.id).limit(MOST)))


def _absences(rows: Any) -> list[Absence]:
    return [Absence(**row._mapping) for row in rows]


async def decide_absence(tx: Tx, absence_id: UUID, state: State, by: str) -> None:
    await tx.execute(update(absence).where(absence.c.id == absence_id).values(state=state, decided_by=by))


async def end_absence(tx: Tx, absence_id: UUID, by: str) -> None:
    """Who is back, or does not go, is away no more."""
    await tx.execute(update(absence).where(absence.c.id == absence_id).values(state="ended", decided_by=by))


async def take_beginning(tx: Tx, now: datetime) -> list[Absence]:
    """The leave that begins and has not been handed over; nobody else takes it meanwhile."""
    beginning = (
        select(absence)
        .where(absence.c.state == "approved", absence.c.handed_over_at.is_(None))
        .where(absence.c.starts_at <= now)
        .order_by(absence.c.id)
        .with_for_update(skip_locked=True)
    )
    return _absences(await tx.execute(beginning))


async def mark_handed_over(tx: Tx, absences: list[Absence]) -> None:
    ids = [each.id for each in absences]
    await tx.execute(update(absence).where(absence.c.id.in_(ids)).values(handed_over_at=tx.now))


async def next_beginning(tx: Tx) -> datetime | None:
    """When the next leave begins."""
    waiting = absence.c.state == "approved", absence.c.handed_over_at.is_(None)
    found: datetime | None = (
        await tx.execute(select(func.min(absence.c.starts_at)).where(*waiting))
    ).scalar_one()
    return found


async def save_duty(tx: Tx, entered: Duty) -> None:
    """`DutyOverlaps` when the region has a duty lead in that time already."""
    try:
        await tx.execute(insert(duty).values({name: getattr(entered, name) for name in Duty.__slots__}))
    except DBAPIError as error:
        if sqlstate(error) == _EXCLUSION_VIOLATION:
            raise DutyOverlaps from None
        raise


async def list_duties(tx: Tx, since: datetime) -> list[Duty]:
    """What is not over at `since`, in order of time."""
    chosen = select(duty).where(duty.c.ends_at > since).order_by(duty.c.starts_at, duty.c.id).limit(MOST)
    return [Duty(**row._mapping) for row in await tx.execute(chosen)]


async def drop_duty(tx: Tx, duty_id: UUID) -> str | None:
    """The region it was for; None when there was none."""
    dropped = await tx.execute(delete(duty).where(duty.c.id == duty_id).returning(duty.c.region))
    return dropped.scalar_one_or_none()
