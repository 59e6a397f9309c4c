"""Which tasks somebody looks at: theirs, filtered, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query
from sqlalchemy import ColumnElement, not_

from dispatch.access import Viewer
from dispatch.organisation.rules import Department
from dispatch.organisation.store import load_departments
from dispatch.tasks import access, store
from dispatch.tasks.rules import NoSuchTask, Task
from dispatch.tasks.store import IS_OPEN, Found, task
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import load_ticket
from shared.db import Tx
from shared.events.terms import Code
from shared.http.cursor import InvalidCursor

Show = Literal["open", "overdue", "ended", "all"]
InDepartment = Annotated[Code | None, Query(description="Of this department.")]
Shown = Annotated[Show, Query(description="`overdue`: open and needed before now.")]
Mine = Annotated[bool, Query(description="Those alone that one answers for oneself.")]


@dataclass(frozen=True, slots=True)
class Seen:
    """A task that somebody may see, with its ticket and where they work themselves."""

    task: Task
    ticket: Ticket
    own: Sequence[Department]


async def find(tx: Tx, viewer: Viewer, task_id: UUID) -> Seen:
    """`NoSuchTask` where it does not exist for `viewer`."""
    found = await store.find_task(tx, task_id)
    ticket = await load_ticket(tx, found.ticket_id) if found else None
    if found is None or ticket is None:
        raise NoSuchTask
    own = access.departments_of(viewer, await load_departments(tx))
    access.require(viewer, found, ticket, own)
    return Seen(found, ticket, own)


async def conditions(
    tx: Tx, viewer: Viewer, department: str | None, show: Show, mine: bool
) -> list[ColumnElement[bool]]:
    """What is asked for, of what `viewer` may see."""
    own = access.departments_of(viewer, await load_departments(tx))
    asked = access.visible_to(viewer, own)
    if department is not None:
        asked.append(task.c.department == department)
    if mine:
        asked.append(task.c.owner_id == viewer.person_id)
    return [*asked, *_SHOWN[show](tx.now)]


_SHOWN: Final[dict[Show, Any]] = {
    "open": lambda now: [IS_OPEN],
    "overdue": lambda now: [IS_OPEN, task.c.needed_by < now],
    "ended": lambda now: [not_(IS_OPEN)],
    "all": lambda now: [],
}


async def list_page(
    tx: Tx, which: Sequence[ColumnElement[bool]], after: tuple[object, ...] | None, limit: int
) -> list[Found]:
    """One more than `limit`, so that it is known whether there are more."""
    match after:
        case None:
            place = None
        case (int() as ended, datetime() as needed_by, UUID() as last):
            place = ended, needed_by, last
        case _:
            raise InvalidCursor
    return await store.list_tasks(tx, which, after=place, limit=limit + 1)
