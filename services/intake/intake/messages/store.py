"""The conversation with the customer, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from intake.channels.contract import DeliveryTold
from intake.duplicates.store import together
from intake.requests.rules import NAMELESS, Normalised
from intake.tables import message, source
from intake.tables.accounts import delivery_told
from intake.tables.attachments import attachment
from shared.clock import uuid7
from shared.db import Tx, insert_rows, insert_together
from shared.db.rows import Rows


@dataclass(frozen=True, slots=True)
class Author:
    """Who answered: as events know them, and as colleagues do."""

    id: str
    name: str


def incoming(arrived: Sequence[tuple[UUID, Normalised]]) -> tuple[Rows, Rows, Rows]:
    """What customers wrote, under their request, with the source and the attachments of each message."""
    sent = [(uuid7(), request_id, each) for request_id, each in arrived]
    messages = [
        {
            "id": id,
            "request_id": request_id,
            "direction": "in",
            "channel": each.channel,
            "external_id": each.external_id if each.channel == "email" or each.door else None,
            "address": each.address,
            "sender_name": each.name if each.address and each.name != NAMELESS else None,
            "author": "customer",
            "text": each.text,
            "state": "received",
        }
        for id, request_id, each in sent
    ]
    sources = [
        {"message_id": id, "content_type": each.content_type, "body": each.raw} for id, _, each in sent
    ]
    attachments = [
        {
            "id": uuid7(),
            "message_id": id,
            "position": position,
            "name": file.name,
            "content_type": file.content_type,
            "size": len(file.content),
            "inline": file.inline,
            "content": file.content,
        }
        for id, _, each in sent
        for position, file in enumerate(each.attachments, start=1)
    ]
    return (message, messages), (source, sources), (attachment, attachments)


async def save_replies(tx: Tx, arrived: Sequence[tuple[UUID, Normalised]]) -> None:
    """Keep what customers wrote to a request that is there; each message once."""
    (_, messages), *beside = incoming(arrived)
    kept = await insert_rows(tx, message, messages, tail="ON CONFLICT DO NOTHING RETURNING id")
    new = {row.id for row in kept}
    rows = [(table, [each for each in all if each["message_id"] in new]) for table, all in beside]
    await insert_together(tx, *rows)


async def save_answer(
    tx: Tx, request_id: UUID, channel: str, text: str, author: Author, *, spoken: bool = False
) -> UUID:
    """What a person answers; it waits until a sender of the channel takes it, unless it was `spoken`."""
    id = uuid7()
    heard = {"state": "sent", "sent_at": tx.now, "why": "spoken"}
    row = {
        "id": id,
        "request_id": request_id,
        "direction": "out",
        "channel": channel,
        "author": author.id,
        "author_name": author.name or None,
        "text": text,
        **(heard if spoken else {"state": "waiting"}),
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


async def load_sent(tx: Tx, external_ids: Sequence[str]) -> list[str]:
    """Which of these are messages that we sent."""
    if not external_ids:
        return []
    ours = message.c.external_id.in_(sorted(set(external_ids))) & (message.c.direction == "out")
    rows = await tx.execute(select(message.c.external_id).where(ours).order_by(message.c.external_id))
    return [row.external_id for row in rows]


async def load_conversation(tx: Tx, request_id: UUID) -> Sequence[Any]:
    """Everything said, in order, also in the requests that are merged into this one."""
    which = together(message.c.request_id, request_id)
    return (await tx.execute(select(message).where(which).order_by(message.c.id))).all()
