"""Customers, recognised by any of their identities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, bindparam, select, text

from intake.requests.rules import Identity, Normalised
from intake.tables import customer, identity
from shared.clock import uuid7
from shared.db import Tx, insert_rows

_RECOGNISE = text(
    """
    SELECT identity.kind, identity.value, identity.customer_id FROM identity
    JOIN unnest(CAST(:kinds AS text[]), CAST(:texts AS text[])) AS asked (kind, value)
      ON identity.kind = asked.kind AND identity.value = asked.value
    """
).bindparams(bindparam("kinds", type_=ARRAY(Text)), bindparam("texts", type_=ARRAY(Text)))

_CLAIM = "ON CONFLICT (kind, value) DO UPDATE SET kind = EXCLUDED.kind RETURNING kind, value, customer_id"


async def recognise(tx: Tx, requests: Sequence[Normalised]) -> list[UUID]:
    """The customer of each request, in their order; new ones are made. An identity is claimed only once."""
    wanted = sorted({(each.kind, each.value) for request in requests for each in request.identities})
    known = await _known(tx, wanted)
    chosen: list[UUID] = []
    fresh: dict[UUID, dict[str, Any]] = {}
    claims: dict[tuple[str, str], UUID] = {}
    for request in requests:
        id = next((known[key] for key in map(_key, request.identities) if key in known), None)
        if id is None:
            id = uuid7()
            fresh[id] = {"id": id, "name": request.name, "level": request.level}
        for key in map(_key, request.identities):
            if key not in known:
                known[key] = claims[key] = id
        chosen.append(id)
    await insert_rows(tx, customer, list(fresh.values()))
    rows = [{"kind": kind, "value": value, "customer_id": id} for (kind, value), id in claims.items()]
    claimed = await insert_rows(tx, identity, rows, tail=_CLAIM)
    # Another transaction may have claimed one first; then its customer is the customer.
    pairs = ((claims[row.kind, row.value], row.customer_id) for row in claimed)
    winners = {ours: theirs for ours, theirs in pairs if ours != theirs}
    return [winners.get(id, id) for id in chosen]


async def load(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Customers by id, with their level and name."""
    found = await tx.execute(select(customer).where(customer.c.id.in_(sorted(set(ids)))))
    return {row.id: row for row in found}


async def load_identities(tx: Tx, id: UUID) -> list[Identity]:
    """How to reach one customer."""
    query = select(identity).where(identity.c.customer_id == id).order_by(identity.c.kind, identity.c.value)
    return [Identity(row.kind, row.value) for row in await tx.execute(query)]


async def _known(tx: Tx, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    if not wanted:
        return {}
    found = await tx.execute(
        _RECOGNISE, {"kinds": [kind for kind, _ in wanted], "texts": [value for _, value in wanted]}
    )
    return {(row.kind, row.value): row.customer_id for row in found}


def _key(each: Identity) -> tuple[str, str]:
    return each.kind, each.value
