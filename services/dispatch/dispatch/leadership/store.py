"""When leadership was informed and who acknowledged it, out of the tickets' history."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select

from dispatch.leadership.rules import ACKNOWLEDGED, INFORMED, Notice, notice_in
from dispatch.tickets.store import history
from shared.db import Tx
from shared.events.terms import PersonId

_TOLD: Final = (
    select(history.c.what, history.c.by, history.c.at, history.c.facts)
    .where(history.c.ticket_id == bindparam("ticket_id"), history.c.what.in_((INFORMED, ACKNOWLEDGED)))
    .order_by(history.c.version.desc())
)


async def load_notice(tx: Tx, ticket_id: UUID) -> Notice | None:
    """The last time leadership was informed of a ticket; None when it never was."""
    found = await tx.execute(_TOLD, {"ticket_id": ticket_id})
    return notice_in([dict(row) for row in found.mappings()])


async def was_informed(tx: Tx, ticket_id: UUID, person_id: PersonId) -> bool:
    """Whether somebody is among those who were informed last."""
    notice = await load_notice(tx, ticket_id)
    return notice is not None and person_id in notice.leader_ids
