"""Everything that a war room shows, read in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dispatch.incidents.store import Incident, load_incidents
from dispatch.remote.rules import Session
from dispatch.remote.store import list_sessions
from dispatch.solutions.rules import governing
from dispatch.solutions.store import list_solutions
from dispatch.tickets.dossier import Dossier, load_dossier
from dispatch.tickets.rules import Ticket
from dispatch.urgent.policy import Plan, Policy
from dispatch.urgent.store import load_policy
from dispatch.warroom import rules
from dispatch.warroom.rules import Block, Done, Member
from shared.db import Tx
from shared.events.terms import PersonId


@dataclass(frozen=True, slots=True)
class Room:
    """A ticket as those around it see it: who leads, what stands in the way, what comes next."""

    ticket: Ticket
    dossier: Dossier
    policy: Policy
    incidents: Sequence[Incident]
    members: Sequence[Member]
    plan: Plan
    progress: Sequence[Done]
    blocks: Sequence[Block]
    sessions: Sequence[Session]

    @property
    def lead_id(self) -> PersonId:
        """Who leads: the one accountable owner (decision 8)."""
        return self.ticket.owner_id


async def load_room(tx: Tx, ticket: Ticket, now: datetime) -> Room:
    """`NoWarRoom` where there is none."""
    incidents = (await load_incidents(tx, [ticket.request_id])).get(ticket.request_id, [])
    if not rules.has_room(ticket, in_incident=bool(incidents)):
        raise rules.NoWarRoom
    dossier = await load_dossier(tx, ticket)
    policy, _ = await load_policy(tx)
    plan = rules.plan_for(ticket, dossier.history, policy, in_incident=bool(incidents))
    solution = governing(await list_solutions(tx, [ticket.id]), ticket.episode)
    parts = [each["state"] for each in dossier.requisitions]
    return Room(
        ticket=ticket,
        dossier=dossier,
        policy=policy,
        incidents=incidents,
        members=rules.members_of(ticket, dossier.history),
        plan=plan,
        progress=rules.progress_of(plan, dossier.history, ticket.episode),
        blocks=rules.blocks_of(ticket, solution, dossier.notice, parts, dossier.owed, now),
        sessions=await list_sessions(tx, ticket.id),
    )
