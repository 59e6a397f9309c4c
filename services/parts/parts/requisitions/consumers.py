"""What dispatch tells."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from parts.requisitions import actions, store
from shared.db import Tx
from shared.events import Event
from shared.events.dispatch import PartsRequested, TicketClosed


async def on_parts_requested(tx: Tx, events: Sequence[Event[PartsRequested]]) -> None:
    """Hold them."""
    await actions.reserve_requested(tx, events)


async def on_ticket_closed(tx: Tx, events: Sequence[Event[TicketClosed]]) -> None:
    """What was not used goes back to the others."""
    held = await store.lock_held_of_tickets(tx, [UUID(event.subject) for event in events])
    await actions.release(tx, held)
