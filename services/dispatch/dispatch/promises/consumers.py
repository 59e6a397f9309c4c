"""What sla-monitor tells of the promises to tickets; those to requests and calls are nobody's work here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args
from uuid import UUID

from dispatch.promises.rules import Told, standing_of
from dispatch.promises.store import save_clocks
from shared.db import Tx
from shared.events import Event
from shared.inbox import Consumer, on


async def on_clock_told(tx: Tx, events: Sequence[Event[Any]]) -> None:
    """Keep how the clocks of tickets stand; the ticket's own row may still be on its way."""
    await save_clocks(
        tx,
        [
            {
                "id": UUID(event.subject),
                "ticket_id": event.data.about,
                "code": event.data.promise,
                "due_at": event.data.deadline,
                "state": standing_of(event.data),
                "version": event.version,
            }
            for event in events
            if event.data.about_kind == "ticket"
        ],
    )


consumers: Final[tuple[Consumer, ...]] = tuple(on(payload, on_clock_told) for payload in get_args(Told))
