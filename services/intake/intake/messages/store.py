"""The conversation with the customer, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from intake.channels.contract import DeliveryTold
from intake.requests.rules import Normalised
from intake.tables import message, source
from intake.tables.accounts import delivery_told
from intake.tables.duplicates import duplicate
from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.db.rows import Rows


def incoming(arrived: Sequence[tuple[UUID, Normalised]]) -> tuple[Rows, Rows]:
    """What customers wrote, under their request, and the source of each message."""
    sent = [(uuid7(), request_id, each) for request_id, each in arrived]
    messages = [
        {
            "id": id,
            "request_id": request_id,
            "direction": "in",
            "channel": each.channel,
            "external_id": each.external_id if each.channel == "email" or each.door else None,
            "address": each.address,
            "author": "customer",
            "text": each.text,
            "state": "received",
        }
        for id, request_id, each in sent
    ]
    sources = [
        {"message_id": id, "content_type": each.content_type, "body": each.raw} for id, _, each in sent
    ]
    return (message, messages), (source, sources)


async def save_replies(tx: Tx, arrived: Sequence[tuple[UUID, Normalised]]) -> None:
    """Keep what customers wrote to a request that is there; each message once."""
    (_, messages), (_, sources) = incoming(arrived)
    kept = await insert_rows(tx, message, messages, tail="ON CONFLICT DO NOTHING RETURNING id")
    new = {row.id for row in kept}
    await insert_rows(tx, source, [each for each in sources if each["message_id"] in new])


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


async def save_deliveries(tx: Tx, channel: str, account: str, told: Sequence[DeliveryTold]) -> None:
    """Keep what a provider told of messages that we sent, each once."""
    rows = {
        (each.external_id, each.state): {
            "channel": channel,
            "account": account,
            "external_id": each.external_id,
            "state": each.state,
            "told_at": each.at,
            "detail": each.detail,
        }
        for each in told
    }
    await insert_rows(tx, delivery_told, [rows[key] for key in sorted(rows)], tail="ON CONFLICT DO NOTHING")


async def load_conversation(tx: Tx, request_id: UUID) -> Sequence[Any]:
    """Everything said, in order, also in the requests that are merged into this one."""
    parts = select(duplicate.c.request_id).where(
        duplicate.c.main_id == request_id, duplicate.c.state == "merged"
    )
    which = (message.c.request_id == request_id) | message.c.request_id.in_(parts)
    return (await tx.execute(select(message).where(which).order_by(message.c.id))).all()
