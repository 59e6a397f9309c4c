"""People, and the rest of the organisation in one versioned row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    Table,
    Text,
    Uuid,
    and_,
    cast,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from dispatch.organisation.rules import Centre, Organisation, Person, Region, Team
from dispatch.tables import among, metadata
from shared.db import Tx, insert_rows
from shared.events.terms import PersonId

organisation = Table(
    "organisation",
    metadata,
    Column("single", Boolean, primary_key=True, server_default="true"),
    Column("version", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("default_region", Text, nullable=False),
    Column("regions", JSONB, nullable=False),
    Column("centres", JSONB, nullable=False),
    Column("teams", JSONB, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    Column("imported_by", Text, nullable=False),
)

person = Table(
    "person",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("roles", JSONB, nullable=False),
    Column("tier", Text),
    Column("skills", JSONB, nullable=False),
    Column("regions", JSONB, nullable=False),
    Column("product_lines", JSONB, nullable=False),
    Column("centre", Text),
    comment="Employees; who leaves stays here, not active, because history names them.",
)

capacity = Table(
    "capacity",
    metadata,
    Column("person_id", Uuid, primary_key=True),
    Column("working", Integer, nullable=False, server_default="0"),
    Column("supervising", Integer, nullable=False, server_default="0"),
    comment="How many open tickets somebody works on and supervises; locked while tickets are given out.",
)


@dataclass(frozen=True, slots=True)
class Imported:
    """The organisation as it stands, and since when."""

    document: Organisation
    version: int
    imported_at: datetime
    imported_by: str


def person_of(row: Any) -> Person:
    """The person in a row that has (at least) all columns of `person`."""
    return Person(**{column.name: getattr(row, column.name) for column in person.columns})


async def load_organisation(tx: Tx) -> Imported | None:
    """All of it, without those who left; None before the first import."""
    row = (await tx.execute(select(organisation))).first()
    if row is None:
        return None
    people = await tx.execute(select(person).where(person.c.active).order_by(person.c.id))
    document = Organisation(
        note=row.note,
        default_region=row.default_region,
        regions=row.regions,
        centres=row.centres,
        people=tuple(person_of(each) for each in people),
        teams=row.teams,
    )
    return Imported(document, row.version, row.imported_at, row.imported_by)


async def lock_version(tx: Tx) -> int:
    """The present version, 0 before the first import; nobody decides by it until the transaction ends."""
    found = await tx.execute(select(organisation.c.version).with_for_update())
    return found.scalar_one_or_none() or 0


async def save_organisation(tx: Tx, document: Organisation, version: int, by: str) -> list[PersonId]:
    """Store all of `document`; returns those who are not active any more."""
    row = {
        "single": True,
        "version": version,
        "note": document.note,
        "default_region": document.default_region,
        "regions": _plain(document.regions),
        "centres": _plain(document.centres),
        "teams": _plain(document.teams),
        "imported_at": tx.now,
        "imported_by": by,
    }
    saved = insert(organisation).values(row)
    await tx.execute(saved.on_conflict_do_update(index_elements=["single"], set_=row))
    changed = ", ".join(f"{name} = EXCLUDED.{name}" for name in Person.model_fields if name != "id")
    rows = [{**each.model_dump(mode="json"), "id": each.id} for each in document.people]
    await insert_rows(tx, person, rows, tail=f"ON CONFLICT (id) DO UPDATE SET {changed}")
    unloaded = [{"person_id": each.id} for each in document.people]
    await insert_rows(tx, capacity, unloaded, tail="ON CONFLICT DO NOTHING")
    staying = [each.id for each in document.people if each.active]
    left = update(person).where(person.c.active, not_(among(person.c.id, staying))).values(active=False)
    gone = [row.id for row in await tx.execute(left.returning(person.c.id))]
    return [*gone, *(each.id for each in document.people if not each.active)]


def _plain(parts: Sequence[Region | Centre | Team]) -> list[dict[str, Any]]:
    return [part.model_dump(mode="json") for part in parts]


async def list_people(
    tx: Tx,
    *,
    region: str | None,
    role: str | None,
    after: tuple[str, UUID] | None,
    limit: int,
) -> list[Person]:
    """Active people by name, after (display name, id)."""
    chosen = select(person).where(person.c.active)
    if region is not None:
        chosen = chosen.where(person.c.regions.has_key(region))
    if role is not None:
        chosen = chosen.where(person.c.roles.has_key(role))
    if after is not None:
        chosen = chosen.where(tuple_(person.c.display_name, person.c.id) > after)
    found = await tx.execute(chosen.order_by(person.c.display_name, person.c.id).limit(limit))
    return [person_of(row) for row in found]


async def load_names(tx: Tx, people: Collection[PersonId]) -> Mapping[PersonId, str]:
    """How to call `people`."""
    found = await tx.execute(select(person.c.id, person.c.display_name).where(among(person.c.id, people)))
    return {row.id: row.display_name for row in found}


async def load_persons(tx: Tx, people: Collection[PersonId]) -> Mapping[PersonId, Person]:
    found = await tx.execute(select(person).where(among(person.c.id, people)))
    return {row.id: person_of(row) for row in found}


def working_in(regions: Collection[str], named: Collection[PersonId]) -> Any:
    """Active engineers of any of `regions`, and whoever is `named`."""
    return or_(
        and_(person.c.active, person.c.regions.has_any(cast(sorted(regions), ARRAY(Text)))),
        among(person.c.id, named),
    )
