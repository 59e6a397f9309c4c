"""The catalogue of jobs, and what was done: ticks, hours and what was written down about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text, Uuid, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from dispatch.jobs.rules import Catalogue, shipped
from dispatch.tables import among, metadata
from shared.db import Tx, insert_rows

job_catalogue: Final = Table(
    "job_catalogue",
    metadata,
    Column("single", Boolean, primary_key=True, server_default="true"),
    Column("version", BigInteger, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", Text, nullable=False),
    comment="What the house has made of the catalogue that ships; no row before the first change.",
)
checklist_tick: Final = Table(
    "checklist_tick",
    metadata,
    Column("ticket_id", Uuid, primary_key=True),
    Column("episode", Integer, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", Text, nullable=False),
)
work_log: Final = Table(
    "work_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    Column("remote", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", Text, nullable=False),
    Column("visit_id", Uuid),
)


@dataclass(frozen=True, slots=True)
class Tick:
    """Who ticked an item of the checklist, and when."""

    item: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Log:
    """What was done from when to when (R33), and on which visit; None at other times."""

    id: UUID
    episode: int
    began_at: datetime
    ended_at: datetime
    remote: bool
    text: str
    by: str
    visit_id: UUID | None = None

    @property
    def minutes(self) -> int:
        return round((self.ended_at - self.began_at).total_seconds() / 60)


async def load_catalogue(tx: Tx) -> tuple[Catalogue, int]:
    """The catalogue in force and its version: 0 while it is what ships."""
    row = (await tx.execute(select(job_catalogue))).first()
    return (Catalogue.model_validate(row.document), row.version) if row else (shipped(), 0)


async def save_catalogue(tx: Tx, catalogue: Catalogue, version: int, by: str) -> None:
    row = {
        "single": True,
        "version": version,
        "document": catalogue.model_dump(mode="json"),
        "at": tx.now,
        "by": by,
    }
    saved = insert(job_catalogue).values(row)
    await tx.execute(saved.on_conflict_do_update(index_elements=["single"], set_=row))


async def load_ticks(tx: Tx, ticket_id: UUID, episode: int) -> list[Tick]:
    chosen = select(checklist_tick.c.item, checklist_tick.c.at, checklist_tick.c.by).where(
        checklist_tick.c.ticket_id == ticket_id, checklist_tick.c.episode == episode
    )
    return [Tick(**row._mapping) for row in await tx.execute(chosen)]


async def save_ticks(tx: Tx, ticket_id: UUID, episode: int, items: Iterable[str], by: str) -> None:
    """What is ticked stays as it was ticked first."""
    rows = [
        {"ticket_id": ticket_id, "episode": episode, "item": item, "at": tx.now, "by": by}
        for item in sorted(set(items))
    ]
    await insert_rows(tx, checklist_tick, rows, tail="ON CONFLICT DO NOTHING")


async def load_logs(tx: Tx, ticket_id: UUID) -> list[Log]:
    """The work logs of a ticket, the newest first."""
    columns = [work_log.c[name] for name in Log.__slots__]
    chosen = select(*columns).where(work_log.c.ticket_id == ticket_id).order_by(work_log.c.began_at.desc())
    return [Log(**row._mapping) for row in await tx.execute(chosen)]


async def save_log(tx: Tx, row: dict[str, Any]) -> None:
    await insert_rows(tx, work_log, [row])


async def forget(tx: Tx, tickets: Collection[UUID]) -> None:
    """What was written about the work on `tickets` becomes a dash; the hours stay."""
    await tx.execute(update(work_log).where(among(work_log.c.ticket_id, tickets)).values(text="—"))
