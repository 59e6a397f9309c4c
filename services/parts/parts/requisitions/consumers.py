"""What dispatch tells."""

from __future__ import annotations

from collections.abc import Sequence

from parts.requisitions import actions
from parts.requisitions.actions import Ended
from shared.db import Tx
from shared.events import Event
from shared.events.dispatch import PartsRequested


async def on_parts_requested(tx: Tx, events: Sequence[Event[PartsRequested]]) -> None:
    """Hold them, or say what is missing."""
    await actions.answer_requests(tx, events)


async def on_ticket_ended(tx: Tx, events: Sequence[Ended]) -> None:
    """What was not used is for the others."""
    await actions.close_tickets(tx, events)
