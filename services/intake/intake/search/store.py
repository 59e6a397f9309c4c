"""What messages are found by, kept beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, Text, Uuid, bindparam, select, text

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


# An array of arrays would have to be as long in each row: the grams of a message travel as one text.
_SAVE_FINDABLE = text(
    """
    WITH kept AS (
        INSERT INTO findable (message_id, request_id, grams)
        SELECT message_id, request_id, string_to_array(grams, chr(31))
        FROM unnest(CAST(:messages AS uuid[]), CAST(:requests AS uuid[]), CAST(:grams AS text[]))
          AS found (message_id, request_id, grams)
        ON CONFLICT (message_id) DO UPDATE SET grams = excluded.grams
    )
    UPDATE message SET findable = true WHERE id = ANY(:messages)
    """
).bindparams(
    bindparam("messages", type_=ARRAY(Uuid)),
    bindparam("requests", type_=ARRAY(Uuid)),
    bindparam("grams", type_=ARRAY(Text)),
)


async def save_findable(tx: Tx, found: Sequence[tuple[UUID, UUID, Sequence[str]]]) -> None:
    """What each message (its id, its request's) is found by, in place of what it was."""
    ordered = sorted(found)
    await tx.execute(
        _SAVE_FINDABLE,
        {
            "messages": [message_id for message_id, _, _ in ordered],
            "requests": [request_id for _, request_id, _ in ordered],
            "grams": ["\x1f".join(grams) for _, _, grams in ordered],
        },
    )


def holding(grams: Sequence[str]) -> Select[Any]:
    """The requests of which one message holds all of them."""
    return select(findable.c.request_id).where(findable.c.grams.contains(list(grams)))
