"""What the service desk tells becomes work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from dispatch.desk.actions import follow
from dispatch.tickets import store
from dispatch.tickets.actions import Reclassified, Registered, open_tickets, regrade_tickets
from dispatch.tickets.early import keep_early, take_early
from shared.db import Tx


async def on_request_registered(tx: Tx, events: Sequence[Registered]) -> None:
    """Open and assign tickets, all of them in this transaction."""
    opened = {ticket.request_id: ticket for ticket in await open_tickets(tx, events)}
    if opened:
        await follow(tx, opened.keys())
    if opened and (early := _newest(await take_early(tx, opened.keys()))):
        await regrade_tickets(tx, await store.lock_by_request(tx, early.keys()), early)


async def on_request_reclassified(tx: Tx, events: Sequence[Reclassified]) -> None:
    """Apply another judgement; the newest one carries everything that those before it said."""
    newest = _newest(events)
    tickets = await store.lock_by_request(tx, newest.keys())
    await regrade_tickets(tx, tickets, newest)
    await keep_early(tx, [event for request_id, event in newest.items() if request_id not in tickets])


def _newest(events: Iterable[Reclassified]) -> dict[UUID, Reclassified]:
    """By request."""
    return {UUID(event.subject): event for event in sorted(events, key=lambda event: event.version)}
