"""The one way a change of tickets is stored and told: rows, history, loads and events together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from dispatch.assignment.rules import Decision, Kept
from dispatch.assignment.store import save_decisions
from dispatch.tasks import store as tasks
from dispatch.tasks.rules import Task
from dispatch.tasks.steps import withdrawn as told
from dispatch.tickets import store
from dispatch.tickets.rules import Steps, Ticket
from dispatch.visits.carrying import carry
from dispatch.visits.letters import tell_customers
from shared.db import Tx
from shared.events import Event
from shared.outbox.emit import emit


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one ticket: before (None when it is new), the steps, and what led to it.

    `decision` is kept as the explanation; `cause` is the event being handled.
    """

    before: Ticket | None
    steps: Steps
    decision: Decision | Kept | None = None
    cause: Event[Any] | None = None

    @property
    def after(self) -> Ticket:
        """The ticket in the end; as it was where nothing had to happen any more."""
        if self.steps:
            return self.steps[-1].ticket
        assert self.before is not None
        return self.before


async def record(tx: Tx, changes: Sequence[Change], by: str | None) -> list[Change]:
    """Store `changes` and tell of them; at most five statements whatever their number.

    Returns those that change something, as they were recorded. `by` is the principal who asked for it, None
    for the service itself. What was agreed with the customer stays though the engineer changes, or is said to
    be agreed anew, and the open tasks of other departments are withdrawn with tickets that end (R37): a few
    statements more, for all of them.
    """
    changes = await _with_visits(tx, [change for change in changes if change.steps])
    changes = await _with_tasks(tx, changes, by)
    if not changes:
        return []
    fresh = [change.after for change in changes if change.before is None]
    changed = [change.after for change in changes if change.before is not None]
    await store.save_tickets(tx, fresh, changed)
    await store.add_history(tx, [step for change in changes for step in change.steps], by, tx.now)
    decided = [
        (change.after.id, change.after.version, change.decision) for change in changes if change.decision
    ]
    await save_decisions(tx, decided, by)
    await store.shift_loads(tx, [(change.before, change.after) for change in changes])
    for change in changes:
        for step in change.steps:
            ticket = step.ticket
            emit(
                tx,
                step.payload,
                subject=ticket.id,
                sequence=ticket.version,
                time=step.at,
                cause=change.cause,
            )
    await tell_customers(tx, [step for change in changes for step in change.steps])
    return changes


async def _with_visits(tx: Tx, changes: list[Change]) -> list[Change]:
    """Each change of engineer with what becomes of the visit that was agreed."""
    given = [
        change.after
        for change in changes
        if change.before and change.before.engineer_id not in (None, change.after.engineer_id)
    ]
    carried = await carry(tx, [ticket for ticket in given if ticket.is_open])
    return [
        replace(change, steps=(*change.steps, carried[change.after.id]))
        if change.after.id in carried
        else change
        for change in changes
    ]


async def _with_tasks(tx: Tx, changes: list[Change], by: str | None) -> list[Change]:
    ending = {change.after.id for change in changes if _ends(change)}
    if not ending:
        return changes
    withdrawn: defaultdict[UUID, list[Task]] = defaultdict(list)
    for task in await tasks.withdraw_all(tx, ending, by):
        withdrawn[task.ticket_id].append(task)
    return [
        replace(
            change,
            steps=(*change.steps, *told(change.after, withdrawn[change.after.id], "ticket_ended", None)),
        )
        for change in changes
    ]


def _ends(change: Change) -> bool:
    return change.before is not None and change.before.is_open and not change.after.is_open
