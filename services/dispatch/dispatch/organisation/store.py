"""People, and the rest of the organisation in one versioned row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    Table,
    Text,
    Uuid,
    not_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from dispatch.organisation.rules import Department, Organisation, Person
from dispatch.tables import among, metadata
from shared.clock import uuid7
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
    Column("import_id", Uuid, nullable=False),
    Column("skills", JSONB, nullable=False),
    Column("product_lines", JSONB, nullable=False),
    Column("customer_levels", JSONB, nullable=False),
    Column("shifts", JSONB, nullable=False),
    Column("departments", JSONB, nullable=False),
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
    Column("certificates", JSONB, nullable=False),
    Column("trainings", JSONB, nullable=False),
    Column("substitutes", JSONB, nullable=False),
    Column("shift", Text),
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


# The document as the row of `organisation` has it: its words, and its lists.
_PLAIN: Final = ("note", "default_region")
_PARTS: Final = (
    "regions", "centres", "teams", "skills", "product_lines", "customer_levels", "shifts", "departments",
)  # fmt: skip


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
    document = document_of(row, [person_of(each) for each in people])
    return Imported(document, row.version, row.imported_at, row.imported_by)


def document_of(row: Any, people: Sequence[Person]) -> Organisation:
    """The document in a row of `organisation`, with the people that it is about."""
    return Organisation(people=tuple(people), **{name: getattr(row, name) for name in (*_PLAIN, *_PARTS)})


async def load_regions(tx: Tx) -> list[str]:
    """The codes of all regions, none before the first import."""
    found = (await tx.execute(select(organisation.c.regions))).scalar_one_or_none()
    return [region["code"] for region in found or ()]


async def load_departments(tx: Tx) -> tuple[Department, ...]:
    """The other parts of the house, none before the first import."""
    found = (await tx.execute(select(organisation.c.departments))).scalar_one_or_none()
    return tuple(Department(**department) for department in found or ())


async def load_everybody(tx: Tx) -> list[Person]:
    """All who ever were in the organisation, those who left too, because history names them."""
    return [person_of(row) for row in await tx.execute(select(person).order_by(person.c.id))]


async def lock_version(tx: Tx) -> int:
    """The present version, 0 before the first import; nobody decides by it until the transaction ends."""
    found = await tx.execute(select(organisation.c.version).with_for_update())
    return found.scalar_one_or_none() or 0


async def save_organisation(tx: Tx, document: Organisation, version: int, by: str) -> list[PersonId]:
    """Store all of `document`; returns those who are not active any more."""
    row = {
        "single": True,
        "version": version,
        "import_id": uuid7(),
        "imported_at": tx.now,
        "imported_by": by,
        **document.model_dump(mode="json", include={*_PLAIN, *_PARTS}),
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
