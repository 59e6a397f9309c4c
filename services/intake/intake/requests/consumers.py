"""What dispatch tells about the tickets of our requests."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from intake.requests import store
from shared.db import Tx
from shared.events import Event
from shared.events.dispatch import TicketClosed, TicketOpened


async def on_ticket_opened(tx: Tx, events: Sequence[Event[TicketOpened]]) -> None:
    """From now on the ticket's owner answers for the request; before, the duty desk did."""
    await store.link_tickets(tx, {event.data.request_id: UUID(event.subject) for event in events})


async def on_ticket_closed(tx: Tx, events: Sequence[Event[TicketClosed]]) -> None:
    """What the customer says from now on is about something else."""
    await store.close(tx, {event.data.request_id: event.time for event in events})
