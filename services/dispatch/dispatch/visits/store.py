"""Times agreed with customers; one engineer is at one place at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, Column, DateTime, Table, Text, Uuid, insert, select, update
from sqlalchemy.exc import DBAPIError

from dispatch.tables import among, metadata
from shared.db import Tx
from shared.db.engine import sqlstate
from shared.errors import AftercareError
from shared.events.dispatch import VisitAgreed

visit: Final = Table(
    "visit",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("engineer_id", Uuid, nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("at_customers_wish", Boolean, nullable=False),
    Column("state", Text, nullable=False),
)
_EXCLUSION_VIOLATION: Final = "23P01"


class VisitOverlaps(AftercareError):
    """The engineer has agreed another visit at that time; choose another time or engineer."""

    kind = "conflict"


async def save_visit(tx: Tx, ticket_id: UUID, agreed: VisitAgreed) -> None:
    """`VisitOverlaps` when the engineer is elsewhere then."""
    row = {**agreed.model_dump(), "id": agreed.visit_id, "ticket_id": ticket_id, "state": "agreed"}
    del row["visit_id"]
    try:
        await tx.execute(insert(visit).values(row))
    except DBAPIError as error:
        if sqlstate(error) == _EXCLUSION_VIOLATION:
            raise VisitOverlaps from None
        raise


async def end_visits(tx: Tx, tickets: Collection[UUID], state: str) -> None:
    """What was agreed for `tickets` and is still to come is now `moved`, `kept` or `cancelled`."""
    agreed = update(visit).where(among(visit.c.ticket_id, tickets), visit.c.state == "agreed")
    await tx.execute(agreed.values(state=state))


async def list_visits(tx: Tx, ticket_id: UUID) -> list[Mapping[str, Any]]:
    """The visits of a ticket, the newest first."""
    chosen = select(visit).where(visit.c.ticket_id == ticket_id).order_by(visit.c.id.desc())
    return [dict(row) for row in (await tx.execute(chosen)).mappings()]
