"""One command on one ticket, whoever sent it and from wherever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from dispatch.acceptance.actions import ask_customer
from dispatch.access import Viewer, lock_ticket
from dispatch.assignment.objections import objections, require_known
from dispatch.assignment.rules import Finding, decide, give_to
from dispatch.assignment.store import lock_staff
from dispatch.jobs.actions import finish, log_work, tick
from dispatch.leadership.rules import ACKNOWLEDGED
from dispatch.progress.actions import send
from dispatch.progress.rules import INFORMED
from dispatch.remote.rules import HELPED
from dispatch.solutions.actions import require_approved, require_may_begin
from dispatch.solutions.rules import DECIDED, PROPOSED
from dispatch.supply.store import save_requisitions
from dispatch.support.actions import (
    Wish,
    deescalate,
    escalate,
    propose_plan,
    require_signed,
    sign_plan,
)
from dispatch.support.rules import TOLD as SUPPORT
from dispatch.tasks.actions import ask, hold, require_unblocked
from dispatch.tasks.steps import TOLD
from dispatch.tickets import commands, rules
from dispatch.tickets.actions import reopen
from dispatch.tickets.jobs import load_jobs
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import AlreadyWithThem, Ticket
from dispatch.tickets.store import last_change
from dispatch.visits.actions import agree, call_off, require_reason
from dispatch.visits.rules import LATEST, is_plausible
from dispatch.visits.store import agreed_visits, end_visits
from dispatch.warroom.rules import NOTED
from shared.clock import uuid7
from shared.db import Tx
from shared.errors import AftercareError
from shared.http.etag import Precondition
from shared.http.problem import invalid
from shared.i18n import N_

# Nobody at work waits for these: leadership knows (R23), the customer has heard how it goes (R62), something
# was ticked or written down (R26), perhaps by two phones at once; what waits for leadership, or blocks, is
# asked anyway.
_ASIDE: Final = (ACKNOWLEDGED, INFORMED, "work_noted", PROPOSED, DECIDED, NOTED, HELPED, *TOLD, *SUPPORT)


class AssignedMeanwhile(AftercareError):
    """Somebody else has given this ticket away since you looked: it is {state} now, at version {version}."""

    kind = "conflict"
    shown: ClassVar = ("state", "engineer_id", "owner_id", "version")


class NoEngineer(AftercareError):
    """This person cannot be given work: they are not an active engineer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, on the basis of which version of the ticket, and where customers find our pages.

    to_the_letter  the version is an ETag, so what was read must be what there is, whatever has changed
    at             when it was done, where that was before it came to be known here
    from_phone     a phone brings it, whose page may be older than what pages ask for now
    """

    viewer: Viewer
    seen: Precondition
    public_url: str
    to_the_letter: bool = False
    at: datetime | None = None
    from_phone: bool = False


async def perform(tx: Tx, ticket_id: UUID, command: commands.Command, asked: Asked) -> Ticket:
    """Do it, or say why not: `NoSuchTicket`, `NotYourTask`, `TicketNotReady`, `VersionChanged`, …"""
    ticket = await lock_ticket(tx, asked.viewer, ticket_id, command.name)
    rules.require(ticket, command.name)  # tells a phone that was away more than its old version would
    if asked.to_the_letter or not await _is_decided_on(tx, ticket, asked.seen):
        if command.name == "assign" and not asked.to_the_letter:
            _require_untaken(ticket, asked.seen)
        asked.seen.require(ticket.version)
    if isinstance(command, commands.AgreeVisit) and not asked.from_phone:
        await require_reason(tx, ticket, command)
    change = await _DO[type(command)](tx, ticket, command, asked.viewer)
    if asked.at is not None:
        change = replace(change, steps=tuple(replace(each, at=each.at or asked.at) for each in change.steps))
    [change] = await record(tx, [change], asked.viewer.id) or [change]
    match command:
        case commands.Resolve():
            await ask_customer(tx, change.after, asked.public_url)
        case commands.InformCustomer():
            send(tx, change.after, command.text)
    return change.after


def _require_untaken(ticket: Ticket, seen: Precondition) -> None:
    """`AssignedMeanwhile`: of several dispatchers one gives a ticket away, the others are told how it is."""
    if str(ticket.version) not in seen.seen:
        raise AssignedMeanwhile(
            state=ticket.state,
            engineer_id=ticket.engineer_id,
            owner_id=ticket.owner_id,
            version=ticket.version,
        )


async def _is_decided_on(tx: Tx, ticket: Ticket, seen: Precondition) -> bool:
    """Whether nothing has changed since but what nobody at work waits for."""
    if str(ticket.version) in seen.seen:
        return True
    decided_on = await last_change(tx, ticket.id, but=_ASIDE)
    return any(str(version) in seen.seen for version in range(decided_on, ticket.version))


async def _accept(tx: Tx, ticket: Ticket, command: commands.Accept, viewer: Viewer) -> Change:
    agreed = await agreed_visits(tx, [ticket.id])
    steps = rules.accept(ticket, visit_agreed=ticket.id in agreed)
    return Change(ticket, (*steps, *await hold(tx, steps[-1].ticket)))


async def _decline(tx: Tx, ticket: Ticket, command: commands.Decline, viewer: Viewer) -> Change:
    """The next one is asked in the same transaction, so that nobody waits in between."""
    steps = rules.decline(ticket, command.reason)
    declined = steps[-1].ticket
    staff, loads = await lock_staff(tx, {ticket.customer_id}, {ticket.device_id})
    jobs = await load_jobs(tx, [declined])
    decision = decide(jobs[ticket.id], staff, loads)
    return Change(ticket, (*steps, *rules.place(declined, decision)), decision)


async def _agree_visit(tx: Tx, ticket: Ticket, command: commands.AgreeVisit, viewer: Viewer) -> Change:
    return await agree(tx, ticket, command, viewer)


async def _offer_visit(tx: Tx, ticket: Ticket, command: commands.OfferVisit, viewer: Viewer) -> Change:
    return Change(ticket, rules.offer_visit(ticket, viewer.employee_id))


async def _cancel_visit(tx: Tx, ticket: Ticket, command: commands.CancelVisit, viewer: Viewer) -> Change:
    return await call_off(tx, ticket, command, viewer)


async def _depart(tx: Tx, ticket: Ticket, command: commands.Depart, viewer: Viewer) -> Change:
    return Change(ticket, rules.depart(ticket))


async def _arrive(tx: Tx, ticket: Ticket, command: commands.Arrive, viewer: Viewer) -> Change:
    if command.device_time is not None and not is_plausible(command.device_time, tx.now):
        raise invalid("body", ("device_time",), N_("the clock of the device is wrong"), "device_time")
    await end_visits(tx, [ticket.id], "kept")
    return Change(ticket, rules.arrive(ticket, command.device_time))


async def _begin_work(tx: Tx, ticket: Ticket, command: commands.BeginWork, viewer: Viewer) -> Change:
    await require_signed(tx, ticket, "begin_work")
    await require_may_begin(tx, ticket)
    await end_visits(tx, [ticket.id], "kept")  # from afar at the time that was agreed, too
    return Change(ticket, rules.begin_work(ticket))


async def _pause(tx: Tx, ticket: Ticket, command: commands.Pause, viewer: Viewer) -> Change:
    if command.expected_at is not None and not tx.now < command.expected_at <= tx.now + LATEST:
        raise invalid("body", ("expected_at",), N_("it goes on within the next 90 days"), "expected_time")
    return Change(
        ticket,
        rules.pause(ticket, command.waiting_for, command.note, command.expected_at, viewer.employee_id),
    )


async def _resume(tx: Tx, ticket: Ticket, command: commands.Resume, viewer: Viewer) -> Change:
    return Change(ticket, rules.resume(ticket))


async def _cancel(tx: Tx, ticket: Ticket, command: commands.Cancel, viewer: Viewer) -> Change:
    await end_visits(tx, [ticket.id], "cancelled")
    return Change(ticket, rules.cancel(ticket, command.reason, command.note, viewer.employee_id))


async def _reopen(tx: Tx, ticket: Ticket, command: commands.Reopen, viewer: Viewer) -> Change:
    [change] = await reopen(tx, [ticket], command.reason, "dispatcher", viewer.employee_id)
    return change


async def _inform_customer(
    tx: Tx, ticket: Ticket, command: commands.InformCustomer, viewer: Viewer
) -> Change:
    steps = rules.inform_customer(ticket, viewer.employee_id, tx.now, {"text": command.text})
    return Change(ticket, steps)


async def _ask_department(tx: Tx, ticket: Ticket, command: commands.AskDepartment, viewer: Viewer) -> Change:
    steps = await ask(
        tx, ticket, command.department, command.what, command.needed_by, command.blocking, viewer
    )
    return Change(ticket, steps)


async def _request_parts(tx: Tx, ticket: Ticket, command: commands.RequestParts, viewer: Viewer) -> Change:
    requisition_id = uuid7()
    asked_for = {
        "id": requisition_id,
        "ticket_id": ticket.id,
        "state": "requested",
        "lines": [line.model_dump() for line in command.lines],
        "missing": [],
        "held_until": None,
        "version": 0,
        "told_at": tx.now,
    }
    await save_requisitions(tx, [asked_for])
    lines = tuple(line.told() for line in command.lines)
    return Change(ticket, rules.request_parts(ticket, requisition_id, lines))


async def _tick(tx: Tx, ticket: Ticket, command: commands.Tick, viewer: Viewer) -> Change:
    return Change(ticket, await tick(tx, ticket, command.items, viewer))


async def _log_work(tx: Tx, ticket: Ticket, command: commands.LogWork, viewer: Viewer) -> Change:
    told = command.began_at, command.ended_at, command.text
    return Change(ticket, await log_work(tx, ticket, *told, viewer, command.visit_id))


async def _plan_work(tx: Tx, ticket: Ticket, command: commands.PlanWork, viewer: Viewer) -> Change:
    return Change(
        ticket,
        rules.amend(ticket, job_kind=command.job_kind, planned_minutes=command.planned_minutes),
    )


async def _escalate(tx: Tx, ticket: Ticket, command: commands.Escalate, viewer: Viewer) -> Change:
    wish = Wish(command.to, command.how, command.reason, command.tried, command.blocking, command.needed_by)
    return await escalate(tx, ticket, wish, viewer)


async def _deescalate(tx: Tx, ticket: Ticket, command: commands.Deescalate, viewer: Viewer) -> Change:
    return await deescalate(tx, ticket, command.to, command.reason, viewer)


async def _propose_plan(tx: Tx, ticket: Ticket, command: commands.ProposePlan, viewer: Viewer) -> Change:
    parts = [line.model_dump() for line in command.parts]
    return await propose_plan(tx, ticket, command.steps, command.minutes, parts, viewer)


async def _sign_plan(tx: Tx, ticket: Ticket, command: commands.SignPlan, viewer: Viewer) -> Change:
    return await sign_plan(tx, ticket, command.number, command.signed, command.reason, viewer)


async def _resolve(tx: Tx, ticket: Ticket, command: commands.Resolve, viewer: Viewer) -> Change:
    await require_approved(tx, ticket)
    await require_signed(tx, ticket, "resolve")
    await require_unblocked(tx, ticket)
    before = await tick(tx, ticket, command.items, viewer) if command.items else ()
    now = before[-1].ticket if before else ticket
    done = await finish(tx, now, command.fault_code, command.cause_code)
    steps = rules.resolve(
        now, command.fault_code, command.work_note, command.first_visit, command.cause_code, done
    )
    return Change(ticket, (*before, *steps))


async def _assign(tx: Tx, ticket: Ticket, command: commands.Assign, viewer: Viewer) -> Change:
    """By hand: what the rules would have said is kept beside the reason."""
    if command.person_id == ticket.engineer_id:
        raise AlreadyWithThem
    staff, loads = await lock_staff(tx, {ticket.customer_id}, {ticket.device_id})
    person = staff.people.get(command.person_id)
    if person is None or not (person.active and person.is_engineer):
        raise NoEngineer
    job = (await load_jobs(tx, [ticket]))[ticket.id]
    against = objections(job, person, staff, loads)
    require_known(against, command.despite, ticket.version)
    by_hand = Finding("by_hand", {"reason": command.reason})
    overruled = (each.overruled() for each in against)
    decision = give_to(job, person, staff, loads, by_hand, *overruled)
    return Change(ticket, rules.place(ticket, decision), decision)


_DO: Final[Mapping[type[commands.Command], Callable[[Tx, Ticket, Any, Viewer], Awaitable[Change]]]] = {
    commands.Accept: _accept,
    commands.Decline: _decline,
    commands.AgreeVisit: _agree_visit,
    commands.OfferVisit: _offer_visit,
    commands.CancelVisit: _cancel_visit,
    commands.Depart: _depart,
    commands.Arrive: _arrive,
    commands.BeginWork: _begin_work,
    commands.Pause: _pause,
    commands.Resume: _resume,
    commands.RequestParts: _request_parts,
    commands.Tick: _tick,
    commands.LogWork: _log_work,
    commands.PlanWork: _plan_work,
    commands.InformCustomer: _inform_customer,
    commands.AskDepartment: _ask_department,
    commands.Escalate: _escalate,
    commands.Deescalate: _deescalate,
    commands.ProposePlan: _propose_plan,
    commands.SignPlan: _sign_plan,
    commands.Resolve: _resolve,
    commands.Assign: _assign,
    commands.Cancel: _cancel,
    commands.Reopen: _reopen,
}
