"""The automatic "we have it": once for a request, at most once an hour for an address, never a reply.

It goes only to who wrote from that address by its own channel (S7), says by when they hear from us where
that is known, and stops no clock (decision 12): no event tells that a person answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Uuid, bindparam, text

from intake.messages import store as messages
from intake.requests.numbers import spoken
from intake.sending.rules import Asked, Way, Ways, may_acknowledge, way_of
from intake.sending.words import ACKNOWLEDGEMENT
from intake.tables.sending import greeted
from shared.clock import uuid7, uuid7_floor
from shared.db import Tx, insert_rows

PATIENCE: Final = timedelta(seconds=30)
"""So long it is waited for the promise."""
PAUSE: Final = timedelta(hours=1)
"""Between two acknowledgements to one address."""
# What is older when a process starts is acknowledged when the clock is heard of, if at all.
_BACK: Final = timedelta(minutes=2)
_AT_ONCE: Final = 200

# Only what came in by a channel that binds an address is acknowledged; of the rest the promise is kept for
# what people write, and there is nothing to decide. Another system asks what was promised itself.
_NOTE: Final = text(
    """
    INSERT INTO acknowledgement (request_id, until, decided_at)
    SELECT promised.id, promised.until,
           CASE WHEN request.channel = 'email' OR request.door IS NOT NULL THEN NULL
           ELSE CAST(:now AS timestamptz) END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:untils AS timestamptz[])) AS promised (id, until)
    JOIN request ON request.id = promised.id
    WHERE request.channel <> 'webhook' OR request.door IS NOT NULL
    ORDER BY promised.id
    ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("untils", type_=ARRAY(DateTime(timezone=True))))
_LATE: Final = text(
    """
    INSERT INTO acknowledgement (request_id)
    SELECT id FROM request
    WHERE id >= :since AND id < :before AND answered_at IS NULL
      AND (channel = 'email' OR door IS NOT NULL)
      AND NOT EXISTS (SELECT FROM acknowledgement WHERE request_id = request.id)
    ORDER BY id LIMIT :most
    ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("since", type_=Uuid()), bindparam("before", type_=Uuid()))
_DECIDE: Final = text(
    """
    WITH taken AS (
        UPDATE acknowledgement SET decided_at = :now
        WHERE request_id IN (
            SELECT request_id FROM acknowledgement WHERE decided_at IS NULL
            ORDER BY request_id LIMIT :most FOR UPDATE SKIP LOCKED
        )
        RETURNING request_id, until
    )
    SELECT request.id, request.number, taken.until, request.channel, request.account, request.door,
           request.received_at, request.answered_at, newest.address
    FROM taken JOIN request ON request.id = taken.request_id
    LEFT JOIN LATERAL (
        SELECT address FROM message WHERE request_id = request.id AND direction = 'in' AND address IS NOT NULL
        ORDER BY id DESC LIMIT 1
    ) AS newest ON true
    ORDER BY request.id
    """
)
_AGAIN: Final = """
    ON CONFLICT (digest) DO UPDATE SET greeted_at = excluded.greeted_at
    WHERE greeted.greeted_at <= excluded.greeted_at - interval '1 hour'
    RETURNING digest
"""
_FORGET: Final = text("DELETE FROM greeted WHERE greeted_at <= :before")


async def note_promises(tx: Tx, promised: Mapping[UUID, datetime]) -> None:
    """Until when a reply to these requests is promised; what was known first stands."""
    ids = sorted(promised)
    await tx.execute(_NOTE, {"ids": ids, "untils": [promised[id] for id in ids], "now": tx.now})


async def acknowledge(tx: Tx, ways_for: Callable[[Tx, Sequence[Asked]], Awaitable[Ways]]) -> None:
    """Acknowledge what is promised an answer, and what has waited long enough for a promise."""
    await tx.execute(_FORGET, {"before": tx.now - PAUSE})  # a hash is a name, too
    since, before = uuid7_floor(tx.now - _BACK), uuid7_floor(tx.now - PATIENCE)
    await tx.execute(_LATE, {"since": since, "before": before, "most": _AT_ONCE})
    rows = (await tx.execute(_DECIDE, {"now": tx.now, "most": _AT_ONCE})).all()
    asked = {row.id: Asked(row.channel, row.account, row.door, row.address) for row in rows}
    wanted = [
        row
        for row in rows
        if may_acknowledge(asked[row.id], row.received_at, row.answered_at is not None, tx.now)
    ]
    if not wanted:
        return
    ways = await ways_for(tx, list(asked.values()))
    able = [row for row in wanted if isinstance(way_of(asked[row.id], ways), Way)]
    await messages.save_asked(tx, [_message(row) for row in await _not_lately(tx, able)])


async def _not_lately(tx: Tx, rows: Sequence[Any]) -> list[Any]:
    """Of each address the first, unless it heard within the hour; of two processes one decides so."""
    by_digest: dict[bytes, Any] = {}
    for row in rows:
        by_digest.setdefault(digest_of(row), row)
    values = [{"digest": digest, "greeted_at": tx.now} for digest in by_digest]
    free = await insert_rows(tx, greeted, values, tail=_AGAIN)
    return sorted((by_digest[bytes(row.digest)] for row in free), key=lambda row: str(row.id))


def digest_of(row: Any) -> bytes:
    """One address of one provider, however it is written."""
    return hashlib.sha256(f"{row.door or row.channel}:{row.address.strip().casefold()}".encode()).digest()


def _message(row: Any) -> dict[str, Any]:
    until = {"until": row.until.isoformat()} if row.until else {}
    return {
        "id": uuid7(),
        "request_id": row.id,
        "direction": "out",
        "channel": row.channel,
        "author": "aftercare",
        "template": ACKNOWLEDGEMENT,
        "text": "",
        "facts": {"number": spoken(row.number), **until},
        "state": "waiting",
    }
