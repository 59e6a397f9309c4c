"""Hold, use and give back parts; every change of a requisition is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from parts.catalogue import store as catalogue
from parts.requisitions import rules, store
from parts.requisitions.rules import Held, Requisition, Short
from parts.stock import store as stock
from parts.stock.rules import together
from shared.db import Tx
from shared.errors import AftercareError
from shared.events import Event
from shared.events.dispatch import PartsRequested, TicketCancelled, TicketClosed
from shared.events.parts import PartsExpected, PartsReleased, PartsReserved, PartsShort, PartsUsed
from shared.events.terms import PartLine
from shared.http.problem import invalid
from shared.i18n import N_
from shared.outbox.emit import emit

Ended = Event[TicketClosed] | Event[TicketCancelled]
Reason = Literal["given_back", "ticket_closed", "expired"]
Causes = Mapping[UUID, Event[Any]]
"""The event that led to a requisition's change, by the requisition's id."""

NO_CAUSE: Causes = {}


class NotHeld(AftercareError):
    """Only parts that are held can be built in; read the requisition again."""

    kind = "conflict"
    shown: ClassVar = ("state",)


class NotShort(AftercareError):
    """Only parts that are short are expected; read the requisition again."""

    kind = "conflict"
    shown: ClassVar = ("state",)


class MoreThanHeld(AftercareError):
    """Not so much was held for this job; say how much of what was held is built in."""


class NotWaitedFor(AftercareError):
    """These parts are neither held nor waited for any more; read the requisition again."""

    kind = "conflict"
    shown: ClassVar = ("state",)


async def answer_requests(tx: Tx, events: Sequence[Event[PartsRequested]]) -> None:
    """Hold what tickets ask for if all of it is there; tell each what became of it (R73)."""
    causes = {event.data.requisition_id: event for event in events}
    known = await store.load_known(tx, causes)
    warehouses = await catalogue.load_warehouses(tx)
    asked = [
        Requisition(
            id=id,
            ticket_id=UUID(event.subject),
            ticket_version=event.version,
            engineer_id=event.data.engineer_id,
            warehouse=warehouses.get(event.data.centre),
            lines=_by_part(event.data.lines),
        )
        for id, event in causes.items()
        if id not in known
    ]
    closed = await store.load_closings(tx, {each.ticket_id for each in asked})
    over = [each for each in asked if rules.is_over(each, closed)]
    decisions = await _decide(tx, [each for each in asked if not rules.is_over(each, closed)])
    await _hold(tx, [each for each in decisions if isinstance(each, Held)], causes)
    await _run_short(tx, [each for each in decisions if isinstance(each, Short)], causes)
    await _let_go(tx, over, "ticket_closed", causes)


async def serve_waiting(tx: Tx, most: int) -> int:
    """Hold what was short and is there by now, at most so many; how many could be served."""
    decisions = await _decide(tx, await store.lock_servable(tx, most))
    held = [each for each in decisions if isinstance(each, Held)]
    await _hold(tx, held)
    return len(held)


async def use(tx: Tx, requisition: Requisition, built_in: Mapping[str, int] | None = None) -> Requisition:
    """The engineer has built them in, or so many of each part, and brings back the rest (R73).

    The requisition is locked. Raises `NotHeld`, `MoreThanHeld`.
    """
    if requisition.state != "held":
        raise NotHeld(state=requisition.state)
    built_in = requisition.lines if built_in is None else built_in
    if any(pieces > requisition.lines.get(part, 0) for part, pieces in built_in.items()):
        raise MoreThanHeld
    used, rest = rules.use(requisition), rules.left(requisition, built_in)
    await stock.lock_available(tx, requisition.pieces())  # all at once: two halves could wait for each other
    await stock.use(tx, replace(requisition, lines=built_in).pieces(), reference=str(requisition.id))
    if rest:
        back = replace(requisition, lines=rest).pieces()
        await stock.change_reserved(tx, {shelf: -pieces for shelf, pieces in back.items()})
        await store.save_use(tx, used.id, built_in)
    await store.save(tx, [used])
    payload = PartsUsed(ticket_id=used.ticket_id, lines=_told(built_in))
    emit(tx, payload, subject=used.id, sequence=used.version)
    return used


async def expect(tx: Tx, requisition: Requisition, expected_at: datetime) -> Requisition:
    """Somebody knows when what is short comes; the requisition is locked. Raises `NotShort`."""
    if requisition.state != "short":
        raise NotShort(state=requisition.state)
    if not tx.now < expected_at <= tx.now + rules.LATEST:
        raise invalid(
            "body", ("expected_at",), N_("parts are expected within the next year"), "expected_time"
        )
    expected = rules.expect(requisition, expected_at)
    await store.save(tx, [expected])
    payload = PartsExpected(ticket_id=expected.ticket_id, expected_at=expected_at)
    emit(tx, payload, subject=expected.id, sequence=expected.version)
    return expected


async def give_back(tx: Tx, requisition: Requisition) -> Requisition:
    """The engineer does not need them; the requisition is locked. Raises `NotWaitedFor`."""
    if requisition.state not in rules.OPEN:
        raise NotWaitedFor(state=requisition.state)
    (released,) = await _let_go(tx, [requisition], "given_back")
    return released


async def close_tickets(tx: Tx, events: Sequence[Ended]) -> None:
    """Nobody needs any more what these tickets asked for before they were closed or cancelled."""
    newest: dict[UUID, Ended] = {
        UUID(event.subject): event for event in sorted(events, key=lambda event: event.version)
    }
    closed = {ticket: event.version for ticket, event in newest.items()}
    await store.save_closings(tx, closed)
    waiting = await store.lock_open_of_tickets(tx, closed)
    over = [each for each in waiting if rules.is_over(each, closed)]
    await _let_go(tx, over, "ticket_closed", {each.id: newest[each.ticket_id] for each in over})


async def expire(tx: Tx, expired: Sequence[Requisition]) -> None:
    """Nobody came for them in time; all are locked and held."""
    await _let_go(tx, expired, "expired")


async def _decide(tx: Tx, requisitions: Sequence[Requisition]) -> list[Held | Short]:
    """Who gets what; the shelves are held still until the transaction ends."""
    wanted = together(each.pieces() for each in requisitions)
    return rules.reserve(rules.in_order(requisitions), await stock.lock_available(tx, wanted), tx.now)


async def _hold(tx: Tx, decisions: Sequence[Held], causes: Causes = NO_CAUSE) -> None:
    held = [each.requisition for each in decisions]
    await stock.change_reserved(tx, together(each.pieces() for each in held))
    await store.save(tx, held)
    for each in held:
        assert each.warehouse is not None
        assert each.held_until is not None
        lines = _told(each.lines)
        payload = PartsReserved(
            ticket_id=each.ticket_id, warehouse=each.warehouse, lines=lines, held_until=each.held_until
        )
        emit(tx, payload, subject=each.id, sequence=each.version, cause=causes.get(each.id))


async def _run_short(tx: Tx, decisions: Sequence[Short], causes: Causes) -> None:
    await store.save(tx, [each.requisition for each in decisions])
    for decision in decisions:
        short = decision.requisition
        payload = PartsShort(ticket_id=short.ticket_id, missing=_told(decision.missing))
        emit(tx, payload, subject=short.id, sequence=short.version, cause=causes.get(short.id))


async def _let_go(
    tx: Tx, requisitions: Sequence[Requisition], reason: Reason, causes: Causes = NO_CAUSE
) -> list[Requisition]:
    held = together(each.pieces() for each in requisitions if each.state == "held")
    await stock.change_reserved(tx, {shelf: -quantity for shelf, quantity in held.items()})
    released = [rules.release(each) for each in requisitions]
    await store.save(tx, released)
    for each in released:
        payload = PartsReleased(ticket_id=each.ticket_id, reason=reason)
        emit(tx, payload, subject=each.id, sequence=each.version, cause=causes.get(each.id))
    return released


def _by_part(lines: Iterable[PartLine]) -> dict[str, int]:
    """Pieces by part; a part that stands twice is wanted twice."""
    summed: dict[str, int] = {}
    for line in lines:
        summed[line.part_number] = summed.get(line.part_number, 0) + line.quantity
    return summed


def _told(lines: Mapping[str, int]) -> tuple[PartLine, ...]:
    return tuple(PartLine(part_number=part, quantity=quantity) for part, quantity in sorted(lines.items()))
