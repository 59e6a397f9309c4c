"""What the rules know of a ticket beside itself: the agreed visit, when its parts come, what is promised."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from dispatch.assignment.rules import Job
from dispatch.assignment.staff import HORIZON
from dispatch.promises.rules import Deadlines
from dispatch.promises.store import deadlines
from dispatch.supply.store import load_arrivals
from dispatch.tickets.rules import Ticket
from dispatch.visits.rules import Visit
from dispatch.visits.store import agreed_visits
from shared.db import Tx

Jobs = Mapping[UUID, Job]
FORESEEN: Final = HORIZON // 2
"""Parts that come later than that are no reason: who works then is not known yet."""


async def load_jobs(tx: Tx, tickets: Collection[Ticket]) -> Jobs:
    """The job of each, by the ticket's id; three statements whatever their number."""
    if not tickets:
        return {}
    ids = [ticket.id for ticket in tickets]
    visits, arrivals, owed = (
        await agreed_visits(tx, ids),
        await load_arrivals(tx, ids),
        await deadlines(tx, ids),
    )
    return {
        ticket.id: job_of(ticket, visits.get(ticket.id), arrivals.get(ticket.id), owed[ticket.id], tx.now)
        for ticket in tickets
    }


def job_of(
    ticket: Ticket, visit: Visit | None, parts_at: datetime | None, owed: Deadlines, now: datetime
) -> Job:
    """An appointment that is over binds nobody; a deadline that stands still is none."""
    ahead = visit is not None and visit.starts_at > now
    time = (visit.starts_at, visit.ends_at) if visit is not None else None
    return replace(
        ticket.job,
        appointment=time if ahead else None,
        held=(visit.engineer_id, time) if visit is not None and time is not None else None,
        not_before=parts_at if parts_at is not None and now < parts_at < now + FORESEEN else None,
        due_at=owed.on_site or owed.resolution,
    )
