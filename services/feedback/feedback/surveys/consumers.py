"""What dispatch tells."""

from __future__ import annotations

from collections.abc import Sequence

from feedback.surveys import actions
from shared.db import Tx
from shared.events import Event
from shared.events.dispatch import TicketClosed


async def on_ticket_closed(tx: Tx, events: Sequence[Event[TicketClosed]]) -> None:
    """Ask whoever accepted the result; who never answered is not asked for a score."""
    await actions.ask_customers(tx, [event for event in events if event.data.reason == "accepted"])
