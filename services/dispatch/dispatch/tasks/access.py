"""Who sees which task, and who may do what with it.

People of a department see its tasks, and of the ticket its head alone. Who works on the ticket sees its tasks
with it, and who oversees sees all of them within their limits (R125).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, or_

from dispatch.access import Viewer, involved_in, is_within, limits_of
from dispatch.organisation.rules import Department
from dispatch.tables import among
from dispatch.tasks.rules import MOVES, Command, NoSuchTask, NotYourDepartment, Task
from dispatch.tasks.store import task as table
from dispatch.tickets.rules import Ticket
from shared.http.auth import Role
from shared.i18n import N_, gettext

PEOPLE: Final[tuple[Role, ...]] = (
    "department",
    "engineer",
    "dispatcher",
    "operations",
    "storekeeper",
    "care",
    "knowledge",
    "admin",
)
"""Everybody who may belong to a department: which, the organisation says."""
_SIDES: Final = {
    "department": N_("people of the department"),
    "asker": N_("who asked for it, who works on the ticket, or a dispatcher"),
    "both": N_("who is concerned"),
}


def departments_of(viewer: Viewer, departments: Sequence[Department]) -> tuple[Department, ...]:
    """Where somebody works."""
    return tuple(each for each in departments if viewer.person_id in each.people)


def visible_to(viewer: Viewer, own: Sequence[Department]) -> list[ColumnElement[bool]]:
    """Conditions on the table of tasks joined with that of tickets; `own` are the viewer's departments."""
    conditions = limits_of(viewer)
    if not viewer.oversees:
        theirs = among(table.c.department, [each.code for each in own])
        conditions.append(or_(theirs, table.c.owner_id == viewer.person_id))
    return conditions


def answers(viewer: Viewer, task: Task, own: Sequence[Department]) -> bool:
    """Whether somebody is of the department: may answer for the task, or does."""
    return viewer.person_id == task.owner_id or any(each.code == task.department for each in own)


def asks(viewer: Viewer, task: Task, ticket: Ticket) -> bool:
    """Whether somebody is of those who need the task done."""
    involved = viewer.person_id in involved_in(ticket)
    return viewer.may_assign or involved or task.asked_by == viewer.id


def may(viewer: Viewer, task: Task, ticket: Ticket, command: Command, own: Sequence[Department]) -> bool:
    """Whether `viewer`, who sees the task, may do this, leaving its state aside."""
    sides = {
        "department": answers(viewer, task, own) or viewer.is_admin,
        "asker": asks(viewer, task, ticket),
    }
    side = MOVES[command].side
    return any(sides.values()) if side == "both" else sides[side]


def require(viewer: Viewer, task: Task, ticket: Ticket, own: Sequence[Department]) -> None:
    """`NoSuchTask` where it does not exist for `viewer`."""
    known = viewer.oversees or answers(viewer, task, own) or asks(viewer, task, ticket)
    if not (known and is_within(viewer, ticket)):
        raise NoSuchTask


def require_right(
    viewer: Viewer, task: Task, ticket: Ticket, command: Command, own: Sequence[Department]
) -> None:
    """`NotYourDepartment` where somebody sees it, but it is not theirs to do."""
    if not may(viewer, task, ticket, command, own):
        raise NotYourDepartment(side=gettext(_SIDES[MOVES[command].side]))
