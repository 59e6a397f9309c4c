"""What sla-monitor tells that customers want to know: by when they hear from us."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from intake.sending import acknowledgements
from shared.db import Tx
from shared.events import Event
from shared.events.sla import ClockStarted

_PROMISE: Final = "first_reply"


async def on_clock_started(tx: Tx, events: Sequence[Event[ClockStarted]]) -> None:
    """Keep until when a first reply to a request is promised (R52, R53, R59)."""
    promised = {
        event.data.about: event.data.deadline
        for event in events
        if event.data.about_kind == "request" and event.data.promise == _PROMISE
    }
    if promised:
        await acknowledgements.note_promises(tx, promised)
