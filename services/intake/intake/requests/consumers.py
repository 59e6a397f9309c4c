"""What dispatch tells about the tickets of our requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from intake.requests import store
from shared.db import Tx
from shared.events import Event
from shared.events.dispatch import TicketCancelled, TicketClosed, TicketOpened, TicketReopened
from shared.events.intake import RequestClosed, RequestReopened
from shared.outbox.emit import emit


async def on_ticket_opened(tx: Tx, events: Sequence[Event[TicketOpened]]) -> None:
    """From now on the ticket's owner answers for the request; before, the duty desk did."""
    await store.link_tickets(tx, {event.data.request_id: UUID(event.subject) for event in events})


Ended = Event[TicketClosed] | Event[TicketCancelled]


async def on_ticket_ended(tx: Tx, events: Sequence[Ended]) -> None:
    """What the customer says from now on is about something else."""
    ended = {event.data.request_id: event for event in events}
    versions = await store.close(tx, {id: event.time for id, event in ended.items()})
    for id, version in sorted(versions.items()):
        event = ended[id]
        closed = RequestClosed(ticket_id=UUID(event.subject))
        emit(tx, closed, subject=id, sequence=version, time=event.time, cause=event)


async def on_ticket_reopened(tx: Tx, events: Sequence[Event[TicketReopened]]) -> None:
    """It goes on, and so does the conversation; an end that is told late was before."""
    again = {event.data.request_id: event for event in events}
    versions = await store.reopen(tx, {id: event.time for id, event in again.items()})
    for id, version in sorted(versions.items()):
        event = again[id]
        reopened = RequestReopened(ticket_id=UUID(event.subject), mistaken=event.data.was in _NO_ENDS)
        emit(tx, reopened, subject=id, sequence=version, time=event.time, cause=event)


_NO_ENDS: Final = ("duplicate", "by_mistake")
"""As what a ticket was cancelled that should not have been, when it goes on."""
