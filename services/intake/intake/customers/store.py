"""Customers, recognised by any of their identities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ARRAY, Text, bindparam, select, text

from intake.customers.access import Forgotten
from intake.requests.rules import Identity
from intake.tables import customer, identity
from shared.clock import uuid7
from shared.db import Tx
from shared.db.rows import Rows
from shared.events.terms import Level

_RECOGNISE = text(
    """
    SELECT asked.kind, asked.value, known.customer_id, customer.level
    FROM unnest(CAST(:kinds AS text[]), CAST(:texts AS text[])) AS asked (kind, value)
    CROSS JOIN LATERAL (
        SELECT customer_id FROM identity
        WHERE identity.kind = asked.kind AND identity.value = asked.value OFFSET 0
    ) AS known
    JOIN customer ON customer.id = known.customer_id
    """
).bindparams(bindparam("kinds", type_=ARRAY(Text)), bindparam("texts", type_=ARRAY(Text)))


@dataclass(frozen=True, slots=True)
class Customer:
    """Who asks, as far as work depends on it."""

    id: UUID
    level: Level


class Asker(Protocol):
    """Who a request or a purchase names."""

    @property
    def identities(self) -> tuple[Identity, ...]: ...
    @property
    def name(self) -> str: ...
    @property
    def level(self) -> Level: ...


async def recognise(tx: Tx, requests: Sequence[Asker]) -> tuple[list[Customer], tuple[Rows, Rows]]:
    """The customer of each request, in their order, and what is to be saved of those that are new.

    An identity has one customer: the save fails if another transaction gave it one meanwhile.
    """
    known = await _known(tx, sorted({_key(each) for request in requests for each in request.identities}))
    chosen: list[Customer] = []
    fresh: dict[UUID, dict[str, Any]] = {}
    claims: list[dict[str, Any]] = []
    for request in requests:
        keys = [_key(each) for each in request.identities]
        asker = next((known[key] for key in keys if key in known), None)
        if asker is None:
            asker = Customer(uuid7(), request.level)
            fresh[asker.id] = {"id": asker.id, "name": request.name, "level": request.level}
        for kind, value in keys:
            if (kind, value) not in known:
                known[kind, value] = asker
                claims.append({"kind": kind, "value": value, "customer_id": asker.id})
        chosen.append(asker)
    return chosen, ((customer, list(fresh.values())), (identity, claims))


async def load(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Customers by id, with their level and name."""
    found = await tx.execute(select(customer).where(customer.c.id.in_(sorted(set(ids)))))
    return {row.id: row for row in found}


async def require_known(tx: Tx, id: UUID) -> None:
    """Raises `Forgotten`. Whoever holds one of their requests is not overtaken by an erasure."""
    erased = select(customer.c.erased_at).where(customer.c.id == id)
    if (await tx.execute(erased)).scalar_one() is not None:
        raise Forgotten


async def load_identities(tx: Tx, id: UUID) -> list[Identity]:
    """How to reach one customer."""
    query = select(identity).where(identity.c.customer_id == id).order_by(identity.c.kind, identity.c.value)
    return [Identity(row.kind, row.value) for row in await tx.execute(query)]


async def _known(tx: Tx, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Customer]:
    if not wanted:
        return {}
    found = await tx.execute(
        _RECOGNISE, {"kinds": [kind for kind, _ in wanted], "texts": [value for _, value in wanted]}
    )
    return {(row.kind, row.value): Customer(row.customer_id, row.level) for row in found}


def _key(each: Identity) -> tuple[str, str]:
    return each.kind, each.value
