"""Parts and warehouses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from parts.tables import part, warehouse
from shared.db import Tx, insert_rows


async def save_parts(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """New parts, and new names for known ones; nothing is ever deleted, because the ledger names it."""
    renamed = "ON CONFLICT (part_number) DO UPDATE SET name_en = EXCLUDED.name_en, name_zh = EXCLUDED.name_zh"
    await insert_rows(tx, part, rows, tail=renamed)


async def save_warehouses(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    await insert_rows(tx, warehouse, rows, tail="ON CONFLICT (code) DO UPDATE SET centre = EXCLUDED.centre")


async def unknown_parts(tx: Tx, numbers: set[str]) -> set[str]:
    found = await tx.execute(select(part.c.part_number).where(part.c.part_number.in_(sorted(numbers))))
    return numbers - set(found.scalars())


async def unknown_warehouses(tx: Tx, codes: set[str]) -> set[str]:
    found = await tx.execute(select(warehouse.c.code).where(warehouse.c.code.in_(sorted(codes))))
    return codes - set(found.scalars())
