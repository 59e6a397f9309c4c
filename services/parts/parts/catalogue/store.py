"""Parts and warehouses; nothing of them is ever deleted, because the ledger names it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ARRAY, Text, any_, exists, literal, not_, select

from parts.tables import part, warehouse
from shared.db import Tx, insert_rows


async def save_parts(tx: Tx, names: Mapping[str, tuple[str, str]]) -> None:
    """New parts, and new names (English, Chinese) for known ones."""
    rows = [{"part_number": number, "name_en": en, "name_zh": zh} for number, (en, zh) in names.items()]
    renamed = "ON CONFLICT (part_number) DO UPDATE SET name_en = EXCLUDED.name_en, name_zh = EXCLUDED.name_zh"
    await insert_rows(tx, part, rows, tail=renamed)


async def save_warehouses(tx: Tx, centres: Mapping[str, str]) -> None:
    """New warehouses, and new centres for known ones."""
    rows = [{"code": code, "centre": centre} for code, centre in centres.items()]
    await insert_rows(tx, warehouse, rows, tail="ON CONFLICT (code) DO UPDATE SET centre = EXCLUDED.centre")


async def load_warehouses(tx: Tx) -> dict[str, str]:
    """The warehouse of each centre."""
    return {row.centre: row.code for row in await tx.execute(select(warehouse))}


async def centres_of_others(tx: Tx, centres: Mapping[str, str]) -> set[str]:
    """Which of these centres belong to warehouses that are not among these."""
    chosen = select(warehouse.c.centre).where(
        warehouse.c.centre == _any_of(centres.values()), not_(warehouse.c.code == _any_of(centres))
    )
    return set((await tx.execute(chosen)).scalars())


async def unknown_parts(tx: Tx, numbers: set[str]) -> set[str]:
    """Those of `numbers` that the catalogue does not name."""
    found = await tx.execute(select(part.c.part_number).where(part.c.part_number == _any_of(numbers)))
    return numbers - set(found.scalars())


async def has_warehouse(tx: Tx, code: str) -> bool:
    return bool((await tx.execute(select(exists().where(warehouse.c.code == code)))).scalar_one())


def _any_of(texts: Collection[str]) -> Any:
    """One array, not a list of parameters: the statement stays the same, and so prepared."""
    return any_(literal(sorted(texts), ARRAY(Text)))
