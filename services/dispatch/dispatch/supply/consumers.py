"""What the parts desk answers is shown on the ticket; it may come before the ticket's own row does."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from dispatch.supply.store import save_ends, save_expected, save_requisitions
from shared.db import Tx
from shared.events import Event
from shared.events.parts import PartsExpected, PartsReleased, PartsReserved, PartsShort, PartsUsed


async def on_parts_reserved(tx: Tx, events: Sequence[Event[PartsReserved]]) -> None:
    """Everything that was asked for is held."""
    await save_requisitions(
        tx,
        [
            {
                "id": UUID(event.subject),
                "ticket_id": event.data.ticket_id,
                "state": "reserved",
                "lines": [line.model_dump() for line in event.data.lines],
                "missing": [],
                "held_until": event.data.held_until,
                "version": event.version,
                "told_at": event.time,
            }
            for event in events
        ],
    )


async def on_parts_short(tx: Tx, events: Sequence[Event[PartsShort]]) -> None:
    """Some of it is not there."""
    await save_requisitions(
        tx,
        [
            {
                "id": UUID(event.subject),
                "ticket_id": event.data.ticket_id,
                "state": "short",
                "lines": [],
                "missing": [line.model_dump() for line in event.data.missing],
                "held_until": None,
                "version": event.version,
                "told_at": event.time,
            }
            for event in events
        ],
    )


async def on_parts_expected(tx: Tx, events: Sequence[Event[PartsExpected] | Event[PartsReleased]]) -> None:
    """The parts desk knows when what is short comes; what nobody wants any more is not waited for."""
    await save_expected(
        tx,
        [
            {
                "id": UUID(event.subject),
                "ticket_id": event.data.ticket_id,
                "expected_at": event.data.expected_at if isinstance(event.data, PartsExpected) else None,
                "expected_version": event.version,
                "told_at": event.time,
            }
            for event in events
        ],
    )


async def on_parts_ended(tx: Tx, events: Sequence[Event[PartsUsed] | Event[PartsReleased]]) -> None:
    """They are built in, or nobody has them for this job any more (R73)."""
    await save_ends(
        tx,
        [
            {
                "id": UUID(event.subject),
                "ticket_id": event.data.ticket_id,
                "ended_as": "used" if isinstance(event.data, PartsUsed) else "released",
                "ended_version": event.version,
                "used": [line.model_dump() for line in event.data.lines]
                if isinstance(event.data, PartsUsed)
                else [],
                "told_at": event.time,
            }
            for event in events
        ],
    )
