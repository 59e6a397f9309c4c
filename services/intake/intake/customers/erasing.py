"""To be forgotten (PIPL 47, GDPR 17): what a customer said and how they were reached goes, counts stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, delete, func, null, select, text, update

from intake.calls import store as calls
from intake.customers.access import NoSuchCustomer
from intake.notes import store as notes
from intake.tables import call, customer, identity, message, request
from intake.tables.customers import consent, customer_merge
from intake.tables.devices import device
from intake.tables.places import located
from shared.db import Tx
from shared.db.audit import record
from shared.events.intake import CustomerErased
from shared.outbox.emit import emit

GONE: Final = "—"

_FORGET: Final = text(
    "SELECT forget_requests(CAST(:requests AS uuid[]), CAST(:addresses AS text[]))"
).bindparams(bindparam("requests", type_=ARRAY(Uuid)), bindparam("addresses", type_=ARRAY(Text)))


async def erase(tx: Tx, id: UUID, by: str) -> int:
    """Forget a customer and everybody merged into them; how many requests lost their words.

    Idempotent: who is erased already is told so by 0 and no further event. Tickets, judgements and times
    stay, so that figures do. Raises `NoSuchCustomer`.
    """
    people = await _lock_all(tx, id)
    root = people[0]
    if root.erased_at:
        return 0
    ids = [each.id for each in people]
    requests = sorted(
        row.id for row in await tx.execute(select(request.c.id).where(request.c.customer_id.in_(ids)))
    )
    reached = await tx.execute(delete(identity).where(identity.c.customer_id.in_(ids)).returning(identity))
    ways = reached.all()
    mails = sorted(row.value for row in ways if row.kind == "email")
    await calls.forget(tx, requests, sorted(row.value for row in ways if row.kind == "phone"))
    await _forget_requests(tx, requests, mails)
    await tx.execute(delete(consent).where(consent.c.customer_id.in_(ids)))
    owned = update(device).where(device.c.customer_id.in_(ids))
    await tx.execute(owned.values(customer_id=None, order_ref=None))
    merges = update(customer_merge).where(customer_merge.c.kept_id.in_(ids))
    await tx.execute(merges.values(moved={}, undone_at=tx.now, undone_by=by))
    nobody = {"name": GONE, "region": None, "city": None, "erased_at": tx.now}
    await tx.execute(
        update(customer).where(customer.c.id.in_(ids)).values(**nobody, version=customer.c.version + 1)
    )
    await record(tx, by, "customer_erased", str(root.id), {"requests": len(requests)})
    emit(tx, CustomerErased(requests=len(requests)), subject=root.id, sequence=root.version + 1)
    return len(requests)


async def _lock_all(tx: Tx, id: UUID) -> list[Any]:
    """The customer that counts, first, and all who were merged into them, however far away."""
    tree = text(
        """
        WITH RECURSIVE up AS (
            SELECT id, merged_into FROM customer WHERE id = :id
            UNION SELECT customer.id, customer.merged_into
                  FROM customer JOIN up ON customer.id = up.merged_into
        ), down AS (
            SELECT id FROM up WHERE merged_into IS NULL
            UNION SELECT customer.id FROM customer JOIN down ON customer.merged_into = down.id
        )
        SELECT id FROM down
        """
    )
    ids = [row.id for row in await tx.execute(tree, {"id": id})]
    chosen = select(customer).where(customer.c.id.in_(ids)).order_by(customer.c.id).with_for_update()
    rows = (await tx.execute(chosen)).all()
    if not rows:
        raise NoSuchCustomer
    return sorted(rows, key=lambda row: row.merged_into is not None)


async def _forget_requests(tx: Tx, requests: Sequence[UUID], mails: Sequence[str]) -> None:
    """Words, sources and the names by which providers know a message; a hash would be a name too."""
    await tx.execute(_FORGET, {"requests": requests, "addresses": mails})
    erased = func.concat("erased:", request.c.id)
    theirs = update(request).where(request.c.id.in_(requests))
    await tx.execute(
        theirs.values(title=GONE, external_id=erased, session=None, version=request.c.version + 1)
    )
    said = update(message).where(message.c.request_id.in_(requests))
    unsent = said.where(message.c.direction == "out", message.c.state == "waiting")
    await tx.execute(unsent.values(state="failed"))
    names = ("external_id", "sent_id", "address", "sender_name", "link", "facts", "detail", "why", "due_at")
    await tx.execute(said.values(text=GONE, **dict.fromkeys(names, null())))
    await notes.forget(tx, requests)
    told = update(located).where(located.c.request_id.in_(requests))
    await tx.execute(told.values(told_region="", told_city=""))
    rang = update(call).where(call.c.request_id.in_(requests))
    await tx.execute(rang.values(external_id=func.concat("erased:", call.c.id)))
