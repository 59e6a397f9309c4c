"""What happened to the tickets of our requests, as their owners told it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from intake.progress.story import Happened
from intake.tables.progress import ticket_step
from shared.db import Tx, insert_rows


async def save_steps(tx: Tx, steps: Sequence[tuple[UUID, Happened]]) -> None:
    """Keep steps of tickets, each once, also of tickets that are not known here yet."""
    rows: list[dict[str, Any]] = [
        {
            "ticket_id": ticket_id,
            "event_id": each.id,
            "kind": each.kind,
            "sequence": each.sequence,
            "at": each.at,
            "facts": dict(each.facts),
        }
        for ticket_id, each in sorted(steps, key=lambda step: (step[0], step[1].id))
    ]
    await insert_rows(tx, ticket_step, rows, tail="ON CONFLICT DO NOTHING")


async def load_steps(tx: Tx, ticket_id: UUID) -> list[Happened]:
    """Everything that is known of one ticket, in no order."""
    query = select(ticket_step).where(ticket_step.c.ticket_id == ticket_id)
    return [
        Happened(row.event_id, row.kind, row.sequence, row.at, row.facts) for row in await tx.execute(query)
    ]
