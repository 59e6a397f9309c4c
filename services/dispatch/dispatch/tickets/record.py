"""The one way a change of tickets is stored and told: rows, history, loads and events together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dispatch.assignment.rules import Decision, Kept
from dispatch.assignment.store import save_decisions
from dispatch.tickets import store
from dispatch.tickets.rules import Steps, Ticket
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


async def record(tx: Tx, changes: Sequence[Change], by: str | None) -> None:
    """Store `changes` and tell of them; at most five statements whatever their number.

    `by` is the principal who asked for it, None for the service itself.
    """
    changes = [change for change in changes if change.steps]
    if not changes:
        return
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
