"""What those in a war room do: they have seen it, write notes, choose a plan and do its steps."""

from __future__ import annotations

from uuid import UUID

from dispatch.access import Viewer, involved_in, leads, lock_visible
from dispatch.incidents.store import load_incidents
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import list_history
from dispatch.urgent.store import load_policy
from dispatch.warroom import rules
from shared.db import Tx
from shared.http.problem import invalid
from shared.i18n import N_


async def enter(tx: Tx, ticket_id: UUID, viewer: Viewer) -> Ticket:
    """The ticket, to write in its war room. `NoSuchTicket`, `NoWarRoom`, `NotOfTheGroup`."""
    ticket = await lock_visible(tx, viewer, ticket_id)
    await require_room(tx, ticket)
    if not await may_write(tx, viewer, ticket):
        raise rules.NotOfTheGroup
    return ticket


async def require_room(tx: Tx, ticket: Ticket) -> bool:
    """Whether the ticket is part of an incident. `NoWarRoom`."""
    in_incident = bool(await load_incidents(tx, [ticket.request_id]))
    if not rules.has_room(ticket, in_incident=in_incident):
        raise rules.NoWarRoom
    return in_incident


async def may_write(tx: Tx, viewer: Viewer, ticket: Ticket) -> bool:
    """The group, the leaders and dispatchers; who only watches over promises reads."""
    return viewer.dispatches or viewer.person_id in involved_in(ticket) or await leads(tx, viewer, ticket)


async def see(tx: Tx, ticket_id: UUID, viewer: Viewer) -> None:
    """Somebody of the group knows of it; again is the same as once. `NotOfTheGroup`, `TicketHasEnded`."""
    ticket = await enter(tx, ticket_id, viewer)
    if viewer.person_id not in rules.duties_of(ticket):
        raise rules.NotOfTheGroup
    if not ticket.is_open:
        raise rules.TicketHasEnded(state=ticket.state)
    members = rules.members_of(ticket, await list_history(tx, ticket.id))
    if any(each.person_id == viewer.person_id and each.seen_at is None for each in members):
        await record(tx, [Change(ticket, rules.note(ticket, "seen", viewer.employee_id))], viewer.id)


async def write_note(tx: Tx, ticket_id: UUID, text: str, viewer: Viewer) -> None:
    """Keep what the group has to know; also when it is over, to look back."""
    ticket = await enter(tx, ticket_id, viewer)
    steps = rules.note(ticket, "note", viewer.employee_id, text=text)
    await record(tx, [Change(ticket, steps)], viewer.id)


async def choose_plan(tx: Tx, ticket_id: UUID, code: str, viewer: Viewer) -> None:
    """Another emergency plan than the rules chose; what was done of the one before stays done."""
    ticket = await enter(tx, ticket_id, viewer)
    policy, _ = await load_policy(tx)
    if policy.plan(code) is None:
        raise invalid("body", ("plan",), N_("no plan of the urgent policy"), "unknown_code")
    steps = rules.note(ticket, "plan", viewer.employee_id, plan=code)
    await record(tx, [Change(ticket, steps)], viewer.id)


async def do_step(tx: Tx, ticket_id: UUID, plan: str, item: str, viewer: Viewer) -> None:
    """A step of the plan is done; what is done stays as it was done first."""
    ticket = await enter(tx, ticket_id, viewer)
    policy, _ = await load_policy(tx)
    found = policy.plan(plan)
    if found is None:
        raise invalid("body", ("plan",), N_("no plan of the urgent policy"), "unknown_code")
    if found.step(item) is None:
        raise invalid("body", ("item",), N_("no step of this plan"), "unknown_code")
    done = rules.progress_of(found, await list_history(tx, ticket.id), ticket.episode)
    if any(each.step.code == item and each.at is None for each in done):
        steps = rules.note(ticket, "plan_step", viewer.employee_id, plan=plan, item=item)
        await record(tx, [Change(ticket, steps)], viewer.id)
