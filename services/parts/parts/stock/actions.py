"""Deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from parts.catalogue import store as catalogue
from parts.stock import store
from parts.stock.rules import Balance, Shelf, together
from shared.db import Tx
from shared.errors import AftercareError


class UnknownPart(AftercareError):
    """The catalogue has no part {numbers}; add it there first."""


class UnknownWarehouse(AftercareError):
    """The catalogue has no warehouse {code}; add it there first."""


async def receive_delivery(
    tx: Tx, warehouse: str, lines: Sequence[tuple[str, int]], reference: str
) -> Sequence[Balance]:
    """Put pieces (part number, quantity) on their shelves; returns what lies there now.

    Raises `UnknownWarehouse` and `UnknownPart`: what nobody has named cannot be found again.
    """
    if not await catalogue.has_warehouse(tx, warehouse):
        raise UnknownWarehouse(code=warehouse)
    pieces = together({Shelf(warehouse, part): quantity} for part, quantity in lines)
    if unknown := await catalogue.unknown_parts(tx, {shelf.part_number for shelf in pieces}):
        raise UnknownPart(numbers=", ".join(sorted(unknown)))
    await store.receive(tx, pieces, reference)
    return await store.load_shelves(tx, pieces)
