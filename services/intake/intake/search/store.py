"""What messages are found by, kept beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert

from intake.tables import message, request
from intake.tables.search import findable
from shared.db import Tx


async def lock_unfindable(tx: Tx, most: int) -> Sequence[Any]:
    """Messages that nothing finds yet, with their requests' titles, held; the oldest first."""
    query = (
        select(message.c.id, message.c.request_id, message.c.text, request.c.title)
        .join(request, request.c.id == message.c.request_id)
        .where(message.c.findable.is_(False))
        .order_by(message.c.id)
        .limit(most)
        .with_for_update(of=message, skip_locked=True)
    )
    return (await tx.execute(query)).all()


async def save_findable(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """What each message is found by, in place of what it was."""
    new = insert(findable)  # not `insert_rows`, which takes a column's values as an array
    again = {"grams": new.excluded.grams}
    await tx.execute(new.on_conflict_do_update(index_elements=["message_id"], set_=again), list(rows))
    ids = [row["message_id"] for row in rows]
    await tx.execute(update(message).where(message.c.id.in_(ids)).values(findable=True))


def holding(grams: Sequence[str]) -> Select[Any]:
    """The requests of which one message holds all of them."""
    return select(findable.c.request_id).where(findable.c.grams.contains(list(grams)))
