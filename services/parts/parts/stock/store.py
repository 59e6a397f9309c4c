"""The ledger and its balances: they change together, by these statements only, within their constraints.

Shelves are always locked in one order, that of their bytes, so that no two transactions wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Text, TextClause, bindparam, func, select, text, tuple_

from parts.stock.rules import Balance, Shelf
from parts.tables import balance, movement, part
from shared.clock import uuid7
from shared.db import Tx, insert_rows

_SHELVES: Final = "unnest(CAST(:warehouses AS text[]), CAST(:parts AS text[]))"
_COLUMNS: Final = "part.part_number, name_en, name_zh, warehouse, on_hand, reserved"


def _over_shelves(statement: str) -> TextClause:
    return text(statement).bindparams(
        *(bindparam(name, type_=ARRAY(Text)) for name in ("warehouses", "parts"))
    )


_LOCK: Final = _over_shelves(
    f"""
    SELECT warehouse, part_number, on_hand, reserved FROM balance
    WHERE (warehouse, part_number) IN (SELECT * FROM {_SHELVES})
    ORDER BY warehouse COLLATE "C", part_number COLLATE "C"
    FOR UPDATE
    """
)
_FIND: Final = _over_shelves(
    f"""
    SELECT {_COLUMNS} FROM balance JOIN part USING (part_number)
    WHERE (warehouse, part_number) IN (SELECT * FROM {_SHELVES})
    ORDER BY part_number
    """
)
_CHANGE: Final = _over_shelves(
    """
    UPDATE balance
    SET on_hand = on_hand + changed.of_hand, reserved = reserved + changed.of_reserved, version = version + 1
    FROM unnest(CAST(:warehouses AS text[]), CAST(:parts AS text[]),
                CAST(:on_hand AS bigint[]), CAST(:reserved AS bigint[]))
         AS changed (warehouse, part_number, of_hand, of_reserved)
    WHERE balance.warehouse = changed.warehouse AND balance.part_number = changed.part_number
    """
).bindparams(*(bindparam(name, type_=ARRAY(BigInteger)) for name in ("on_hand", "reserved")))
_ADD: Final = (
    "ON CONFLICT (warehouse, part_number)"
    " DO UPDATE SET on_hand = balance.on_hand + EXCLUDED.on_hand, version = balance.version + 1"
)


async def lock_available(tx: Tx, shelves: Collection[Shelf]) -> dict[Shelf, int]:
    """What is free on each shelf that exists, held still until the transaction ends."""
    rows = await tx.execute(_LOCK, _named(sorted(shelves)))
    return {Shelf(row.warehouse, row.part_number): row.on_hand - row.reserved for row in rows}


async def change_reserved(tx: Tx, pieces: Mapping[Shelf, int]) -> None:
    """Hold more (positive) or give back (negative)."""
    await _change(tx, pieces, of_hand=0, of_reserved=1)


async def use(tx: Tx, pieces: Mapping[Shelf, int], reference: str) -> None:
    """What was held leaves the shelf for good."""
    await _change(tx, pieces, of_hand=-1, of_reserved=-1)
    await _enter(tx, {shelf: -quantity for shelf, quantity in pieces.items()}, "used", reference)


async def receive(tx: Tx, pieces: Mapping[Shelf, int], reference: str) -> None:
    """New pieces are on the shelf."""
    rows = [
        {**shelf._asdict(), "on_hand": quantity, "reserved": 0, "version": 1}
        for shelf, quantity in pieces.items()
    ]
    await insert_rows(tx, balance, rows, tail=_ADD)
    await _enter(tx, pieces, "received", reference)


async def load_shelves(tx: Tx, shelves: Collection[Shelf]) -> list[Balance]:
    """These, by part number."""
    return [Balance(**row) for row in (await tx.execute(_FIND, _named(sorted(shelves)))).mappings()]


async def list_stock(
    tx: Tx, warehouse: str | None, part_number: str | None, after: Sequence[Any] | None, limit: int
) -> list[Balance]:
    """Shelves by part number and warehouse, those behind `after`."""
    key = (balance.c.part_number, balance.c.warehouse)
    query = _stock().order_by(*key).limit(limit)
    if warehouse is not None:
        query = query.where(balance.c.warehouse == warehouse)
    if part_number is not None:
        query = query.where(balance.c.part_number == part_number)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [Balance(**row) for row in (await tx.execute(query)).mappings()]


async def load_scarcest(tx: Tx, most: int) -> list[Balance]:
    """The shelves with the least to give."""
    free = balance.c.on_hand - balance.c.reserved
    query = _stock().order_by(free, balance.c.part_number, balance.c.warehouse).limit(most)
    return [Balance(**row) for row in (await tx.execute(query)).mappings()]


async def count_pieces(tx: Tx) -> int:
    """All that lies anywhere."""
    return int((await tx.execute(select(func.coalesce(func.sum(balance.c.on_hand), 0)))).scalar_one())


async def stock_version(tx: Tx) -> tuple[Any, ...]:
    """Differs after every change of a balance: none is ever deleted, and versions only rise."""
    return tuple((await tx.execute(select(func.count(), func.sum(balance.c.version)))).one())


def _stock() -> Any:
    columns = (balance.c.warehouse, balance.c.part_number, part.c.name_en, part.c.name_zh)
    stock = balance.join(part, part.c.part_number == balance.c.part_number)
    return select(*columns, balance.c.on_hand, balance.c.reserved).select_from(stock)


async def _enter(tx: Tx, pieces: Mapping[Shelf, int], kind: str, reference: str) -> None:
    rows = [
        {**shelf._asdict(), "id": uuid7(), "kind": kind, "quantity": quantity, "reference": reference}
        for shelf, quantity in pieces.items()
    ]
    await insert_rows(tx, movement, rows)


async def _change(tx: Tx, pieces: Mapping[Shelf, int], *, of_hand: int, of_reserved: int) -> None:
    if not pieces:
        return
    ordered = sorted(pieces)
    await lock_available(tx, ordered)  # the update alone would lock in whatever order the plan visits
    quantities = [pieces[shelf] for shelf in ordered]
    await tx.execute(
        _CHANGE,
        {
            **_named(ordered),
            "on_hand": [of_hand * quantity for quantity in quantities],
            "reserved": [of_reserved * quantity for quantity in quantities],
        },
    )


def _named(shelves: Sequence[Shelf]) -> dict[str, list[str]]:
    return {
        "warehouses": [shelf.warehouse for shelf in shelves],
        "parts": [shelf.part_number for shelf in shelves],
    }
