"""Requests that a message names as its own without proof: a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from intake.tables import request
from intake.tables.attachments import thread_suggestion
from shared.db import Tx
from shared.db.rows import Rows


def rows_of(pairs: Sequence[tuple[UUID, UUID]]) -> Rows:
    """New requests, each with the one that its first message named."""
    return thread_suggestion, [{"request_id": id, "other_id": other} for id, other in pairs]


async def load(tx: Tx, request_id: UUID) -> Any | None:
    """Id and title of the request that this one may belong to."""
    other = thread_suggestion.c.other_id
    query = select(request.c.id, request.c.title).join(thread_suggestion, other == request.c.id)
    return (await tx.execute(query.where(thread_suggestion.c.request_id == request_id))).first()
