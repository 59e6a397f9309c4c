"""What persons write into a customer's file."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import update

from intake.customers import file
from intake.customers.access import NoSuchCustomer, sees
from intake.customers.file import File
from intake.places.rules import place
from intake.places.store import load_catalogue
from intake.requests.rules import UNKNOWN
from intake.tables import customer
from intake.tables.customers import consent
from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.db.audit import record
from shared.events.intake import CustomerChanged
from shared.http.auth import Principal
from shared.http.problem import invalid
from shared.i18n import N_
from shared.outbox.emit import emit


async def held(tx: Tx, id: UUID, viewer: Principal) -> File:
    """The file of a customer who may be changed by `viewer`, held until the end; `NoSuchCustomer`."""
    found = await file.load_file(tx, id, lock=True)
    if not sees(viewer, found.level, found.regions, found.product_lines):
        raise NoSuchCustomer
    return found


async def change(tx: Tx, found: File, name: str, level: str, region: str, city: str, by: str) -> None:
    """Name, level and place; `InvalidInput` for what is no place here."""
    where = place(region, city, await load_catalogue(tx))
    if where.finding:
        part = "city" if where.told.city else "region"
        raise invalid("body", [part], N_("This place is not known here"), "unknown_place")
    changes = {
        "name": name,
        "level": level,
        "region": None if where.region == UNKNOWN else where.region,
        "city": None if where.city == UNKNOWN else where.city,
    }
    changed = update(customer).where(customer.c.id == found.id)
    changed = changed.values(**changes, version=customer.c.version + 1).returning(customer.c.version)
    version = (await tx.execute(changed)).scalar_one()
    if level != found.level:
        emit(tx, CustomerChanged(level=level), subject=found.id, sequence=version)
    await record(tx, by, "customer_changed", str(found.id), {"level": level})


async def note_consent(
    tx: Tx, found: File, purpose: str, channel: str, given: bool, source: str, at: datetime, by: str
) -> None:
    """Keep what was said beside what was said before."""
    row = {
        "id": uuid7(),
        "customer_id": found.id,
        "purpose": purpose,
        "channel": channel,
        "given": given,
        "source": source,
        "at": at,
        "by": by,
    }
    await insert_rows(tx, consent, [row])
    await record(tx, by, "consent_noted", str(found.id), {"purpose": purpose, "given": given})
