"""Tasks of other departments, and what was done and said about each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    Table,
    Text,
    Uuid,
    and_,
    case,
    func,
    literal,
    select,
    text,
    tuple_,
    update,
)

from dispatch.tables import among, metadata
from dispatch.tasks.rules import OPEN, Task
from dispatch.tickets.store import history, ticket
from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.events.terms import PersonId, Severity

task: Final = Table(
    "department_task",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("department", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("needed_by", DateTime(timezone=True), nullable=False),
    Column("blocking", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner_id", Uuid, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("said", Text, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("version", BigInteger, nullable=False),
)
line: Final = Table(
    "department_task_line",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("task_id", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("what", Text, nullable=False),
    Column("by", Text),
    Column("owner_id", Uuid, nullable=False),
    Column("said", Text, nullable=False),
    comment="Each thing that was done or said about a task: by whom, and who answered for it then.",
)
IS_OPEN: Final = task.c.state.in_(sorted(OPEN))
GONE: Final = "—"


@dataclass(frozen=True, slots=True)
class Head:
    """What people of other departments see of a ticket: nothing about the customer."""

    number: int
    title: str
    product_line: str | None
    severity: Severity


@dataclass(frozen=True, slots=True)
class Open:
    """What a ticket still waits for: how many tasks, whether one blocks it, and when the first is needed."""

    count: int
    blocking: bool
    needed_by: datetime


def _tasks(rows: Iterable[Any]) -> list[Task]:
    return [Task(**{name: getattr(row, name) for name in Task.__slots__}) for row in rows]


async def save_task(tx: Tx, each: Task) -> None:
    await insert_rows(tx, task, [{name: getattr(each, name) for name in Task.__slots__}])


async def change_task(tx: Tx, each: Task) -> None:
    """What may change of a task that the caller has locked."""
    names = ("state", "owner_id", "needed_by", "said", "changed_at", "version")
    values = {name: getattr(each, name) for name in names}
    await tx.execute(update(task).where(task.c.id == each.id).values(values))


async def add_line(tx: Tx, each: Task, what: str, by: str | None, said: str = "") -> None:
    """One thing that was done or said."""
    await insert_rows(tx, line, [_line(tx, each, what, by, said)])


def _line(tx: Tx, each: Task, what: str, by: str | None, said: str) -> dict[str, Any]:
    row = {"id": uuid7(), "task_id": each.id, "at": tx.now, "what": what, "by": by}
    return {**row, "owner_id": each.owner_id, "said": said}


async def find_task(tx: Tx, task_id: UUID, *, lock: bool = False) -> Task | None:
    chosen = select(task).where(task.c.id == task_id)
    found = _tasks(await tx.execute(chosen.with_for_update() if lock else chosen))
    return found[0] if found else None


async def list_of_ticket(tx: Tx, ticket_id: UUID) -> list[Task]:
    """The newest first."""
    return _tasks(
        await tx.execute(select(task).where(task.c.ticket_id == ticket_id).order_by(task.c.id.desc()))
    )


async def list_blocking(tx: Tx, ticket_id: UUID) -> list[Task]:
    """What a ticket waits for, the oldest first."""
    chosen = select(task).where(task.c.ticket_id == ticket_id, IS_OPEN, task.c.blocking)
    return _tasks(await tx.execute(chosen.order_by(task.c.id)))


async def list_open(tx: Tx) -> list[Task]:
    """Every open task of all tickets."""
    return _tasks(await tx.execute(select(task).where(IS_OPEN).order_by(task.c.id)))


async def lock_open(tx: Tx, ticket_id: UUID) -> list[Task]:
    """The open tasks of a ticket; nobody else changes them until the end."""
    chosen = select(task).where(IS_OPEN, task.c.ticket_id == ticket_id).order_by(task.c.id)
    return _tasks(await tx.execute(chosen.with_for_update()))


async def lock_open_of(tx: Tx, people: Collection[PersonId]) -> list[Task]:
    """What any of `people` answers for."""
    chosen = select(task).where(IS_OPEN, among(task.c.owner_id, people)).order_by(task.c.id)
    return _tasks(await tx.execute(chosen.with_for_update()))


async def withdraw_all(tx: Tx, tickets: Collection[UUID], by: str | None) -> list[Task]:
    """The open tasks of tickets that end are withdrawn; each as it is then, by id."""
    changes = {"state": "withdrawn", "said": "", "changed_at": tx.now, "version": task.c.version + 1}
    ended = update(task).where(among(task.c.ticket_id, tickets), IS_OPEN).values(changes).returning(task)
    found = sorted(_tasks(await tx.execute(ended)), key=lambda each: each.id)
    rows = [_line(tx, each, "withdrawn", by, "") for each in found]
    await insert_rows(tx, line, rows)
    return found


_BY_TASK: Final = (
    select(history.c.facts["task_id"].astext)
    .where(history.c.what == "ticket_paused")
    .order_by(history.c.version.desc())
    .limit(1)
)


async def waits_for_task(tx: Tx, ticket_id: UUID) -> bool:
    """Whether the last time that a ticket began to wait was for a task, and not by hand."""
    found = await tx.execute(_BY_TASK.where(history.c.ticket_id == ticket_id))
    return found.scalar_one_or_none() is not None


async def count_open(tx: Tx, tickets: Collection[UUID]) -> Mapping[UUID, Open]:
    """What each of `tickets` waits for; those without open tasks are missing."""
    chosen = (
        select(
            task.c.ticket_id,
            func.count().label("tasks"),
            func.bool_or(task.c.blocking).label("blocking"),
            func.min(task.c.needed_by).label("needed_by"),
        )
        .where(among(task.c.ticket_id, tickets), IS_OPEN)
        .group_by(task.c.ticket_id)
    )
    found = await tx.execute(chosen)
    return {row.ticket_id: Open(row.tasks, row.blocking, row.needed_by) for row in found}


async def list_lines(tx: Tx, task_id: UUID) -> list[Mapping[str, Any]]:
    """What was done and said about a task, the oldest first."""
    found = await tx.execute(select(line).where(line.c.task_id == task_id).order_by(line.c.id))
    return [dict(row) for row in found.mappings()]


_ENDED: Final = case((IS_OPEN, 0), else_=1)
_PLACE: Final = (_ENDED, task.c.needed_by, task.c.id)
_HEAD: Final = tuple(ticket.c[name].label(f"head_{name}") for name in Head.__slots__)


@dataclass(frozen=True, slots=True)
class Found:
    """A task in a list, with what its department sees of the ticket."""

    task: Task
    head: Head

    @property
    def place(self) -> tuple[int, datetime, UUID]:
        """Where it stands: open ones first, in each what is or was needed first."""
        return int(not self.task.is_open), self.task.needed_by, self.task.id


async def list_tasks(
    tx: Tx, which: Sequence[ColumnElement[bool]], *, after: Any = None, limit: int
) -> list[Found]:
    """In the order of `Found.place`, after one of these; what is overdue stands first by itself."""
    chosen = select(task, *_HEAD).join(ticket, ticket.c.id == task.c.ticket_id).where(*which)
    if after is not None:
        ended, needed_by, last = after
        chosen = chosen.where(tuple_(*_PLACE) > tuple_(literal(ended), literal(needed_by), literal(last)))
    found = await tx.execute(chosen.order_by(*_PLACE).limit(limit))
    return [
        Found(
            Task(**{name: getattr(row, name) for name in Task.__slots__}),
            Head(**{name: getattr(row, f"head_{name}") for name in Head.__slots__}),
        )
        for row in found
    ]


async def count_late(tx: Tx, which: Sequence[ColumnElement[bool]], now: datetime) -> tuple[int, int]:
    """How many tasks are open, and how many of these overdue."""
    late = func.count().filter(task.c.needed_by < now)
    chosen = select(func.count(), late).select_from(task.join(ticket, and_(ticket.c.id == task.c.ticket_id)))
    found: tuple[int, int] = tuple((await tx.execute(chosen.where(IS_OPEN, *which))).one())
    return found


_FORGET: Final = text(
    """
    WITH theirs AS (
        UPDATE department_task SET what = '—', said = CASE said WHEN '' THEN '' ELSE '—' END
        WHERE ticket_id = ANY(:tickets) RETURNING id
    )
    UPDATE department_task_line SET said = '—' FROM theirs WHERE task_id = theirs.id AND said <> ''
    """
)


async def forget(tx: Tx, tickets: Collection[UUID]) -> None:
    """What was written about `tickets` becomes a dash; who asked whom and when stays."""
    await tx.execute(_FORGET, {"tickets": list(tickets)})
