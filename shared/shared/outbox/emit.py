"""Append events to a transaction; they are written with it, in one statement, when it commits."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text

from shared.errors import AftercareError
from shared.events.envelope import Event, Payload, event_model
from shared.trace import current_traceparent

if TYPE_CHECKING:  # the database imports this module: it writes what was emitted
    from shared.db.tx import Tx

Listening = Set[str]
"""The event types that some service consumes; only these are queued for sending."""

LARGEST: Final = 256 * 1024  # bytes; far below what any broker takes, far above what an event needs


class EventTooLarge(AftercareError):
    """{type} has {size} bytes, an event at most {limit}: carry an identifier instead of content."""


class ForeignEvent(AftercareError):
    """{service} may not publish {type}: only its owner does."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One event as it will be written."""

    id: UUID
    type: str
    subject: str
    sequence: int
    body: str


def emit(
    tx: Tx,
    payload: Payload,
    *,
    subject: UUID | str,
    sequence: int,
    time: datetime | None = None,
    cause: Event[Any] | None = None,
) -> UUID:
    """Tell the world, if and only if the transaction commits; returns the event's id.

    `sequence` is the version of the aggregate after the change; `time` when it happened, by default when the
    transaction began; `cause` the event being handled, whose trace goes on.
    """
    if payload.owner() != tx.service:
        raise ForeignEvent(service=tx.service, type=payload.type)
    event = event_model(type(payload))(
        id=next(tx.ids),
        source=f"/aftercare/{tx.service}",
        type=payload.type,
        subject=str(subject),
        sequence=f"{sequence:010d}",
        time=time or tx.now,
        traceparent=cause.traceparent if cause else current_traceparent(),
        data=payload,
    )
    body = event.model_dump_json(exclude_none=True)
    size = len(body.encode())
    if size > LARGEST:
        raise EventTooLarge(type=payload.type, size=size, limit=LARGEST)
    tx.drafts.append(Draft(event.id, payload.type, event.subject, sequence, body))
    return event.id


# One round trip: the log keeps every event, the outbox only those somebody waits for.
_WRITE = text(
    """
    WITH logged AS (
        INSERT INTO event_log (id, type, subject, sequence, lane, body)
        SELECT id, type, subject, sequence, :lane, body
        FROM unnest(CAST(:ids AS uuid[]), CAST(:types AS text[]), CAST(:subjects AS text[]),
                    CAST(:sequences AS bigint[]), CAST(:bodies AS text[]))
             AS drafted (id, type, subject, sequence, body)
        RETURNING id, type, lane
    )
    INSERT INTO outbox (event_id, type, lane)
    SELECT id, type, lane FROM logged WHERE type = ANY(CAST(:listening AS text[]))
    """
).bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    *(bindparam(name, type_=ARRAY(Text)) for name in ("types", "subjects", "bodies", "listening")),
)


async def write_events(tx: Tx, listening: Listening) -> bool:
    """Write what `emit` collected; whether there was anything. Called by the edge just before it commits."""
    drafts = tx.drafts  # ids are made in rising order, so the rows are sorted by key already
    if not drafts:
        return False
    await tx.execute(
        _WRITE,
        {
            "ids": [draft.id for draft in drafts],
            "types": [draft.type for draft in drafts],
            "subjects": [draft.subject for draft in drafts],
            "sequences": [draft.sequence for draft in drafts],
            "bodies": [draft.body for draft in drafts],
            "lane": tx.lane,
            "listening": sorted(listening),
        },
    )
    return True
