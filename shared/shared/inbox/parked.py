"""The loop that tries parked events again, and the replay of dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select

from shared.db import Tx, insert_rows, retryable
from shared.db.tables import dead_letter, inbox, parked
from shared.events import Event
from shared.inbox import failure
from shared.inbox.decode import extract
from shared.inbox.receive import Receiver


async def retry_parked(receiver: Receiver, tx: Tx, now: datetime) -> datetime | None:
    """Try one parked event that is due; returns when to look again, None when nothing is parked."""
    row = await failure.claim_parked(tx, now)
    if row is not None:
        tx.lane = row.lane
        await _try(receiver, tx, row)
    earliest = await tx.execute(select(func.min(parked.c.next_attempt_at)))
    return earliest.scalar_one_or_none()


async def _try(receiver: Receiver, tx: Tx, row: Row[Any]) -> None:
    decoded = receiver.decode([row.body])
    drafts = len(tx.drafts)
    try:
        async with tx.connection.begin_nested():
            if decoded.poison:
                raise ValueError(decoded.poison[0].reason)
            await receiver.handle(tx, decoded.events)
            await failure.forget_parked(tx, row)
    except Exception as error:
        if failure.is_outage(error) or retryable(error):
            raise
        del tx.drafts[drafts:]  # what the failed attempt meant to tell the world
        await failure.failed_again(tx, row, error)


async def replay_dead_letters(receiver: Receiver, tx: Tx, ids: Sequence[UUID]) -> int:
    """Give dead letters that now decode another five attempts; returns how many.

    Those older than the inbox remembers stay dead: nothing could tell whether they had been handled before.
    A letter whose event took effect through another copy is dropped.
    """
    chosen = select(dead_letter).where(dead_letter.c.id.in_(ids)).order_by(dead_letter.c.id).with_for_update()
    replayed: list[UUID] = []
    revived: dict[UUID, dict[str, Any]] = {}
    for letter in await tx.execute(chosen):
        decoded = receiver.decode([letter.body])
        if decoded.poison:
            continue
        replayed.append(letter.id)
        for event in decoded.events:
            if letter.reason == "failed too often" or await _note(tx, event):
                revived[event.id] = _again(tx, event, letter)
    await insert_rows(tx, parked, list(revived.values()), tail="ON CONFLICT DO NOTHING")
    await tx.execute(delete(dead_letter).where(dead_letter.c.id.in_(replayed)))
    return len(replayed)


async def _note(tx: Tx, event: Event[Any]) -> bool:
    note = {"event_id": event.id, "type": event.type, "received_at": tx.now}
    return bool(await insert_rows(tx, inbox, [note], tail="ON CONFLICT DO NOTHING RETURNING event_id"))


def _again(tx: Tx, event: Event[Any], letter: Row[Any]) -> dict[str, Any]:
    return {
        "event_id": event.id,
        "type": event.type,
        "subject": event.subject,
        "lane": letter.lane,
        "body": extract(letter.body, event.id),
        "attempts": 0,
        "next_attempt_at": tx.now,
        "error": "replayed",
    }
