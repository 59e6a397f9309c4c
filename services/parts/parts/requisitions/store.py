"""Requisitions, their lines, and which tickets are closed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Row, Select, Text, Uuid, any_, cast, func, literal, select, text

from parts.requisitions.rules import OPEN, Requisition
from parts.tables import closed_ticket, requisition, requisition_line, requisition_use
from shared.db import Tx, insert_rows
from shared.errors import AftercareError

_MOVE_ON: Final = (
    "ON CONFLICT (id) DO UPDATE SET"
    " state = EXCLUDED.state, held_until = EXCLUDED.held_until, version = EXCLUDED.version,"
    " expected_at = EXCLUDED.expected_at"
)
_CLOSE_LATER: Final = (
    "ON CONFLICT (ticket_id) DO UPDATE SET version = EXCLUDED.version"
    " WHERE closed_ticket.version < EXCLUDED.version"
)
_SERVABLE: Final = text(
    """
    NOT EXISTS (
        SELECT FROM requisition_line AS line
        LEFT JOIN balance ON balance.warehouse = requisition.warehouse
                         AND balance.part_number = line.part_number
        WHERE line.requisition_id = requisition.id
          AND coalesce(balance.on_hand - balance.reserved, 0) < line.quantity
    )
    """
)


class NoSuchRequisition(AftercareError):
    """There is no such requisition here, or it is not yours."""

    kind = "not_found"


async def save(tx: Tx, requisitions: Sequence[Requisition]) -> None:
    """Keep them as they are now; their lines never change."""
    rows = [
        {
            "id": each.id,
            "ticket_id": each.ticket_id,
            "ticket_version": each.ticket_version,
            "engineer_id": each.engineer_id,
            "warehouse": each.warehouse,
            "state": each.state,
            "held_until": each.held_until,
            "version": each.version,
            "expected_at": each.expected_at,
        }
        for each in requisitions
    ]
    lines = [
        {"requisition_id": each.id, "part_number": part, "quantity": quantity}
        for each in requisitions
        if each.version == 1
        for part, quantity in each.lines.items()
    ]
    await insert_rows(tx, requisition, rows, tail=_MOVE_ON)
    await insert_rows(tx, requisition_line, lines)


async def save_use(tx: Tx, id: UUID, used: Mapping[str, int]) -> None:
    """Keep what was built in of a requisition of which something came back."""
    rows = [{"requisition_id": id, "part_number": part, "quantity": used[part]} for part in sorted(used)]
    await insert_rows(tx, requisition_use, rows)


async def save_closings(tx: Tx, versions: Mapping[UUID, int]) -> None:
    """Remember the version at which each ticket was closed, the newest of them."""
    rows = [{"ticket_id": ticket, "version": version} for ticket, version in versions.items()]
    await insert_rows(tx, closed_ticket, rows, tail=_CLOSE_LATER)


async def load_closings(tx: Tx, tickets: Collection[UUID]) -> dict[UUID, int]:
    """The version of the newest close of each of these tickets that was ever closed."""
    found = await tx.execute(select(closed_ticket).where(closed_ticket.c.ticket_id == _any_of(tickets)))
    return {row.ticket_id: row.version for row in found}


async def load_known(tx: Tx, ids: Collection[UUID]) -> set[UUID]:
    """Which of these requisitions are here already."""
    found = await tx.execute(select(requisition.c.id).where(requisition.c.id == _any_of(ids)))
    return set(found.scalars())


async def load_one(tx: Tx, id: UUID) -> Requisition:
    """Raises `NoSuchRequisition`."""
    return _only(await _load(tx, select(requisition).where(requisition.c.id == id)))


async def lock_one(tx: Tx, id: UUID) -> Requisition:
    """Raises `NoSuchRequisition`."""
    return _only(await _load(tx, select(requisition).where(requisition.c.id == id).with_for_update()))


async def load_newest_open(tx: Tx, most: int) -> list[Requisition]:
    """Those somebody waits for, the newest first."""
    return await _load(tx, _open().order_by(requisition.c.id.desc()).limit(most))


async def lock_open_of_tickets(tx: Tx, tickets: Collection[UUID]) -> list[Requisition]:
    """Those somebody waits for, of these tickets."""
    chosen = _open().where(requisition.c.ticket_id == _any_of(tickets))
    return await _load(tx, chosen.order_by(requisition.c.id).with_for_update())


async def lock_expired(tx: Tx, now: datetime, most: int) -> list[Requisition]:
    """Holds that ran out; those another replica is giving back are passed over."""
    expired = select(requisition).where(requisition.c.state == "held", requisition.c.held_until <= now)
    return await _load(tx, expired.order_by(requisition.c.id).limit(most).with_for_update(skip_locked=True))


async def lock_servable(tx: Tx, most: int) -> list[Requisition]:
    """Short ones of which all is there by now, the oldest first; each alone, not all together."""
    short = select(requisition).where(requisition.c.state == "short", _SERVABLE)
    return await _load(tx, short.order_by(requisition.c.id).limit(most).with_for_update(skip_locked=True))


async def count_open(tx: Tx) -> dict[str, int]:
    """How many are held and how many are short."""
    counted = select(requisition.c.state, func.count().label("waiting")).where(requisition.c.state.in_(OPEN))
    found = {row.state: row.waiting for row in await tx.execute(counted.group_by(requisition.c.state))}
    return {state: found.get(state, 0) for state in OPEN}


async def open_version(tx: Tx) -> tuple[Any, ...]:
    """Differs after every change of what is open. A hash, because one may leave while another comes."""
    seen = func.hashtextextended(cast(requisition.c.id, Text), requisition.c.version)
    open_ones = select(func.count(), func.sum(seen)).where(requisition.c.state.in_(OPEN))
    return tuple((await tx.execute(open_ones)).one())


def _open() -> Select[Any]:
    return select(requisition).where(requisition.c.state.in_(OPEN))


def _any_of(ids: Collection[UUID]) -> Any:
    """One array, not a list of parameters: the statement stays the same, and so prepared."""
    return any_(literal(sorted(ids), ARRAY(Uuid)))


def _only(found: Sequence[Requisition]) -> Requisition:
    if not found:
        raise NoSuchRequisition
    return found[0]


async def _load(tx: Tx, query: Select[Any]) -> list[Requisition]:
    rows: Sequence[Row[Any]] = (await tx.execute(query)).all()
    if not rows:
        return []
    chosen = select(requisition_line).where(
        requisition_line.c.requisition_id == _any_of([row.id for row in rows])
    )
    lines: dict[UUID, dict[str, int]] = {row.id: {} for row in rows}
    for line in await tx.execute(chosen.order_by(requisition_line.c.part_number)):
        lines[line.requisition_id][line.part_number] = line.quantity
    return [Requisition(**row._mapping, lines=lines[row.id]) for row in rows]
