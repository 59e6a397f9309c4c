"""Requisitions and their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from parts.requisitions.rules import HOLD, Held, Shelf, Short
from parts.tables import requisition, requisition_line
from shared.db import Tx, insert_rows
from shared.errors import AftercareError


class NoSuchRequisition(AftercareError):
    """There is no such requisition here, or it is not yours."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Requisition:
    """What a ticket asked for, and what became of it."""

    id: UUID
    ticket_id: UUID
    engineer_id: UUID
    warehouse: str | None
    state: str
    held_until: datetime | None
    version: int
    lines: dict[str, int]

    def pieces(self) -> dict[Shelf, int]:
        return {(self.warehouse or "", part): quantity for part, quantity in self.lines.items()}


async def save_new(
    tx: Tx, decisions: Sequence[Held | Short], asked_by: dict[UUID, tuple[UUID, UUID]]
) -> None:
    """Keep new requisitions; `asked_by` gives each one's ticket and engineer."""
    rows = []
    lines = []
    for decision in decisions:
        wanted = decision.wanted
        held = isinstance(decision, Held)
        rows.append(
            {
                "id": wanted.id,
                "ticket_id": asked_by[wanted.id][0],
                "engineer_id": asked_by[wanted.id][1],
                "warehouse": wanted.warehouse,
                "state": "held" if held else "short",
                "held_until": tx.now + HOLD if held else None,
                "version": 1,
            }
        )
        for part, quantity in wanted.lines.items():
            lines.append({"requisition_id": wanted.id, "part_number": part, "quantity": quantity})
    await insert_rows(tx, requisition, rows)
    await insert_rows(tx, requisition_line, lines)


async def known(tx: Tx, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these requisitions are here already."""
    found = await tx.execute(select(requisition.c.id).where(requisition.c.id.in_(sorted(ids))))
    return set(found.scalars())


async def lock_one(tx: Tx, id: UUID) -> Requisition:
    """Raises `NoSuchRequisition`."""
    found = await _lock(tx, requisition.c.id == id)
    if not found:
        raise NoSuchRequisition
    return found[0]


async def lock_held_of_tickets(tx: Tx, tickets: Sequence[UUID]) -> list[Requisition]:
    """What is still held for these tickets."""
    return await _lock(tx, requisition.c.ticket_id.in_(sorted(tickets)) & (requisition.c.state == "held"))


async def lock_expired(tx: Tx, now: datetime, most: int = 100) -> list[Requisition]:
    """Holds that ran out; those another replica is giving back are passed over."""
    expired = (requisition.c.state == "held") & (requisition.c.held_until <= now)
    return await _lock(tx, expired, most=most)


async def save_state(tx: Tx, ids: Sequence[UUID], state: str) -> None:
    """End the hold of these requisitions in `state`, one version further."""
    change = {"state": state, "held_until": None, "version": requisition.c.version + 1}
    await tx.execute(update(requisition).where(requisition.c.id.in_(sorted(ids))).values(change))


async def load_open(tx: Tx) -> list[Requisition]:
    """Held and short ones, the newest first."""
    query = select(requisition).where(requisition.c.state.in_(("held", "short")))
    rows = (await tx.execute(query.order_by(requisition.c.id.desc()).limit(200))).all()
    return await _with_lines(tx, rows)


async def load_one(tx: Tx, id: UUID) -> Requisition:
    """Raises `NoSuchRequisition`."""
    rows = (await tx.execute(select(requisition).where(requisition.c.id == id))).all()
    if not rows:
        raise NoSuchRequisition
    return (await _with_lines(tx, rows))[0]


async def _lock(tx: Tx, which: Any, most: int | None = None) -> list[Requisition]:
    query = select(requisition).where(which).order_by(requisition.c.id).limit(most)
    rows = (await tx.execute(query.with_for_update(skip_locked=most is not None))).all()
    return await _with_lines(tx, rows)


async def _with_lines(tx: Tx, rows: Sequence[Row[Any]]) -> list[Requisition]:
    if not rows:
        return []
    query = select(requisition_line).where(requisition_line.c.requisition_id.in_([row.id for row in rows]))
    lines: dict[UUID, dict[str, int]] = {row.id: {} for row in rows}
    for line in await tx.execute(query.order_by(requisition_line.c.part_number)):
        lines[line.requisition_id][line.part_number] = line.quantity
    return [
        Requisition(
            row.id,
            row.ticket_id,
            row.engineer_id,
            row.warehouse,
            row.state,
            row.held_until,
            row.version,
            lines[row.id],
        )
        for row in rows
    ]
