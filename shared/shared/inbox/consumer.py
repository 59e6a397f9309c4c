"""Which handler of a service reads which event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from shared.db.tx import Tx
from shared.events import Event, Payload

P = TypeVar("P", bound=Payload)

Handler: TypeAlias = Callable[[Tx, Sequence[Event[Any]]], Awaitable[None]]
"""Takes the new events of a batch that it reads."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """One event type and the function that reads it; made by `on`."""

    payload: type[Payload]
    handler: Handler


def on(payload: type[P], handler: Callable[[Tx, Sequence[Event[P]]], Awaitable[None]]) -> Consumer:
    """Call `handler` once per batch with its new `payload` events, sorted by subject and sequence.

    Given for several payloads, it is still called once, with the events of all of them.
    The handler issues a number of statements independent of the length of the list, and holds each event's
    subject lock while it runs. What it does and the note that it was done commit together.
    """
    return Consumer(payload, handler)
