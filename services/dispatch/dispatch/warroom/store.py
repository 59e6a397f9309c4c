"""Who leads where a ticket is, as far as they were told or asked."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from dispatch.leadership.store import load_notice
from dispatch.solutions.store import solution
from shared.db import Tx
from shared.events.terms import PersonId


async def load_leaders(tx: Tx, ticket_id: UUID) -> frozenset[PersonId]:
    """Who was informed of it last, or asked about a solution."""
    notice = await load_notice(tx, ticket_id)
    asked = await tx.execute(select(solution.c.leader_ids).where(solution.c.ticket_id == ticket_id))
    leaders = {UUID(each) for row in asked for each in row.leader_ids}
    return frozenset(leaders.union(notice.leader_ids if notice else ()))
