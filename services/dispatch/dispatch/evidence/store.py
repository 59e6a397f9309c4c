"""Photos with their bytes, and signatures; each once, however often a telephone sends it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.evidence.rules import Photo, Signature
from dispatch.tables import among, metadata
from dispatch.tickets.store import history
from shared.db import Tx, insert_rows
from shared.events.terms import PersonId

photo: Final = Table(
    "photo",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("person", Text, nullable=False),
    Column("sent_id", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("ticket_id", Uuid, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("caption", Text, nullable=False),
    Column("taken_at", DateTime(timezone=True), nullable=False),
    Column("device_time", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("content", LargeBinary),
    Column("thumbnail", LargeBinary),
    comment="Photos of the work without anything but their pixels; of erased customers without those.",
)
signature: Final = Table(
    "signature",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("person", Text, nullable=False),
    Column("sent_id", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("ticket_id", Uuid, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("signed_version", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("signer", Text, nullable=False),
    Column("work_note", Text, nullable=False),
    Column("strokes", JSONB, nullable=False),
    Column("signed_at", DateTime(timezone=True), nullable=False),
    Column("device_time", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    comment="Who signed for what; of erased customers only that somebody did.",
)

Row = Mapping[str, Any]
_PHOTO: Final = [
    photo.c.person.label("by") if name == "by" else photo.c[name]
    for name in Photo.__slots__
    if name != "kept"
]
_SIGNATURE: Final = [
    signature.c.person.label("by") if name == "by" else signature.c[name] for name in Signature.__slots__
]


async def find(tx: Tx, table: Table, person: str, sent_id: UUID) -> Row | None:
    """What was sent by this id before: `id`, `ticket_id` and the `digest` of what it was."""
    chosen = select(table.c.id, table.c.ticket_id, table.c.digest)
    found = await tx.execute(chosen.where(table.c.person == person, table.c.sent_id == sent_id))
    row = found.mappings().first()
    return dict(row) if row else None


async def add(tx: Tx, table: Table, row: Mapping[str, Any]) -> None:
    await insert_rows(tx, table, [row])


async def count(tx: Tx, table: Table, ticket_id: UUID) -> int:
    counted = select(func.count()).select_from(table).where(table.c.ticket_id == ticket_id)
    number: int = (await tx.execute(counted)).scalar_one()
    return number


async def had(tx: Tx, ticket_id: UUID, person: PersonId) -> bool:
    """Whether the ticket was ever given to somebody."""
    given = select(history.c.version).where(
        history.c.ticket_id == ticket_id,
        history.c.what == "ticket_assigned",
        history.c.facts["engineer_id"].astext == str(person),
    )
    return (await tx.execute(given.limit(1))).first() is not None


async def list_photos(tx: Tx, ticket_id: UUID) -> Sequence[Photo]:
    """Of a ticket, in the order in which they were taken."""
    chosen = select(*_PHOTO, photo.c.content.is_not(None).label("kept")).where(photo.c.ticket_id == ticket_id)
    found = await tx.execute(chosen.order_by(photo.c.taken_at, photo.c.id))
    return [Photo(**row._mapping) for row in found]


async def list_signatures(tx: Tx, ticket_id: UUID) -> Sequence[Signature]:
    """Of a ticket, the newest first."""
    chosen = select(*_SIGNATURE).where(signature.c.ticket_id == ticket_id)
    found = await tx.execute(chosen.order_by(signature.c.signed_at.desc(), signature.c.id.desc()))
    return [Signature(**row._mapping) for row in found]


async def newest_signature(tx: Tx, ticket_id: UUID, episode: int) -> Signature | None:
    """The last one for the work of an episode."""
    return next((each for each in await list_signatures(tx, ticket_id) if each.episode == episode), None)


async def load_photo(tx: Tx, id: UUID, *, small: bool) -> Row | None:
    """Whose it is, and its bytes; None where there is none, or none any more."""
    content = photo.c.thumbnail if small else photo.c.content
    chosen = select(photo.c.ticket_id, photo.c.sha256, content.label("content"))
    found = await tx.execute(chosen.where(photo.c.id == id, content.is_not(None)))
    row = found.mappings().first()
    return dict(row) if row else None


async def load_signature(tx: Tx, id: UUID) -> Signature | None:
    found = (await tx.execute(select(*_SIGNATURE).where(signature.c.id == id))).first()
    return Signature(**found._mapping) if found else None


async def forget(tx: Tx, tickets: Collection[UUID]) -> None:
    """What shows or names customers goes; that there was something, when and by whom, stays."""
    nothing: dict[str, Any] = {"content": None, "thumbnail": None, "caption": ""}
    await tx.execute(update(photo).where(among(photo.c.ticket_id, tickets)).values(nothing))
    nobody: dict[str, Any] = {"signer": "—", "work_note": "—", "strokes": []}
    await tx.execute(update(signature).where(among(signature.c.ticket_id, tickets)).values(nobody))
