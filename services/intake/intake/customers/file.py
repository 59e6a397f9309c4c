"""All that is known of one customer, read in one go; the only SQL that reads customer files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from intake.customers.access import NoSuchCustomer, sees
from intake.requests.rules import Identity
from intake.tables import customer, identity, request
from intake.tables.customers import consent, customer_merge
from shared.db import Tx
from shared.db.audit import record
from shared.http.auth import Principal


@dataclass(frozen=True, slots=True)
class File:
    """One customer: rows as they are stored, the newest first where they have an order."""

    id: UUID
    name: str
    level: str
    region: str | None
    city: str | None
    merged_into: UUID | None
    erased: bool
    version: int
    identities: Sequence[Identity]
    requests: Sequence[Any]
    consents: Sequence[Any]
    merges: Sequence[Any]

    @property
    def regions(self) -> set[str | None]:
        """Where they are known: their own place, and those of their requests."""
        return {self.region, *(each.region for each in self.requests)}

    @property
    def product_lines(self) -> set[str | None]:
        return {each.product_line for each in self.requests}

    @property
    def standing(self) -> list[Any]:
        """Per purpose and channel what was said last."""
        last = {(each.purpose, each.channel): each for each in reversed(self.consents)}
        return [last[key] for key in sorted(last)]


async def look(tx: Tx, id: UUID, viewer: Principal) -> File:
    """The file, for whom it exists; that they looked is recorded. Raises `NoSuchCustomer`."""
    found = await load_file(tx, id)
    if not sees(viewer, found.level, found.regions, found.product_lines):
        raise NoSuchCustomer
    await record(tx, viewer.id, "customer_read", str(id), {"file": True})
    return found


async def load_file(tx: Tx, id: UUID, *, lock: bool = False) -> File:
    """Everything; with `lock` no request, merge or erasure of this customer happens until the end."""
    chosen = select(customer).where(customer.c.id == id)
    row = (await tx.execute(chosen.with_for_update() if lock else chosen)).first()
    if row is None:
        raise NoSuchCustomer
    identities = await tx.execute(
        select(identity).where(identity.c.customer_id == id).order_by(identity.c.kind, identity.c.value)
    )
    requests = await tx.execute(
        select(request).where(request.c.customer_id == id).order_by(request.c.id.desc())
    )
    consents = await tx.execute(
        select(consent).where(consent.c.customer_id == id).order_by(consent.c.id.desc())
    )
    merges = await tx.execute(
        select(customer_merge).where(customer_merge.c.kept_id == id).order_by(customer_merge.c.id.desc())
    )
    return File(
        id=id,
        name=row.name,
        level=row.level,
        region=row.region,
        city=row.city,
        merged_into=row.merged_into,
        erased=row.erased_at is not None,
        version=row.version,
        identities=[Identity(each.kind, each.value) for each in identities],
        requests=requests.all(),
        consents=consents.all(),
        merges=merges.all(),
    )


async def find(tx: Tx, each: Identity) -> UUID | None:
    """Whose identity this is."""
    chosen = select(identity.c.customer_id).where(
        identity.c.kind == each.kind, identity.c.value == each.value
    )
    return (await tx.execute(chosen)).scalar_one_or_none()
