"""How plans stand and who has to sign them off, for whoever looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from dispatch.assignment.store import read_staff
from dispatch.support import store
from dispatch.support.rules import Mark, Plan, mark_of, person_of, signer_for
from dispatch.tickets.rules import Ticket
from shared.db import Tx
from shared.events.terms import PersonId

__all__ = ["Mark", "awaited_signer", "marks"]


async def awaited_signer(tx: Tx, ticket: Ticket, plans: Sequence[Plan]) -> PersonId | None:
    """Of the newest of `plans` where it waits; None where none does."""
    if not plans or plans[0].state != "proposed" or plans[0].episode != ticket.episode:
        return None
    return signer_for(ticket, await read_staff(tx), person_of(plans[0].by))


async def marks(tx: Tx, tickets: Sequence[Ticket]) -> Mapping[UUID, Mark]:
    """Those of `tickets` whose plan is to be signed off and is not yet, in two statements."""
    if not tickets:
        return {}
    policy, _ = await store.load_policy(tx)
    states = await store.newest_states(tx, [ticket.id for ticket in tickets])
    found = ((ticket.id, mark_of(ticket, states.get(ticket.id), policy)) for ticket in tickets)
    return {ticket_id: mark for ticket_id, mark in found if mark}
