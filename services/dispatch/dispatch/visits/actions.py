"""Agreeing, moving and cancelling visits, by us; what customers do is in `choosing`."""

from __future__ import annotations

from dispatch.access import Viewer
from dispatch.tickets import commands, rules
from dispatch.tickets.record import Change
from dispatch.tickets.rules import Ticket
from dispatch.visits import store
from dispatch.visits.rules import NoVisitAgreed, Visit, VisitState, fault_of_visit
from shared.clock import uuid7
from shared.db import Tx
from shared.events.dispatch import VisitAgreed, VisitBy, VisitCancelled
from shared.http.problem import invalid
from shared.i18n import N_


async def require_reason(tx: Tx, ticket: Ticket, command: commands.AgreeVisit) -> None:
    """`InvalidInput` when a visit that is agreed would be moved and nobody says why."""
    held = (await store.agreed_visits(tx, [ticket.id])).get(ticket.id)
    if held is not None and _moves(held, command) and command.reason is None:
        raise invalid("body", ("reason",), N_("a visit is agreed already: say why it is moved"), "missing")


async def agree(tx: Tx, ticket: Ticket, command: commands.AgreeVisit, viewer: Viewer) -> Change:
    """A time that the customer agreed to, instead of what was agreed. `InvalidInput`; `VisitOverlaps`."""
    if fault := fault_of_visit(command.starts_at, command.ends_at, tx.now):
        raise invalid("body", (fault[0],), fault[1], "visit_time")
    held = await _held(tx, ticket, absent=command.customer_absent)
    agreed = VisitAgreed(
        visit_id=uuid7(),
        engineer_id=ticket.given_to,
        starts_at=command.starts_at,
        ends_at=command.ends_at,
        at_customers_wish=command.at_customers_wish,
        moved_from=held.starts_at if held and _moves(held, command) else None,
        by=_by(viewer, ticket),
        reason=command.reason,
        customer_absent=command.customer_absent and held is not None,
    )
    await _end(tx, ticket, held, absent=command.customer_absent)
    await store.save_visit(tx, ticket.id, agreed)
    return Change(ticket, rules.agree_visit(ticket, agreed))


async def call_off(tx: Tx, ticket: Ticket, command: commands.CancelVisit, viewer: Viewer) -> Change:
    """The visit does not take place. `NoVisitAgreed`."""
    held = await _held(tx, ticket, absent=command.customer_absent)
    if held is None:
        raise NoVisitAgreed
    cancelled = VisitCancelled(
        visit_id=held.id,
        engineer_id=held.engineer_id,
        starts_at=held.starts_at,
        ends_at=held.ends_at,
        by=_by(viewer, ticket),
        reason=command.reason,
        customer_absent=command.customer_absent,
    )
    await _end(tx, ticket, held, "cancelled", absent=command.customer_absent)
    return Change(ticket, rules.cancel_visit(ticket, cancelled))


async def _held(tx: Tx, ticket: Ticket, *, absent: bool) -> Visit | None:
    """What is agreed; where the customer was absent also the visit for which the engineer came."""
    visits = await store.visits_of(tx, ticket.id)
    wanted = ("agreed", "kept") if absent and ticket.arrivals else ("agreed",)
    return visits[0] if visits and visits[0].state in wanted else None


async def _end(
    tx: Tx, ticket: Ticket, held: Visit | None, state: VisitState = "moved", *, absent: bool
) -> None:
    if held is not None and absent:
        await store.mark_visits(tx, [held.id], "no_show")
    else:
        await store.end_visits(tx, [ticket.id], state)


def _moves(held: Visit, command: commands.AgreeVisit) -> bool:
    return (held.starts_at, held.ends_at) != (command.starts_at, command.ends_at)


def _by(viewer: Viewer, ticket: Ticket) -> VisitBy:
    return "engineer" if viewer.person_id == ticket.engineer_id else "dispatcher"
