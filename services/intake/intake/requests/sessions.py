"""Chats: what is said in one goes on with its request, until nobody has said anything for a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text

from shared.clock import uuid7_floor
from shared.db import Tx
from shared.db.locks import lock_subjects

GOES_ON: Final = timedelta(hours=24)
"""After the last message, whoever wrote it."""

# A message's id tells when it was stored; the index of a request's messages holds nothing else.
_OPEN: Final = text(
    """
    SELECT asked.session, newest.id FROM unnest(CAST(:sessions AS text[])) AS asked (session)
    CROSS JOIN LATERAL (
        SELECT request.id FROM request
        WHERE request.session = asked.session AND request.closed_at IS NULL
          AND EXISTS (SELECT FROM message WHERE message.request_id = request.id AND message.id >= :since)
        ORDER BY request.id DESC LIMIT 1
    ) AS newest
    """
).bindparams(bindparam("sessions", type_=ARRAY(Text)), bindparam("since", type_=Uuid))


async def hold_open(tx: Tx, sessions: Iterable[str | None]) -> dict[str, UUID]:
    """The request that each chat goes on with, if there is one; nobody else opens one before we have ended.

    Comes before whatever else is read: what a chat's first message left is only seen by a later statement.
    """
    named = sorted({each for each in sessions if each})
    if not named:
        return {}
    await lock_subjects(tx, (f"session:{each}" for each in named))
    found = await tx.execute(_OPEN, {"sessions": named, "since": uuid7_floor(tx.now - GOES_ON)})
    return {row.session: row.id for row in found}
