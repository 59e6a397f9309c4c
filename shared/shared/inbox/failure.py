"""The three kinds of failure.

outage  the database or the broker is out of reach: wait, decide nothing, spend no attempt
poison  can never be handled (not decodable, too old): a dead letter at once, with its bytes and reason
bug     anything else: parked alone, tried again with growing pauses, a dead letter after five attempts
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, delete, select, update
from sqlalchemy.exc import DBAPIError

from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.db.engine import is_database_outage, sqlstate
from shared.db.tables import dead_letter, inbox, parked
from shared.errors import AftercareError
from shared.events import Event
from shared.inbox.decode import Poison, extract

ATTEMPTS: Final = 5
PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 30, 120))
"""Before the second, third, … attempt."""

__all__ = ["ATTEMPTS", "Poison", "bury", "explain", "is_outage", "park"]


def is_outage(error: BaseException) -> bool:
    """Whether waiting helps."""
    if isinstance(error, AftercareError):
        return error.kind == "unavailable"
    return is_database_outage(error)


def explain(error: BaseException) -> str:
    """What went wrong, for a person, without the values involved: they may be somebody's data."""
    state = sqlstate(error)
    if state is not None:
        return f"{type(getattr(error, 'orig', error)).__name__} (SQLSTATE {state})"
    if isinstance(error, AftercareError | DBAPIError):
        return type(error).__name__
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" at {frame.tb_frame.f_code.co_name}:{frame.tb_lineno}" if frame else ""
    return f"{type(error).__name__}{where}"


async def bury(tx: Tx, poison: Sequence[Poison]) -> None:
    """Keep what cannot be handled, one row however often it is delivered."""
    rows = {
        digest: {
            "id": uuid7(),
            "event_id": each.event_id,
            "reason": each.reason,
            "error": each.error,
            "attempts": 0,
            "lane": tx.lane,
            "body": each.body,
            "digest": digest,
        }
        for each in poison
        for digest in [hashlib.sha256(each.body).digest()]
    }
    await insert_rows(tx, dead_letter, list(rows.values()), tail="ON CONFLICT (digest) DO NOTHING")


async def park(tx: Tx, event: Event[Any], source: bytes, error: BaseException) -> None:
    """Set one event aside after its first failed attempt; from now on this row, not the bus, owns it."""
    note = {"event_id": event.id, "type": event.type, "received_at": tx.now}
    if not await insert_rows(tx, inbox, [note], tail="ON CONFLICT DO NOTHING RETURNING event_id"):
        return  # another replica was faster, and succeeded or parked it
    await insert_rows(
        tx,
        parked,
        [
            {
                "event_id": event.id,
                "type": event.type,
                "subject": event.subject,
                "lane": tx.lane,
                "body": extract(source, event.id),
                "attempts": 1,
                "next_attempt_at": tx.now + PAUSES[0],
                "error": explain(error),
            }
        ],
    )


async def claim_parked(tx: Tx, now: datetime) -> Row[Any] | None:
    """The parked event that has been due longest and that no other replica is trying."""
    due = (
        select(parked)
        .where(parked.c.next_attempt_at <= now)
        .order_by(parked.c.next_attempt_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await tx.execute(due)).first()


async def forget_parked(tx: Tx, row: Row[Any]) -> None:
    """Its effect is in this transaction."""
    await tx.execute(delete(parked).where(parked.c.event_id == row.event_id))


async def failed_again(tx: Tx, row: Row[Any], error: BaseException) -> None:
    """Count the attempt; after the last one the event becomes a dead letter."""
    attempts = row.attempts + 1
    if attempts < ATTEMPTS:
        again = {
            "attempts": attempts,
            "next_attempt_at": tx.now + PAUSES[attempts - 1],
            "error": explain(error),
        }
        await tx.execute(update(parked).where(parked.c.event_id == row.event_id).values(again))
        return
    await forget_parked(tx, row)
    letter = {
        "id": uuid7(),
        "event_id": row.event_id,
        "reason": "failed too often",
        "error": explain(error),
        "attempts": attempts,
        "lane": row.lane,
        "body": row.body,
        "digest": hashlib.sha256(row.body).digest(),
    }
    await insert_rows(tx, dead_letter, [letter], tail="ON CONFLICT (digest) DO NOTHING")
