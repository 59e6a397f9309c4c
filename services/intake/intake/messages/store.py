"""The conversation with the customer, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from intake.requests.rules import Normalised
from intake.tables import message, source
from shared.clock import uuid7
from shared.db import Tx, insert_rows


async def save_incoming(tx: Tx, arrived: Sequence[tuple[UUID, Normalised]]) -> None:
    """What customers wrote, under their request; each message once, with its source."""
    sent = [(uuid7(), request_id, each) for request_id, each in arrived]
    rows = [
        {
            "id": id,
            "request_id": request_id,
            "direction": "in",
            "channel": each.channel,
            "external_id": each.external_id if each.channel == "email" else None,
            "author": "customer",
            "text": each.text,
            "state": "received",
        }
        for id, request_id, each in sent
    ]
    new = {row.id for row in await insert_rows(tx, message, rows, tail="ON CONFLICT DO NOTHING RETURNING id")}
    sources = [
        {"message_id": id, "content_type": each.content_type, "body": each.raw}
        for id, _, each in sent
        if id in new
    ]
    await insert_rows(tx, source, sources)


async def save_answer(tx: Tx, request_id: UUID, channel: str, text: str, author: str) -> UUID:
    """What a person answers; it waits until a sender of the channel takes it."""
    id = uuid7()
    row = {
        "id": id,
        "request_id": request_id,
        "direction": "out",
        "channel": channel,
        "author": author,
        "text": text,
        "state": "waiting",
    }
    await insert_rows(tx, message, [row])
    return id


async def save_asked(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """What other services want to tell the customer, once per event that asks."""
    await insert_rows(tx, message, rows, tail="ON CONFLICT (cause) DO NOTHING")


async def load_conversation(tx: Tx, request_id: UUID) -> Sequence[Any]:
    """Everything said, in order."""
    query = select(message).where(message.c.request_id == request_id).order_by(message.c.id)
    return (await tx.execute(query)).all()
