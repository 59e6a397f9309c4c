"""Asking departments, answering, and what that means for the ticket: each a change of the ticket, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from dispatch.access import Viewer
from dispatch.assignment.rules import Staff
from dispatch.assignment.store import lock_staff
from dispatch.organisation.rules import Department
from dispatch.organisation.store import load_departments
from dispatch.tables import among
from dispatch.tasks import access, commands, rules, steps, store
from dispatch.tasks.rules import LATEST, NoSuchTask, Task, TasksOpen, TicketHasEnded
from dispatch.tickets import rules as tickets
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import Step, Steps, Ticket
from dispatch.tickets.store import load_ticket, load_tickets
from dispatch.tickets.store import ticket as ticket_table
from shared.clock import uuid7
from shared.db import Tx
from shared.events.teamwork import WithdrawnAs
from shared.events.terms import PersonId
from shared.http.etag import Precondition
from shared.http.problem import invalid
from shared.i18n import N_


async def ask(
    tx: Tx, ticket: Ticket, department: str, what: str, needed_by: datetime, blocking: bool, viewer: Viewer
) -> Steps:
    """A new task with its owner, on a ticket that the caller holds; one that blocks lets it wait."""
    staff, _ = await lock_staff(tx)
    if department not in staff.departments:
        raise invalid("body", ("department",), N_("no such department"), "unknown_department")
    _require_time(needed_by, tx.now)
    task = Task(
        id=uuid7(),
        ticket_id=ticket.id,
        episode=ticket.episode,
        department=department,
        what=what,
        needed_by=needed_by,
        blocking=blocking,
        state="asked",
        owner_id=rules.owner_for(staff.departments[department], ticket.site.region, staff),
        asked_by=viewer.id,
        asked_at=tx.now,
        said="",
        changed_at=tx.now,
        version=1,
    )
    await store.save_task(tx, task)
    await store.add_line(tx, task, "asked", viewer.id, what)
    told = steps.asked(ticket, task, viewer.employee_id)
    return (*told, *_pause(told[-1].ticket, task, viewer))


def _require_time(needed_by: datetime, now: datetime) -> None:
    if not now < needed_by <= now + LATEST:
        raise invalid("body", ("needed_by",), N_("it is needed within the next 90 days"), "needed_time")


def _pause(ticket: Ticket, task: Task, viewer: Viewer | None) -> Steps:
    """The waiting that a task brings; none where it blocks nothing, or nobody is at work."""
    if not (task.blocking and rules.needs_pause(ticket)):
        return ()
    by = viewer.employee_id if viewer else None
    return tickets.pause(ticket, "other_department", "", task.needed_by, by, task.id)


async def hold(tx: Tx, ticket: Ticket) -> Steps:
    """A ticket that was just taken waits at once for what blocks it."""
    blocking = await store.list_blocking(tx, ticket.id)
    return _pause(ticket, blocking[0], None) if blocking else ()


async def require_unblocked(tx: Tx, ticket: Ticket) -> None:
    """`TasksOpen` where something that the ticket waits for is not done."""
    if blocking := await store.list_blocking(tx, ticket.id):
        departments = ", ".join(sorted({each.department for each in blocking}))
        raise TasksOpen(tasks=[str(each.id) for each in blocking], departments=departments)


@dataclass(frozen=True, slots=True)
class Held:
    """A task that is to be changed, with its ticket; nobody else changes either meanwhile."""

    task: Task
    ticket: Ticket
    viewer: Viewer
    departments: Mapping[str, Department]


async def perform(
    tx: Tx, task_id: UUID, command: commands.Command, viewer: Viewer, seen: Precondition | None
) -> Task:
    """Do it, or say why not: `NoSuchTask`, `NotYourDepartment`, `TaskNotReady`, `VersionChanged`, …

    `seen` is the version it was decided on, None where that does not matter.
    """
    held = await _hold(tx, task_id, viewer, command)
    rules.require(held.task, command.name)
    if seen is not None:
        seen.require(held.task.version)
    after, told = await _DO[type(command)](tx, held, command)
    if told or after != held.task:
        await store.change_task(tx, after)
        if held.task.is_open and not after.is_open and after.blocking:
            told = (*told, *await _go_on(tx, told[-1].ticket))
        await record(tx, [Change(held.ticket, told)], viewer.id)
    return after


async def _hold(tx: Tx, task_id: UUID, viewer: Viewer, command: commands.Command) -> Held:
    """Locked in the order in which all lock: the ticket, the organisation, the task."""
    found = await store.find_task(tx, task_id)
    ticket = await load_ticket(tx, found.ticket_id, lock=True) if found else None
    if ticket is None:
        raise NoSuchTask
    departments = {each.code: each for each in await load_departments(tx)}
    own = access.departments_of(viewer, [*departments.values()])
    task = await store.find_task(tx, task_id, lock=True)
    assert task is not None
    access.require(viewer, task, ticket, own)
    access.require_right(viewer, task, ticket, command.name, own)
    return Held(task, ticket, viewer, departments)


def _now(tx: Tx, task: Task, **changes: Any) -> Task:
    """The next version of a task."""
    return replace(task, version=task.version + 1, changed_at=tx.now, **changes)


_Done = tuple[Task, Steps]


async def _accept(tx: Tx, held: Held, command: commands.Accept) -> _Done:
    """Who says yes answers for it, where they are of the department."""
    staff, _ = await lock_staff(tx)  # nobody leaves meanwhile
    department, person = staff.departments.get(held.task.department), held.viewer.person_id
    answers = department is not None and person in department.people and staff.is_there(person)
    owner = person if answers else held.task.owner_id
    after = _now(tx, held.task, state="accepted", owner_id=owner, said="")
    await store.add_line(tx, after, "accepted", held.viewer.id)
    return after, steps.accepted(held.ticket, after)


async def _finish(tx: Tx, held: Held, command: commands.Finish) -> _Done:
    after = _now(tx, held.task, state="done", said=command.answer)
    await store.add_line(tx, after, "done", held.viewer.id, command.answer)
    return after, steps.done(held.ticket, after, tx.now, held.viewer.employee_id)


async def _decline(tx: Tx, held: Held, command: commands.Decline) -> _Done:
    after = _now(tx, held.task, state="declined", said=command.reason)
    await store.add_line(tx, after, "declined", held.viewer.id, command.reason)
    return after, steps.declined(held.ticket, after, held.viewer.employee_id)


async def _reassign(tx: Tx, held: Held, command: commands.Reassign) -> _Done:
    department = held.departments.get(held.task.department)
    staff, _ = await lock_staff(tx)
    if department is None or command.person_id not in department.people:
        raise invalid("body", ("person_id",), N_("nobody of this department"), "unknown_person")
    if not staff.is_there(command.person_id):
        raise invalid("body", ("person_id",), N_("this person is away"), "away")
    after = _now(tx, held.task, state="asked", owner_id=command.person_id, said="")
    await store.add_line(tx, after, "handed_on", held.viewer.id, command.reason)
    told = steps.handed_on(held.ticket, after, held.task.owner_id, held.viewer.employee_id)
    return after, (told,)


async def _withdraw(tx: Tx, held: Held, command: commands.Withdraw) -> _Done:
    after = _now(tx, held.task, state="withdrawn", said=command.reason)
    await store.add_line(tx, after, "withdrawn", held.viewer.id, command.reason)
    return after, steps.withdrawn(held.ticket, [after], "not_needed", held.viewer.employee_id)


async def _reopen(tx: Tx, held: Held, command: commands.Reopen) -> _Done:
    """Whoever would be asked today is asked; the ticket waits again where the task blocks."""
    if not rules.may_be_asked(held.ticket):
        raise TicketHasEnded
    needed_by = command.needed_by or held.task.needed_by
    _require_time(needed_by, tx.now)
    staff, _ = await lock_staff(tx)
    department = staff.departments.get(held.task.department)
    owner = rules.owner_for(department, held.ticket.site.region, staff)
    after = _now(tx, held.task, state="asked", owner_id=owner, said=command.reason, needed_by=needed_by)
    await store.add_line(tx, after, "reopened", held.viewer.id, command.reason)
    told = steps.reopened(held.ticket, after, held.viewer.employee_id)
    return after, (*told, *_pause(told[-1].ticket, after, held.viewer))


async def _comment(tx: Tx, held: Held, command: commands.Comment) -> _Done:
    await store.add_line(tx, held.task, "comment", held.viewer.id, command.text)
    return held.task, ()


_DO: Final[Mapping[type[commands.Command], Callable[[Tx, Held, Any], Awaitable[_Done]]]] = {
    commands.Accept: _accept,
    commands.Finish: _finish,
    commands.Decline: _decline,
    commands.Reassign: _reassign,
    commands.Withdraw: _withdraw,
    commands.Reopen: _reopen,
    commands.Comment: _comment,
}


async def _go_on(tx: Tx, ticket: Ticket) -> Steps:
    """The end of the last task that blocks ends the waiting, where it was for tasks and not by hand."""
    if ticket.waiting_for != "other_department" or await store.list_blocking(tx, ticket.id):
        return ()
    return tickets.resume(ticket) if await store.waits_for_task(tx, ticket.id) else ()


async def withdraw_of(
    tx: Tx, ticket: Ticket, tasks: Collection[UUID], why: WithdrawnAs, viewer: Viewer
) -> Steps:
    """Those of `tasks` that are open are not needed any more; a ticket that waited for them goes on."""
    open_yet = [each for each in await store.lock_open(tx, ticket.id) if each.id in tasks]
    after = [_now(tx, each, state="withdrawn", said="") for each in open_yet]
    for each in after:
        await store.change_task(tx, each)
        await store.add_line(tx, each, "withdrawn", viewer.id)
    told = steps.withdrawn(ticket, after, why, viewer.employee_id)
    if any(each.blocking for each in after):
        told = (*told, *await _go_on(tx, told[-1].ticket))
    return told


async def hand_on(
    tx: Tx, changes: Sequence[Change], gone: Collection[PersonId], staff: Staff, by: str | None
) -> list[Change]:
    """`changes`, and in them other owners for what those who are `gone` answer for (R24)."""
    found = await store.lock_open_of(tx, gone) if gone else []
    theirs: defaultdict[UUID, list[Task]] = defaultdict(list)
    for task in found:
        theirs[task.ticket_id].append(task)
    changed = []
    for change in changes:
        told = await _moved(tx, change.after, theirs.pop(change.after.id, ()), gone, staff, by)
        changed.append(replace(change, steps=(*change.steps, *told)))
    assert not theirs, "the tickets of all their tasks are held"
    return changed


async def _moved(
    tx: Tx,
    ticket: Ticket,
    tasks: Collection[Task],
    gone: Collection[PersonId],
    staff: Staff,
    by: str | None,
) -> Steps:
    told: list[Step] = []
    for task in tasks:
        department = staff.departments.get(task.department)
        owner = rules.owner_for(department, ticket.site.region, staff, gone)
        if owner == task.owner_id:
            continue
        after = _now(tx, task, state="asked", owner_id=owner, said="")
        await store.change_task(tx, after)
        await store.add_line(tx, after, "handed_on", by)
        now = told[-1].ticket if told else ticket
        told.append(steps.handed_on(now, after, task.owner_id, None))
    return tuple(told)


async def rehome(tx: Tx, by: str) -> None:
    """After an import: what nobody of its department answers for any more goes to whom it would go today.

    The caller holds the organisation. A task of a department that is gone goes to the region's duty lead.
    """
    staff, _ = await lock_staff(tx)
    astray = {task.ticket_id for task in await store.list_open(tx) if not _is_home(task, staff)}
    changes = []
    for ticket in await load_tickets(tx, among(ticket_table.c.id, astray), lock=True) if astray else ():
        theirs = [task for task in await store.lock_open(tx, ticket.id) if not _is_home(task, staff)]
        changes.append(Change(ticket, await _moved(tx, ticket, theirs, (), staff, by)))
    await record(tx, changes, by)


def _is_home(task: Task, staff: Staff) -> bool:
    department = staff.departments.get(task.department)
    return department is not None and task.owner_id in department.people
