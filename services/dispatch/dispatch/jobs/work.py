"""The work on a ticket as people look at it: the job, how far its checklist is, and what was written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dispatch.jobs import store
from dispatch.jobs.rules import Catalogue, Item, Job, items_for
from dispatch.jobs.store import Log, Tick
from dispatch.tickets.rules import Ticket
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Work:
    """checklist  of this episode: each item that concerns it, with who ticked it, None while nobody has

    planned_minutes  as it was estimated, else what such a job takes
    worked_minutes   in this episode
    """

    catalogue: Catalogue
    job: Job
    checklist: Sequence[tuple[Item, Tick | None]]
    planned_minutes: int
    worked_minutes: int
    logs: Sequence[Log]


async def load_work(tx: Tx, ticket: Ticket) -> Work:
    catalogue, _ = await store.load_catalogue(tx)
    job = catalogue.job(ticket.job_kind)
    ticks = {tick.item: tick for tick in await store.load_ticks(tx, ticket.id, ticket.episode)}
    logs = await store.load_logs(tx, ticket.id)
    # Whether somebody comes is not known before: then everything is shown.
    open_yet = ticket.arrivals == 0 and ticket.state not in ("working", "resolved", "closed", "cancelled")
    items = job.items if open_yet else items_for(job, on_site=ticket.arrivals > 0)
    return Work(
        catalogue,
        job,
        [(item, ticks.get(item.code)) for item in items],
        ticket.planned_minutes or job.planned_minutes,
        sum(log.minutes for log in logs if log.episode == ticket.episode),
        logs,
    )
