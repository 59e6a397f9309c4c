"""Whom nobody has heard from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, text

from dispatch.assignment.store import decision
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import ticket, ticket_of
from shared.db import Tx
from shared.events.terms import Severity

MOST: Final = 200  # at once


async def lock_unanswered(tx: Tx, now: datetime, patience: Mapping[Severity, timedelta]) -> list[Ticket]:
    """Assigned longer ago than their severity's `patience`; what others are changing now is left out."""
    asked_at = (
        select(decision.c.decided_at)
        .where(decision.c.ticket_id == ticket.c.id)
        .order_by(decision.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    late = [
        (ticket.c.severity == severity) & (ticket.c.opened_at <= now - most) & (asked_at <= now - most)
        for severity, most in patience.items()
    ]
    chosen = select(ticket).where(text("ticket.state = 'assigned'"), or_(*late))
    chosen = chosen.order_by(ticket.c.id).limit(MOST).with_for_update(key_share=True, skip_locked=True)
    return [ticket_of(row) for row in await tx.execute(chosen)]
