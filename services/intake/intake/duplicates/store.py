"""Which requests are one, and who said so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select

from intake.duplicates.rules import Step, Told
from intake.tables import message, request
from intake.tables.duplicates import duplicate, duplicate_step
from shared.clock import uuid7
from shared.db import Tx, insert_rows

MOST: Final = 50
"""Requests of one customer within three days that are compared."""


async def load_told(tx: Tx, customer_id: UUID, since: datetime, until: datetime) -> list[Told]:
    """A customer's requests of a time with what was said first in each, the newest first."""
    said = (
        select(message.c.text)
        .where(message.c.request_id == request.c.id, message.c.direction == "in")
        .order_by(message.c.id)
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(
            request.c.id,
            request.c.customer_id,
            request.c.product_line,
            request.c.received_at,
            request.c.title,
            said.label("text"),
        )
        .where(request.c.customer_id == customer_id, request.c.received_at.between(since, until))
        .order_by(request.c.id.desc())
        .limit(MOST)
    )
    return [
        Told(row.id, row.customer_id, row.product_line, row.received_at, row.title, row.text or "")
        for row in await tx.execute(query)
    ]


async def load_pairs(tx: Tx, ids: Sequence[UUID]) -> list[tuple[UUID, UUID, str]]:
    """Everything that was said about these: request, main, state."""
    which = or_(duplicate.c.request_id.in_(ids), duplicate.c.main_id.in_(ids))
    query = select(duplicate).where(which).order_by(duplicate.c.request_id, duplicate.c.main_id)
    return [(row.request_id, row.main_id, row.state) for row in await tx.execute(query)]


def together(column: Any, main_id: UUID) -> ColumnElement[bool]:
    """Of `column`, a request's id: this request, and what is merged into it."""
    parts = select(duplicate.c.request_id).where(
        duplicate.c.main_id == main_id, duplicate.c.state == "merged"
    )
    return or_(column == main_id, column.in_(parts))


async def load_main(tx: Tx, request_id: UUID) -> UUID | None:
    """The request that this one is part of, if a person merged them."""
    part = (duplicate.c.request_id == request_id) & (duplicate.c.state == "merged")
    return (await tx.execute(select(duplicate.c.main_id).where(part))).scalar()


async def load_duplicates(tx: Tx, main_id: UUID) -> list[UUID]:
    """What is merged into a request."""
    query = select(duplicate.c.request_id).where(
        duplicate.c.main_id == main_id, duplicate.c.state == "merged"
    )
    return list((await tx.execute(query.order_by(duplicate.c.request_id))).scalars())


async def save_step(tx: Tx, request_id: UUID, main_id: UUID, step: Step, by: str) -> None:
    """Keep what a person said, and that they did."""
    state = "merged" if step == "merged" else "apart"
    tail = "ON CONFLICT (request_id, main_id) DO UPDATE SET state = excluded.state"
    pair = {"request_id": request_id, "main_id": main_id}
    await insert_rows(tx, duplicate, [pair | {"state": state}], tail=tail)
    await insert_rows(tx, duplicate_step, [pair | {"id": uuid7(), "step": step, "by": by, "at": tx.now}])


async def load_steps(tx: Tx, id: UUID) -> Sequence[Any]:
    """What was merged and split, the newest first."""
    which = or_(duplicate_step.c.request_id == id, duplicate_step.c.main_id == id)
    return (await tx.execute(select(duplicate_step).where(which).order_by(duplicate_step.c.id.desc()))).all()
