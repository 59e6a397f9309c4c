"""Notes, in their order: the only SQL about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update

from intake.duplicates.store import together
from intake.tables.notes import note
from shared.db import Tx, insert_rows

GONE: Final = "—"


async def save(tx: Tx, row: dict[str, Any]) -> None:
    await insert_rows(tx, note, [row])


async def load_of(tx: Tx, request_id: UUID) -> Sequence[Any]:
    """The notes on a request and on what is merged into it, the oldest first."""
    chosen = select(note).where(together(note.c.request_id, request_id)).order_by(note.c.id)
    return (await tx.execute(chosen)).all()


async def forget(tx: Tx, requests: Sequence[UUID]) -> None:
    """Words about somebody who is to be forgotten; who wrote when stays."""
    await tx.execute(update(note).where(note.c.request_id.in_(requests)).values(text=GONE))
