"""Files that came with messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from intake.tables import message
from intake.tables.attachments import attachment
from shared.db import Tx
from shared.errors import AftercareError

_SHOWN = [each for each in attachment.c if each.name != "content"]


class NoSuchAttachment(AftercareError):
    """There is no such attachment here."""

    kind = "not_found"


async def load_by_message(tx: Tx, message_ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """The files of each message, in their order, without their bytes."""
    which = attachment.c.message_id.in_(sorted(message_ids))
    query = select(*_SHOWN).where(which).order_by(attachment.c.message_id, attachment.c.position)
    files: dict[UUID, list[Any]] = {}
    for row in await tx.execute(query):
        files.setdefault(row.message_id, []).append(row)
    return files


async def load(tx: Tx, id: UUID) -> Any:
    """One file with its bytes and the request it belongs to. Raises `NoSuchAttachment`."""
    query = select(attachment, message.c.request_id).join(message, message.c.id == attachment.c.message_id)
    row = (await tx.execute(query.where(attachment.c.id == id))).first()
    if row is None:
        raise NoSuchAttachment
    return row
