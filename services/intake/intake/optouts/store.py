"""Consent as it stands, for who is about to send."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, select, text

from intake.tables import customer
from intake.tables.customers import consent
from shared.db import Tx, insert_rows
from shared.db.rows import Rows

_WITHDRAWN: Final = text(
    """
    SELECT customer_id, purpose, channel FROM (
        SELECT DISTINCT ON (customer_id, purpose, channel) customer_id, purpose, channel, given
        FROM consent WHERE customer_id = ANY(CAST(:customers AS uuid[]))
        ORDER BY customer_id, purpose, channel, id DESC
    ) AS newest
    WHERE NOT given
    """
).bindparams(bindparam("customers", type_=ARRAY(Uuid)))

Withdrawn = frozenset[tuple[UUID, str, str]]
"""Customer, purpose and channel of each consent that was given back, as it was said last."""


async def load_withdrawn(tx: Tx, customers: Iterable[UUID]) -> Withdrawn:
    """What these customers have withdrawn."""
    asked = sorted(set(customers))
    if not asked:
        return frozenset()
    found = await tx.execute(_WITHDRAWN, {"customers": asked})
    return frozenset((row.customer_id, row.purpose, row.channel) for row in found)


async def hold(tx: Tx, ids: Iterable[UUID]) -> set[UUID]:
    """Those customers that are still their own, neither erased nor merged until the end."""
    chosen = select(customer.c.id).where(
        customer.c.id.in_(sorted(set(ids))), customer.c.erased_at.is_(None), customer.c.merged_into.is_(None)
    )
    held = chosen.order_by(customer.c.id).with_for_update(read=True, key_share=True)
    return set((await tx.execute(held)).scalars())


async def save(tx: Tx, rows: Sequence[dict[str, Any]], *people: Rows) -> None:
    """Keep wishes beside what was said before, with customers and identities that are new."""
    for table, new in people:
        await insert_rows(tx, table, new)
    await insert_rows(tx, consent, rows)
