"""Ticking, writing down, and whether a job is done."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from dispatch.access import Viewer
from dispatch.jobs import store
from dispatch.jobs.rules import Catalogue, ChecklistIncomplete, Named, missing
from dispatch.tickets import rules
from dispatch.tickets.rules import Steps, Ticket
from dispatch.visits.rules import visit_at
from dispatch.visits.store import visits_of
from shared.clock import uuid7
from shared.db import Tx
from shared.events.dispatch import WorkNoted
from shared.http.problem import invalid
from shared.i18n import N_
from shared.i18n.language import current_language

LONGEST: Final = timedelta(hours=24)
EARLIEST: Final = timedelta(days=30)  # a phone may have been off the network, a diary left at home
AHEAD: Final = timedelta(minutes=1)


async def tick(tx: Tx, ticket: Ticket, items: Collection[str], viewer: Viewer) -> Steps:
    """Keep who did so much of the checklist, and when; what is no item of this job is refused."""
    catalogue, _ = await store.load_catalogue(tx)
    known = {item.code for item in catalogue.job(ticket.job_kind).items}
    for place, item in enumerate(items):
        if item not in known:
            raise invalid("body", ("items", place), N_("no item of this job's checklist"), "unknown_item")
    done = {each.item for each in await store.load_ticks(tx, ticket.id, ticket.episode)}
    fresh = tuple(sorted({*items} - done))
    await store.save_ticks(tx, ticket.id, ticket.episode, fresh, viewer.id)
    if not fresh:
        return ()
    noted = WorkNoted(what="checklist", episode=ticket.episode, by=viewer.employee_id, items=fresh)
    return rules.note_work(ticket, noted)


async def log_work(
    tx: Tx,
    ticket: Ticket,
    began_at: datetime,
    ended_at: datetime,
    text: str,
    viewer: Viewer,
    visit_id: UUID | None = None,
) -> Steps:
    """Keep what was done, from when to when; without `visit_id` it belongs to the visit of that time."""
    if not began_at < ended_at <= began_at + LONGEST:
        raise invalid("body", ("ended_at",), N_("work ends after it begins, within 24 hours"), "work_time")
    if not tx.now - EARLIEST <= began_at or ended_at > tx.now + AHEAD:
        detail = N_("work that was done lies within the last 30 days")
        raise invalid("body", ("began_at",), detail, "work_time")
    visits = await visits_of(tx, ticket.id)
    if visit_id is None:
        visit_id = visit_at(visits, began_at, ended_at)
    elif visit_id not in {each.id for each in visits}:
        raise invalid("body", ("visit_id",), N_("no visit of this ticket"), "unknown_visit")
    remote = ticket.arrivals == 0
    row = {"id": uuid7(), "ticket_id": ticket.id, "episode": ticket.episode, "began_at": began_at}
    row |= {"ended_at": ended_at, "remote": remote, "text": text, "at": tx.now, "by": viewer.id}
    row["visit_id"] = visit_id
    await store.save_log(tx, row)
    minutes = round((ended_at - began_at).total_seconds() / 60)
    noted = WorkNoted(
        what="work_log",
        episode=ticket.episode,
        by=viewer.employee_id,
        minutes=minutes,
        remote=remote,
        visit_id=visit_id,
    )
    return rules.note_work(ticket, noted)


async def finish(tx: Tx, ticket: Ticket, fault_code: str | None, cause_code: str | None) -> int | None:
    """How many minutes were worked in this episode, None where nobody wrote them down.

    `ChecklistIncomplete` names what is left; codes that are not in the catalogue are refused.
    """
    catalogue, _ = await store.load_catalogue(tx)
    _require_codes(catalogue, fault_code, cause_code)
    done = {each.item for each in await store.load_ticks(tx, ticket.id, ticket.episode)}
    left = missing(catalogue.job(ticket.job_kind), done, on_site=ticket.arrivals > 0)
    if left:
        language = current_language().locale.language
        said = "; ".join(item.text.said(language) for item in left)
        raise ChecklistIncomplete(missing=[item.code for item in left], left=said)
    minutes = [log.minutes for log in await store.load_logs(tx, ticket.id) if log.episode == ticket.episode]
    return sum(minutes) if minutes else None


def _require_codes(catalogue: Catalogue, fault_code: str | None, cause_code: str | None) -> None:
    for name, code, among in (
        ("fault_code", fault_code, catalogue.faults),
        ("cause_code", cause_code, catalogue.causes),
    ):
        if code is not None and not _is_in(code, among):
            raise invalid("body", (name,), N_("no code of the catalogue"), "unknown_code")


def _is_in(code: str, named: Collection[Named]) -> bool:
    return any(each.code == code for each in named)
