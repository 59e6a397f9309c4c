"""Hold, use and give back parts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from parts.requisitions import rules, store
from parts.requisitions.store import Requisition
from parts.stock import store as stock
from shared.db import Tx
from shared.errors import AftercareError
from shared.events import Event
from shared.events.dispatch import PartsRequested
from shared.events.parts import PartsReserved, PartsShort, PartsUsed
from shared.events.terms import PartLine
from shared.outbox.emit import emit


class NotHeld(AftercareError):
    """These parts are not held any more, they are {state}."""

    kind = "conflict"


async def reserve_requested(tx: Tx, events: Sequence[Event[PartsRequested]]) -> None:
    """Hold what tickets ask for, as far as it is there; tell each what became of it (R73)."""
    causes = {event.data.requisition_id: event for event in events}
    for known in await store.known(tx, list(causes)):
        del causes[known]
    warehouses = await stock.load_warehouses(tx)
    wanted = [
        rules.Wanted(id, warehouses.get(event.data.centre), _lines(event.data.lines))
        for id, event in sorted(causes.items())
    ]
    shelves = [(each.warehouse or "", part) for each in wanted for part in each.lines]
    decisions = rules.reserve(wanted, await stock.lock_available(tx, shelves))
    await stock.change_reserved(tx, rules.held_pieces(decisions))
    await store.save_new(
        tx, decisions, {id: (UUID(event.subject), event.data.engineer_id) for id, event in causes.items()}
    )
    for decision in decisions:
        _tell(tx, decision, causes[decision.wanted.id])


async def use(tx: Tx, requisition: Requisition) -> None:
    """The engineer has built them in; the requisition is locked."""
    _require_held(requisition)
    await stock.use(tx, requisition.pieces(), reference=str(requisition.ticket_id))
    await store.save_state(tx, [requisition.id], "used")
    payload = PartsUsed(ticket_id=requisition.ticket_id, lines=_told(requisition.lines))
    emit(tx, payload, subject=requisition.id, sequence=requisition.version + 1)


async def release(tx: Tx, requisitions: Sequence[Requisition]) -> None:
    """Nobody needs them any more; all are locked and held."""
    pieces: dict[rules.Shelf, int] = {}
    for requisition in requisitions:
        _require_held(requisition)
        for shelf, quantity in requisition.pieces().items():
            pieces[shelf] = pieces.get(shelf, 0) - quantity
    await stock.change_reserved(tx, pieces)
    await store.save_state(tx, [each.id for each in requisitions], "released")


def _require_held(requisition: Requisition) -> None:
    if requisition.state != "held":
        raise NotHeld(state=requisition.state)


def _lines(lines: Sequence[PartLine]) -> dict[str, int]:
    """Pieces by part; a part that stands twice is wanted twice."""
    summed: dict[str, int] = {}
    for line in lines:
        summed[line.part_number] = summed.get(line.part_number, 0) + line.quantity
    return summed


def _told(lines: dict[str, int]) -> tuple[PartLine, ...]:
    return tuple(PartLine(part_number=part, quantity=quantity) for part, quantity in sorted(lines.items()))


def _tell(tx: Tx, decision: rules.Held | rules.Short, cause: Event[PartsRequested]) -> None:
    ticket_id, wanted = UUID(cause.subject), decision.wanted
    if isinstance(decision, rules.Short):
        short = PartsShort(ticket_id=ticket_id, missing=_told(dict(decision.missing)))
        emit(tx, short, subject=wanted.id, sequence=1, cause=cause)
        return
    reserved = PartsReserved(
        ticket_id=ticket_id,
        warehouse=wanted.warehouse or "",
        lines=_told(dict(wanted.lines)),
        held_until=tx.now + rules.HOLD,
    )
    emit(tx, reserved, subject=wanted.id, sequence=1, cause=cause)
