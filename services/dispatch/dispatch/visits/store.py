"""Times agreed with customers, and the links to choose them by; one engineer is at one place at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    bindparam,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from dispatch.tables import among, metadata
from dispatch.visits.rules import Visit, VisitState
from shared.db import Tx, insert_rows
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
visit_link: Final = Table(
    "visit_link",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    comment="Each message carries a link of its own; what it holds is known to the customer alone.",
)
_EXCLUSION_VIOLATION: Final = "23P01"


class VisitOverlaps(AftercareError):
    """The engineer has agreed another visit at that time; choose another time or engineer."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link leads."""

    ticket_id: UUID
    episode: int


async def save_visit(tx: Tx, ticket_id: UUID, agreed: VisitAgreed) -> None:
    """`VisitOverlaps` when the engineer is elsewhere then."""
    kept = ("engineer_id", "starts_at", "ends_at", "at_customers_wish")
    row = {name: getattr(agreed, name) for name in kept}
    row |= {"id": agreed.visit_id, "ticket_id": ticket_id, "state": "agreed"}
    try:
        await tx.execute(insert(visit).values(row))
    except DBAPIError as error:
        if sqlstate(error) == _EXCLUSION_VIOLATION:
            raise VisitOverlaps from None
        raise


async def carry_visits(tx: Tx, visits: Sequence[Visit]) -> set[UUID]:
    """Agree all of these that meet nothing; returns their ids. What meets something waits for who made it."""
    tail = "ON CONFLICT DO NOTHING RETURNING id"
    return {row.id for row in await insert_rows(tx, visit, [asdict(each) for each in visits], tail=tail)}


async def end_visits(tx: Tx, tickets: Collection[UUID], state: VisitState) -> None:
    """What was agreed for `tickets` and is still to come has become `state`."""
    agreed = update(visit).where(among(visit.c.ticket_id, tickets), visit.c.state == "agreed")
    await tx.execute(agreed.values(state=state))


async def mark_visits(tx: Tx, ids: Collection[UUID], state: VisitState) -> None:
    await tx.execute(update(visit).where(among(visit.c.id, ids)).values(state=state))


async def agreed_visits(tx: Tx, tickets: Collection[UUID]) -> dict[UUID, Visit]:
    """What is agreed and still to come, by ticket."""
    found = await _visits(tx, among(visit.c.ticket_id, tickets), visit.c.state == "agreed")
    return {each.ticket_id: each for each in found}


async def visits_of(tx: Tx, ticket_id: UUID) -> list[Visit]:
    """The visits of a ticket, the newest first."""
    return await _visits(tx, visit.c.ticket_id == ticket_id)


async def _visits(tx: Tx, *conditions: ColumnElement[bool]) -> list[Visit]:
    chosen = select(visit).where(*conditions).order_by(visit.c.id.desc())
    return [Visit(**row) for row in (await tx.execute(chosen)).mappings()]


_LAPSED: Final = text(
    """
    SELECT ticket_id FROM visit AS last WHERE ticket_id = ANY(:tickets) AND state = 'lapsed'
        AND NOT EXISTS (SELECT FROM visit WHERE visit.ticket_id = last.ticket_id AND visit.id > last.id)
    """
).bindparams(bindparam("tickets", type_=ARRAY(Uuid)))


async def list_lapsed(tx: Tx, tickets: Collection[UUID]) -> set[UUID]:
    """Those whose visit cannot be kept and who have no other one yet."""
    found = await tx.execute(_LAPSED, {"tickets": list(tickets)})
    return set(found.scalars())


async def list_visits(tx: Tx, ticket_id: UUID) -> list[Mapping[str, Any]]:
    """The same as rows."""
    chosen = select(visit).where(visit.c.ticket_id == ticket_id).order_by(visit.c.id.desc())
    return [dict(row) for row in (await tx.execute(chosen)).mappings()]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def add_links(tx: Tx, links: Mapping[str, Link], expires_at: datetime) -> None:
    """Secrets (by token) that open the page of a ticket's visit until `expires_at`."""
    rows = [
        {"token_hash": _hash(token), **asdict(link), "expires_at": expires_at}
        for token, link in links.items()
    ]
    await insert_rows(tx, visit_link, rows)


async def find_link(tx: Tx, token: str) -> Link | None:
    """What a link leads to; None when it is unknown or expired."""
    chosen = select(visit_link.c.ticket_id, visit_link.c.episode)
    row = (
        await tx.execute(
            chosen.where(visit_link.c.token_hash == _hash(token), visit_link.c.expires_at > tx.now)
        )
    ).first()
    return Link(row.ticket_id, row.episode) if row else None
