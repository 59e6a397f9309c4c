"""Queue events again that a broker lost; inboxes drop what they know."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text

from shared.clock import uuid7_floor
from shared.db.tx import Tx
from shared.outbox.emit import Listening

_QUEUE_AGAIN = text(
    """
    INSERT INTO outbox (event_id, type, lane)
    SELECT id, type, 'bulk' FROM event_log
    WHERE id >= :since AND type = ANY(CAST(:listening AS text[]))
    ORDER BY id
    ON CONFLICT (lane, event_id) DO NOTHING
    """
).bindparams(bindparam("since", type_=Uuid), bindparam("listening", type_=ARRAY(Text)))


async def queue_again(tx: Tx, since: datetime, listening: Listening) -> int:
    """Send everything recorded since `since` once more, on the bulk lane; returns how many events."""
    result = await tx.execute(_QUEUE_AGAIN, {"since": uuid7_floor(since), "listening": sorted(listening)})
    return result.rowcount
