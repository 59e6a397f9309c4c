"""What other services want to tell the customer; only intake sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from intake.messages import store
from intake.requests.store import load_channels
from shared.clock import uuid7
from shared.db import Tx
from shared.events import Event, dispatch, feedback

# The fact that is what a person wrote; the other facts are for what a template says (`intake.sending.words`).
_WRITTEN: Final = "text"

Asked = Event[dispatch.CustomerMessageRequested] | Event[feedback.CustomerMessageRequested]


async def on_customer_message_requested(tx: Tx, events: Sequence[Asked]) -> None:
    """Queue the message on the channel its request came in by."""
    channels = await load_channels(tx, [event.data.request_id for event in events])
    rows = [
        {
            "id": uuid7(),
            "request_id": event.data.request_id,
            "direction": "out",
            "channel": channels[event.data.request_id],
            "author": event.source,
            "template": event.data.template,
            "link": event.data.link,
            "text": dict(event.data.facts).get(_WRITTEN, ""),
            "facts": {name: value for name, value in event.data.facts if name != _WRITTEN},
            "state": "waiting",
            "cause": event.id,
        }
        for event in events
        if event.data.request_id in channels
    ]
    await store.save_asked(tx, rows)
