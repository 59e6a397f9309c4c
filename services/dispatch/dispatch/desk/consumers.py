"""What the service desk tells of requests and customers that have tickets, or will have."""

from __future__ import annotations

from collections.abc import Sequence

from dispatch.desk import actions, customers
from shared.db import Tx
from shared.events import Event
from shared.events.intake import (
    CustomerChanged,
    CustomerErased,
    RequestMerged,
    RequestSolved,
    RequestSplit,
)


async def on_request_merged(tx: Tx, events: Sequence[Event[RequestMerged]]) -> None:
    """The newer one's ticket is cancelled while the main one's is open, and names it."""
    await actions.join(tx, events)


async def on_request_split(tx: Tx, events: Sequence[Event[RequestSplit]]) -> None:
    """What was cancelled as a duplicate goes on in another episode."""
    await actions.join(tx, events)


async def on_request_solved(tx: Tx, events: Sequence[Event[RequestSolved]]) -> None:
    """The desk needed nobody else (R11)."""
    await actions.solve(tx, events)


async def on_customer_changed(tx: Tx, events: Sequence[Event[CustomerChanged]]) -> None:
    """Open tickets are of another level (R36)."""
    await customers.change_levels(tx, events)


async def on_customer_erased(tx: Tx, events: Sequence[Event[CustomerErased]]) -> None:
    """Nothing that was written about them stays."""
    await customers.forget(tx, events)
