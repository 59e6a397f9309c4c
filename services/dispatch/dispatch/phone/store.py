"""What phones have sent: each command once, with what became of it; nothing that was sent is forgotten."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, Table, Text, Uuid, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from dispatch.phone.rules import Outcome
from dispatch.tables import among, metadata
from dispatch.tickets.store import history, ticket
from shared.db import Tx

phone_command: Final = Table(
    "phone_command",
    metadata,
    Column("person", Text, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("sent", JSONB, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("done_at", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("version", BigInteger),
    Column("problem", JSONB),
    Column("settled_at", DateTime(timezone=True)),
    comment="What engineers did on their phones, once each; a conflict is open until its person settles it.",
)

Row = Mapping[str, Any]


async def claim(tx: Tx, row: Row) -> Row | None:
    """Take a command for the first time; what became of it where that was before, else None.

    Whoever brings the same one at the same moment waits here for the end of the other transaction.
    """
    fresh = insert(phone_command).values(row).on_conflict_do_nothing().returning(phone_command.c.id)
    if (await tx.execute(fresh)).first():
        return None
    return await find(tx, row["person"], row["id"])


async def find(tx: Tx, person: str, id: UUID) -> Row | None:
    found = await tx.execute(select(phone_command).where(_is(person, id)))
    row = found.mappings().first()
    return dict(row) if row else None


async def settle(
    tx: Tx, person: str, id: UUID, outcome: Outcome, version: int | None, problem: Any = None
) -> None:
    """Note what became of it."""
    values = {"outcome": outcome, "version": version, "problem": problem}
    await tx.execute(update(phone_command).where(_is(person, id)).values(values))


async def dismiss(tx: Tx, person: str, id: UUID, at: datetime) -> bool:
    """The person has seen that it was not done; whether there was such a conflict of theirs."""
    seen = update(phone_command).where(_is(person, id), phone_command.c.outcome.in_(("conflict", "refused")))
    done = await tx.execute(
        seen.where(phone_command.c.settled_at.is_(None)).values(settled_at=at).returning(phone_command.c.id)
    )
    return done.first() is not None


async def list_open(tx: Tx, person: str) -> Sequence[Row]:
    """What a person did that was not taken and that they have not looked at yet, the oldest first."""
    known = phone_command.outerjoin(ticket, ticket.c.id == phone_command.c.ticket_id)
    query = (
        select(phone_command, ticket.c.number, ticket.c.title)
        .select_from(known)
        .where(
            phone_command.c.person == person,
            phone_command.c.outcome.in_(("conflict", "refused")),
            phone_command.c.settled_at.is_(None),
        )
    )
    return [dict(row) for row in (await tx.execute(query.order_by(phone_command.c.id))).mappings()]


async def list_of_ticket(tx: Tx, ticket_id: UUID) -> Sequence[Row]:
    """What was not taken of what anybody did with a ticket on a phone, the newest first."""
    query = select(phone_command).where(
        phone_command.c.ticket_id == ticket_id, phone_command.c.outcome == "conflict"
    )
    return [dict(row) for row in (await tx.execute(query.order_by(phone_command.c.id.desc()))).mappings()]


async def list_since(tx: Tx, ticket_id: UUID, version: int) -> Sequence[Row]:
    """What became of a ticket after a version, the oldest first."""
    query = select(history).where(history.c.ticket_id == ticket_id, history.c.version > version)
    return [dict(row) for row in (await tx.execute(query.order_by(history.c.version))).mappings()]


async def last_moment(tx: Tx, ticket_id: UUID) -> datetime:
    """When the newest thing happened to a ticket."""
    newest = select(history.c.at).where(history.c.ticket_id == ticket_id)
    found: datetime = (await tx.execute(newest.order_by(history.c.version.desc()).limit(1))).scalar_one()
    return found


def _is(person: str, id: UUID) -> Any:
    return (phone_command.c.person == person) & (phone_command.c.id == id)


async def forget(tx: Tx, tickets: Collection[UUID]) -> None:
    """What was sent about an erased customer's tickets loses its words."""
    words: dict[str, Any] = {"sent": {}, "problem": None}
    await tx.execute(update(phone_command).where(among(phone_command.c.ticket_id, tickets)).values(words))
