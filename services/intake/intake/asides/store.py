"""What came in and was set aside, and what of it was replayed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text

from intake.tables import set_aside
from intake.tables.asides import replayed
from shared.db import Tx, insert_rows
from shared.errors import AftercareError

COUNTED: Final = 1_000
"""More of one reason are not counted."""
_PLAIN: Final = [set_aside.c[name] for name in ("id", "channel", "account", "external_id", "reason")]
_REPLAY: Final = [replayed.c[name] for name in ("at", "by", "messages", "others")]


# From one reason to the next along the index: what it costs does not grow with what was set aside.
_REASONS: Final = text(
    """
    WITH RECURSIVE told (reason) AS (
        (SELECT reason FROM set_aside ORDER BY reason LIMIT 1)
        UNION ALL
        SELECT (SELECT reason FROM set_aside WHERE set_aside.reason > told.reason ORDER BY reason LIMIT 1)
        FROM told WHERE told.reason IS NOT NULL
    )
    SELECT reason FROM told WHERE reason IS NOT NULL LIMIT :most
    """
)
_MOST_REASONS: Final = 200  # a provider may name its kinds as it likes


class NoSuchAside(AftercareError):
    """Nothing with this id was set aside here."""

    kind = "not_found"


async def load_list(
    tx: Tx, reason: str | None, channel: str | None, before: UUID | None, most: int
) -> Sequence[Any]:
    """The newest first, without what they say."""
    size = func.octet_length(set_aside.c.body).label("size")
    query = select(*_PLAIN, size, *_REPLAY).outerjoin(replayed, replayed.c.set_aside_id == set_aside.c.id)
    for column, wanted in ((set_aside.c.reason, reason), (set_aside.c.channel, channel)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(set_aside.c.id < before)
    return (await tx.execute(query.order_by(set_aside.c.id.desc()).limit(most))).all()


async def load_reasons(tx: Tx) -> Sequence[str]:
    """The reasons for which something was set aside, each once."""
    return (await tx.execute(_REASONS, {"most": _MOST_REASONS})).scalars().all()


async def load(tx: Tx, id: UUID) -> Any:
    """One, with what it says. Raises `NoSuchAside`."""
    query = select(set_aside, *_REPLAY).outerjoin(replayed, replayed.c.set_aside_id == set_aside.c.id)
    row = (await tx.execute(query.where(set_aside.c.id == id))).first()
    if row is None:
        raise NoSuchAside
    return row


async def list_open(tx: Tx, reason: str, channel: str | None, most: int) -> Sequence[UUID]:
    """Those of a reason that nobody has replayed, the oldest first."""
    query = select(set_aside.c.id).outerjoin(replayed, replayed.c.set_aside_id == set_aside.c.id)
    query = query.where(set_aside.c.reason == reason, replayed.c.set_aside_id.is_(None))
    if channel is not None:
        query = query.where(set_aside.c.channel == channel)
    return (await tx.execute(query.order_by(set_aside.c.id).limit(most))).scalars().all()


async def save_replay(tx: Tx, id: UUID, by: str, messages: int, others: int) -> bool:
    """Note that it was replayed; False where somebody else was first."""
    row = {"set_aside_id": id, "at": tx.now, "by": by, "messages": messages, "others": others}
    tail = "ON CONFLICT DO NOTHING RETURNING set_aside_id"
    return bool(await insert_rows(tx, replayed, [row], tail=tail))
