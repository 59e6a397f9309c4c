"""Balances change by these statements only, each guarded by the table's own constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, BindParameter, Integer, Text, bindparam, func, select, text, tuple_

from parts.requisitions.rules import Shelf
from parts.tables import balance, movement, part, requisition, requisition_line, warehouse
from shared.clock import uuid7
from shared.db import Tx, insert_rows

_ADD = "ON CONFLICT (warehouse, part_number) DO UPDATE SET on_hand = balance.on_hand + EXCLUDED.on_hand"

_shelves: list[BindParameter[Any]] = [
    bindparam("warehouses", type_=ARRAY(Text)),
    bindparam("parts", type_=ARRAY(Text)),
    bindparam("pieces", type_=ARRAY(Integer)),
]

_RESERVE = text(
    """
    UPDATE balance SET reserved = balance.reserved + changed.pieces
    FROM unnest(CAST(:warehouses AS text[]), CAST(:parts AS text[]), CAST(:pieces AS integer[]))
         AS changed (warehouse, part_number, pieces)
    WHERE balance.warehouse = changed.warehouse AND balance.part_number = changed.part_number
    """
).bindparams(*_shelves)

_USE = text(
    """
    UPDATE balance SET on_hand = on_hand - changed.pieces, reserved = reserved - changed.pieces
    FROM unnest(CAST(:warehouses AS text[]), CAST(:parts AS text[]), CAST(:pieces AS integer[]))
         AS changed (warehouse, part_number, pieces)
    WHERE balance.warehouse = changed.warehouse AND balance.part_number = changed.part_number
    """
).bindparams(*_shelves)


async def lock_available(tx: Tx, shelves: Sequence[Shelf]) -> dict[Shelf, int]:
    """What is free on each shelf, held still until the transaction ends."""
    locked = (
        select(balance)
        .where(tuple_(balance.c.warehouse, balance.c.part_number).in_(sorted(set(shelves))))
        .order_by(balance.c.warehouse, balance.c.part_number)
        .with_for_update()
    )
    return {(row.warehouse, row.part_number): row.on_hand - row.reserved for row in await tx.execute(locked)}


async def change_reserved(tx: Tx, pieces: Mapping[Shelf, int]) -> None:
    """Hold more (positive) or give back (negative)."""
    await _change(tx, _RESERVE, pieces)


async def use(tx: Tx, pieces: Mapping[Shelf, int], reference: str) -> None:
    """What was held leaves the shelf for good."""
    await _change(tx, _USE, pieces)
    await _enter(tx, {shelf: -quantity for shelf, quantity in pieces.items()}, "used", reference)


async def receive(tx: Tx, pieces: Mapping[Shelf, int], reference: str) -> None:
    """New pieces are on the shelf."""
    rows = [{**_shelf(shelf), "on_hand": quantity, "reserved": 0} for shelf, quantity in pieces.items()]
    await insert_rows(tx, balance, rows, tail=_ADD)
    await _enter(tx, pieces, "received", reference)


async def load_stock(tx: Tx) -> Sequence[Any]:
    """Every shelf with its part, fullest knowledge first: what is short stands on top."""
    query = (
        select(balance, part.c.name_en, part.c.name_zh)
        .join(part, part.c.part_number == balance.c.part_number)
        .order_by(balance.c.on_hand - balance.c.reserved, balance.c.part_number, balance.c.warehouse)
    )
    return (await tx.execute(query)).all()


async def stock_version(tx: Tx) -> tuple[Any, ...]:
    """Differs after every change of a balance or a requisition."""
    shelves = select(func.count(), func.sum(balance.c.on_hand), func.sum(balance.c.reserved))
    moves = select(func.count()).select_from(movement)
    asked = select(func.count(), func.sum(requisition.c.version))
    found = [(await tx.execute(query)).one() for query in (shelves, moves, asked)]
    return tuple(value for row in found for value in row)


async def differences(tx: Tx) -> dict[str, int]:
    """How many shelves disagree with the ledger or with what is held; both must be 0, always."""
    ledger = (
        select(movement.c.warehouse, movement.c.part_number, func.sum(movement.c.quantity).label("pieces"))
        .group_by(movement.c.warehouse, movement.c.part_number)
        .subquery()
    )
    held = (
        select(
            requisition.c.warehouse,
            requisition_line.c.part_number,
            func.sum(requisition_line.c.quantity).label("pieces"),
        )
        .join(requisition_line, requisition_line.c.requisition_id == requisition.c.id)
        .where(requisition.c.state == "held")
        .group_by(requisition.c.warehouse, requisition_line.c.part_number)
        .subquery()
    )
    found = {}
    for name, sums, column in (("ledger", ledger, balance.c.on_hand), ("held", held, balance.c.reserved)):
        same_shelf = (sums.c.warehouse == balance.c.warehouse) & (sums.c.part_number == balance.c.part_number)
        query = (
            select(func.count())
            .select_from(balance.join(sums, same_shelf, full=True))
            .where(func.coalesce(sums.c.pieces, 0) != func.coalesce(column, 0))
        )
        found[name] = (await tx.execute(query)).scalar_one()
    return found


async def load_warehouses(tx: Tx) -> dict[str, str]:
    """The warehouse of each centre."""
    rows = await tx.execute(select(warehouse))
    return {row.centre: row.code for row in rows}


async def _enter(tx: Tx, pieces: Mapping[Shelf, int], kind: str, reference: str) -> None:
    rows = [
        {**_shelf(shelf), "id": uuid7(), "kind": kind, "quantity": quantity, "reference": reference}
        for shelf, quantity in pieces.items()
    ]
    await insert_rows(tx, movement, rows)


async def _change(tx: Tx, statement: Any, pieces: Mapping[Shelf, int]) -> None:
    ordered = sorted(pieces.items())
    if ordered:
        await tx.execute(
            statement,
            {
                "warehouses": [shelf[0] for shelf, _ in ordered],
                "parts": [shelf[1] for shelf, _ in ordered],
                "pieces": [quantity for _, quantity in ordered],
            },
        )


def _shelf(shelf: Shelf) -> dict[str, str]:
    return {"warehouse": shelf[0], "part_number": shelf[1]}
