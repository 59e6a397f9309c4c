"""Opening, regrading and giving away tickets: a batch each, in a number of statements that does not grow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal
from uuid import UUID

from dispatch.assignment.rules import (
    Decision,
    Job,
    Kept,
    Loads,
    Staff,
    decide,
    decide_all,
    in_order,
    keep,
    supervisor_for,
)
from dispatch.assignment.store import lock_staff
from dispatch.desk.customers import as_known
from dispatch.jobs.rules import job_for
from dispatch.support.helping import other_helpers
from dispatch.tasks.actions import hand_on
from dispatch.tickets import rules, store
from dispatch.tickets.jobs import Jobs, load_jobs
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import BEFORE_WORK, WORKING, Step, Steps, Ticket
from dispatch.tickets.taking import take_back
from shared.clock import uuid7
from shared.db import Tx
from shared.events import Event
from shared.events.dispatch import ReopenedBy
from shared.events.intake import RequestReclassified, RequestRegistered
from shared.events.terms import PersonId, Site

Registered = Event[RequestRegistered]
Reclassified = Event[RequestReclassified]


async def open_tickets(tx: Tx, registered: Sequence[Registered]) -> list[Ticket]:
    """One ticket per request, ever, with its owner and engineer from the first instant (R24)."""
    by_request = {UUID(event.subject): event for event in registered}
    known = await store.lock_by_request(tx, by_request.keys())
    fresh = [
        asked_for(event, request_id, tx)
        for request_id, event in by_request.items()
        if request_id not in known
    ]
    if not fresh:
        return []
    fresh = await as_known(tx, fresh)
    staff, loads = await lock_staff(
        tx, {ticket.customer_id for ticket in fresh}, {ticket.device_id for ticket in fresh}
    )
    jobs = [ticket.job for ticket in fresh]
    decisions = decide_all(jobs, staff, loads)
    for decision in decisions:
        loads.add(decision)
    made, taken = await take_back(tx, jobs, decisions, staff, loads)
    decisions = [made.get(index, decision) for index, decision in enumerate(decisions)]
    changes = [
        Change(None, rules.open_ticket(ticket, decision), decision, by_request[ticket.request_id])
        for ticket, decision in zip(fresh, decisions, strict=True)
    ]
    await record(tx, [*taken, *changes], None)
    return [change.after for change in changes]


def asked_for(event: Registered, request_id: UUID, tx: Tx) -> Ticket:
    """The ticket that a request asks for, before anybody has it."""
    asked = event.data
    return Ticket(
        id=uuid7(),
        number=0,
        request_id=request_id,
        request_version=event.version,
        customer_id=asked.customer_id,
        customer_level=asked.customer_level,
        kind=asked.kind,
        severity=asked.severity,
        difficulty=asked.difficulty,
        skills=asked.skills,
        product_line=asked.product_line,
        site=asked.site,
        title=asked.title,
        state="opened",
        owner_id=UUID(int=0),
        engineer_id=None,
        supervisor_id=None,
        group_ids=(),
        declined_ids=(),
        tier=None,
        centre=None,
        same_city=None,
        episode=1,
        arrivals=0,
        opened_at=tx.now,
        version=0,
        job_kind=job_for(asked.kind),
        planned_minutes=_minutes(asked.hours),
        device_id=asked.device_id,
    )


def _minutes(hours: float | None) -> int | None:
    """As the desk estimated it (R10); a guess of nothing is none."""
    return max(1, round(hours * 60)) if hours and hours > 0 else None


async def regrade_tickets(
    tx: Tx, tickets: Mapping[UUID, Ticket], newest: Mapping[UUID, Reclassified]
) -> None:
    """Apply what the service desk decided since, by request; the caller holds the tickets."""
    behind = [
        (ticket, newest[request_id])
        for request_id, ticket in tickets.items()
        if ticket.is_open and newest[request_id].version > ticket.request_version
    ]
    graded = [(ticket, event) for ticket, event in behind if _matters(ticket, event)]
    changes = [
        Change(ticket, _reclassified(ticket, event), cause=event)
        for ticket, event in behind
        if not _matters(ticket, event)
    ]
    if graded:
        decisions, taken = await _decide_anew(tx, graded)
        changes += taken
        for (ticket, event), decision in zip(graded, decisions, strict=True):
            steps = rules.regrade(
                ticket,
                decision,
                severity=event.data.severity,
                kind=event.data.kind,
                site=_site(ticket, event),
                request_version=event.version,
                by=event.data.by,
                reason=event.data.reason,
            )
            changes.append(Change(ticket, steps, decision, event))
    await record(tx, changes, None)


def _reclassified(ticket: Ticket, event: Reclassified) -> Steps:
    """Another kind of request is another job, unless work on it has begun or somebody planned another one."""
    follows = ticket.state in BEFORE_WORK and ticket.job_kind == job_for(ticket.kind)
    job_kind = job_for(event.data.kind)
    return rules.amend(
        ticket,
        kind=event.data.kind,
        job_kind=job_kind if follows and job_kind != ticket.job_kind else None,
        request_version=event.version,
    )


def _matters(ticket: Ticket, event: Reclassified) -> bool:
    """Whether somebody else may have to go, or sooner."""
    return event.data.severity != ticket.severity or _site(ticket, event) != ticket.site


def _site(ticket: Ticket, event: Reclassified) -> Site:
    """Where the work is; a person who corrects it names region and city, the coordinates stay."""
    told = event.data.site
    changes = {"region": told.region, "city": told.city} if told else {}
    return ticket.site.model_copy(update=changes)


async def _decide_anew(
    tx: Tx, graded: Sequence[tuple[Ticket, Reclassified]]
) -> tuple[list[Decision | Kept], list[Change]]:
    """Before work begins the rules choose as if the ticket were new; who is at work stays.

    Also what becomes of the work that was taken back for it.
    """
    staff, loads = await lock_staff(
        tx, {ticket.customer_id for ticket, _ in graded}, {ticket.device_id for ticket, _ in graded}
    )
    for ticket, _ in graded:
        if ticket.state == "assigned":  # who is asked anew is not busy with what may be taken away
            loads.working[ticket.given_to] -= 1
    decisions: list[Decision | Kept] = []
    jobs = await _regraded_jobs(tx, graded)
    for (ticket, _), job in zip(graded, jobs, strict=True):
        if ticket.state in BEFORE_WORK:
            decision = decide(job, staff, loads)
            loads.add(decision)
            decisions.append(decision)
        else:
            decisions.append(keep(job, ticket.given_to, staff, loads))
    but = {ticket.id for ticket, _ in graded}
    made, taken = await take_back(tx, jobs, decisions, staff, loads, but)
    return [made.get(index, decision) for index, decision in enumerate(decisions)], taken


async def _regraded_jobs(tx: Tx, graded: Sequence[tuple[Ticket, Reclassified]]) -> list[Job]:
    """As they are judged now: what was promised of the severity or the place before is promised no more."""
    regraded = [
        replace(ticket, severity=event.data.severity, site=_site(ticket, event)) for ticket, event in graded
    ]
    jobs = await load_jobs(tx, regraded)
    return [replace(jobs[ticket.id], due_at=None) for ticket in regraded]


async def reopen(
    tx: Tx,
    tickets: Sequence[Ticket],
    reason: str,
    asked_by: ReopenedBy,
    person_id: PersonId | None = None,
) -> list[Change]:
    """The next episode of each: the rules choose anew, who declined before is asked like anybody else."""
    if not tickets:
        return []
    staff, loads = await lock_staff(
        tx, {ticket.customer_id for ticket in tickets}, {ticket.device_id for ticket in tickets}
    )
    decisions = decide_all([replace(ticket, declined_ids=()).job for ticket in tickets], staff, loads)
    return [
        Change(ticket, rules.reopen(ticket, decision, reason, asked_by, person_id), decision)
        for ticket, decision in zip(tickets, decisions, strict=True)
    ]


async def go_on(tx: Tx, ticket: Ticket, reason: str) -> Change:
    """The customer rejected the result: the same engineer goes on, another one if they have left since."""
    steps = rules.reject_result(ticket, reason)
    staff, loads = await lock_staff(tx, {ticket.customer_id}, {ticket.device_id})
    engineer = staff.people[ticket.given_to]
    if staff.is_there(engineer.id) and engineer.is_engineer:
        return Change(ticket, steps)
    jobs = await load_jobs(tx, [ticket])
    return _given_on(ticket, jobs, steps, staff, loads, "away" if engineer.active else "left")


Why = Literal["left", "away"]


async def give_away(
    tx: Tx, left: Collection[PersonId], benched: Collection[PersonId], by: str | None, why: Why = "left"
) -> None:
    """Who `left` owns, guides and works on nothing, who is `benched` works on nothing any more.

    The rules choose anew in the same transaction, whoever is a substitute first. `why` they have it no more:
    for good, or for as long as they are `away`.
    """
    tickets = await store.lock_open_of(tx, [*left, *benched])
    if not tickets:
        return
    staff, loads = await lock_staff(
        tx, {ticket.customer_id for ticket in tickets}, {ticket.device_id for ticket in tickets}
    )
    # Once more: whoever held the lock before may have given them something.
    tickets = await store.lock_open_of(tx, [*left, *benched])
    gone, idle = set(left), {*left, *benched}
    pressing = [tickets[index] for index in in_order([ticket.job for ticket in tickets])]
    jobs = await load_jobs(tx, tickets)
    changes = [_taken_over(ticket, jobs, gone, idle, staff, loads, why) for ticket in pressing]
    changes = await other_helpers(tx, changes, gone, staff, loads)
    changes = await hand_on(tx, changes, gone, staff, by)
    await record(tx, changes, by)


def _taken_over(
    ticket: Ticket,
    jobs: Jobs,
    gone: set[PersonId],
    idle: set[PersonId],
    staff: Staff,
    loads: Loads,
    why: Why,
) -> Change:
    if ticket.engineer_id in idle and ticket.state in WORKING:
        return _given_on(ticket, jobs, (), staff, loads, why)
    steps: list[Step] = []
    if ticket.owner_id in gone:
        region = staff.answering(ticket.site.region)
        stands_in = region.emergency_leader if ticket.severity == "urgent" else region.duty_lead
        heirs = [each for each in staff.heirs_of(ticket.owner_id) if each not in gone]
        steps.append(rules.change_owner(ticket, (*heirs, stands_in)[0], _OWNER_GONE[why]))
    if ticket.supervisor_id in gone:
        # The substitute first: who guides signs plans off, too (R21).
        heirs = [each for each in staff.heirs_of(ticket.supervisor_id) if each not in gone]
        heirs = [each for each in heirs if each != ticket.engineer_id]
        guide = heirs[0] if heirs else supervisor_for(ticket.job, staff, loads, ticket.given_to)
        assert guide is not None
        steps.append(rules.change_supervisor(steps[-1].ticket if steps else ticket, guide))
    return Change(ticket, tuple(steps))


_OWNER_GONE: Final[Mapping[Why, str]] = {"left": "the owner left", "away": "the owner is away"}
_ENGINEER_GONE: Final[Mapping[Why, str]] = {"left": "the engineer left", "away": "the engineer is away"}


def _given_on(
    ticket: Ticket, jobs: Jobs, steps: Steps, staff: Staff, loads: Loads, why: Why = "left"
) -> Change:
    """Taken from who cannot any more, given to whom the rules choose, whoever is a substitute first."""
    now = steps[-1].ticket if steps else ticket
    taken = rules.take_away(now, _ENGINEER_GONE[why])
    decision = decide(replace(jobs[ticket.id], ahead=staff.heirs_of(ticket.given_to)), staff, loads)
    loads.add(decision)
    return Change(ticket, (*steps, *taken, *rules.place(taken[-1].ticket, decision)), decision)
