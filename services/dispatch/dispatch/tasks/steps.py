"""What happens to tasks, as versions of their ticket: each told by an event, with the words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from dispatch.tasks.rules import Task
from dispatch.tickets.rules import Step, Steps, Ticket
from dispatch.tickets.rules.assigning import step
from shared.events import Payload
from shared.events import teamwork as events
from shared.events.terms import PersonId

TOLD: Final = frozenset(
    {
        "task_asked",
        "task_accepted",
        "task_handed_on",
        "task_done",
        "task_declined",
        "task_withdrawn",
        "task_reopened",
    }
)
"""What a history calls them: nobody at work on the ticket waits for these."""


def asked(ticket: Ticket, task: Task, by: PersonId | None) -> Steps:
    payload = events.TaskAsked(
        task_id=task.id,
        department=task.department,
        owner_id=task.owner_id,
        needed_by=task.needed_by,
        blocking=task.blocking,
        episode=task.episode,
        by=by,
    )
    return (step(ticket, payload, {"text": task.what}),)


def accepted(ticket: Ticket, task: Task) -> Steps:
    payload = events.TaskAccepted(task_id=task.id, department=task.department, owner_id=task.owner_id)
    return (step(ticket, payload),)


def handed_on(ticket: Ticket, task: Task, previous: PersonId, by: PersonId | None) -> Step:
    payload = events.TaskHandedOn(
        task_id=task.id,
        department=task.department,
        owner_id=task.owner_id,
        previous_owner_id=previous,
        by=by,
    )
    return step(ticket, payload)


def done(ticket: Ticket, task: Task, now: datetime, by: PersonId | None) -> Steps:
    payload = events.TaskDone(
        task_id=task.id,
        department=task.department,
        owner_id=task.owner_id,
        late=now > task.needed_by,
        by=by,
    )
    return (step(ticket, payload, {"text": task.said} if task.said else {}),)


def declined(ticket: Ticket, task: Task, by: PersonId | None) -> Steps:
    payload = events.TaskDeclined(task_id=task.id, department=task.department, owner_id=task.owner_id, by=by)
    return _because(ticket, payload, task)


def withdrawn(ticket: Ticket, tasks: Sequence[Task], why: events.WithdrawnAs, by: PersonId | None) -> Steps:
    """One step for each."""
    steps: Steps = ()
    for task in tasks:
        now = steps[-1].ticket if steps else ticket
        payload = events.TaskWithdrawn(task_id=task.id, department=task.department, why=why, by=by)
        steps = (*steps, *_because(now, payload, task))
    return steps


def reopened(ticket: Ticket, task: Task, by: PersonId | None) -> Steps:
    payload = events.TaskReopened(
        task_id=task.id,
        department=task.department,
        owner_id=task.owner_id,
        needed_by=task.needed_by,
        blocking=task.blocking,
        by=by,
    )
    return _because(ticket, payload, task)


def _because(ticket: Ticket, payload: Payload, task: Task) -> Steps:
    return (step(ticket, payload, {"reason": task.said} if task.said else {}),)
