"""What those who work on a ticket do: on the way, at the site, from afar, waiting, done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from dispatch.tickets.rules.assigning import awaken, step
from dispatch.tickets.rules.states import State
from dispatch.tickets.rules.ticket import Steps, Ticket
from shared.events import dispatch as events
from shared.events.terms import PartLine, PersonId

_BY_VISIT: Final[frozenset[State]] = frozenset({"accepted", "visit_agreed", "travelling", "on_site"})
"""Where a ticket may be because a visit was agreed."""


def accept(ticket: Ticket, *, visit_agreed: bool = False) -> Steps:
    """Taken; where a visit is agreed already, it is kept."""
    state: State = "visit_agreed" if visit_agreed else "accepted"
    return (step(ticket, events.AssignmentAccepted(engineer_id=ticket.given_to), state=state),)


def agree_visit(ticket: Ticket, visit: events.VisitAgreed) -> Steps:
    """A time was agreed; whoever waited does not any more."""
    steps = awaken(ticket)
    return (*steps, step(steps[-1].ticket if steps else ticket, visit, state="visit_agreed"))


def choose_visit(ticket: Ticket, visit: events.VisitAgreed) -> Steps:
    """The customer chose a time, or it stays though the engineer changed.

    Who has to accept yet still has to, and what waits for somebody else than the customer still does.
    """
    if ticket.state == "assigned":
        return (step(ticket, visit),)
    if ticket.state == "waiting" and ticket.waiting_for != "customer":
        return (step(ticket, visit, paused_in="visit_agreed"),)
    return agree_visit(ticket, visit)


def offer_visit(ticket: Ticket, by: PersonId | None) -> Steps:
    """The customer may choose a time now."""
    return (step(ticket, events.VisitOffered(by=by)),)


def cancel_visit(ticket: Ticket, cancelled: events.VisitCancelled) -> Steps:
    """Nothing is agreed any more; who waits goes on waiting, who is on the way comes back."""
    if ticket.state == "waiting":
        back = "accepted" if ticket.paused_in in _BY_VISIT else ticket.paused_in
        return (step(ticket, cancelled, paused_in=back),)
    if ticket.state in _BY_VISIT:
        return (step(ticket, cancelled, state="accepted"),)
    return (step(ticket, cancelled),)


def depart(ticket: Ticket) -> Steps:
    return (step(ticket, events.EngineerDeparted(engineer_id=ticket.given_to), state="travelling"),)


def arrive(ticket: Ticket, device_time: datetime | None) -> Steps:
    payload = events.EngineerArrived(engineer_id=ticket.given_to, device_time=device_time)
    return (step(ticket, payload, state="on_site", arrivals=ticket.arrivals + 1),)


def begin_work(ticket: Ticket) -> Steps:
    """At the site, or from afar where nobody went there (R26)."""
    payload = events.TicketProgressed(
        engineer_id=ticket.given_to, to="working", remote=ticket.state != "on_site"
    )
    return (step(ticket, payload, state="working"),)


def pause(
    ticket: Ticket,
    waiting_for: events.WaitingFor,
    note: str,
    expected_at: datetime | None,
    by: PersonId | None,
    task_id: UUID | None = None,
) -> Steps:
    """Nothing can be done until somebody else has done something; it stays with its engineer."""
    payload = events.TicketPaused(
        waiting_for=waiting_for, note=note, expected_at=expected_at, by=by, task_id=task_id
    )
    return (step(ticket, payload, state="waiting", waiting_for=waiting_for, paused_in=ticket.state),)


def resume(ticket: Ticket) -> Steps:
    """Where it was before it waited."""
    return awaken(ticket)


def request_parts(ticket: Ticket, requisition_id: UUID, lines: tuple[PartLine, ...]) -> Steps:
    assert ticket.centre is not None
    payload = events.PartsRequested(
        requisition_id=requisition_id, engineer_id=ticket.given_to, centre=ticket.centre, lines=lines
    )
    return (step(ticket, payload),)


def inform_customer(
    ticket: Ticket, by: PersonId | None, told_at: datetime, notes: Mapping[str, Any] | None = None
) -> Steps:
    """The customer has heard how it goes (R62); what is to be done stays as it is."""
    return (replace(step(ticket, events.CustomerInformed(by=by), notes), at=told_at),)


def note_work(ticket: Ticket, noted: events.WorkNoted, notes: Mapping[str, Any] | None = None) -> Steps:
    """Something was done or written down; where it stands is the same."""
    return (step(ticket, noted, notes),)


def resolve(
    ticket: Ticket,
    fault_code: str | None,
    work_note: str,
    claims_first_visit: bool,
    cause_code: str | None = None,
    minutes: int | None = None,
) -> Steps:
    """Done, says the engineer; a first visit is one only if nobody had to come twice (R113)."""
    payload = events.TicketResolved(
        request_id=ticket.request_id,
        customer_id=ticket.customer_id,
        engineer_id=ticket.given_to,
        episode=ticket.episode,
        fault_code=fault_code,
        first_visit=claims_first_visit and ticket.arrivals <= 1,
        cause_code=cause_code,
        job_kind=ticket.job_kind,
        planned_minutes=ticket.planned_minutes,
        minutes=minutes,
    )
    return (step(ticket, payload, {"work_note": work_note}, state="resolved"),)
