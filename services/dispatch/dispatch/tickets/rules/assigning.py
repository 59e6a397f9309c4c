"""Who has a ticket and who is accountable for it: opened, given, handed on, graded anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dispatch.assignment.rules import Assignment, Decision, Kept, NobodyAvailable
from dispatch.tickets.rules.states import State
from dispatch.tickets.rules.ticket import Step, Steps, Ticket
from shared.events import Payload, urgent
from shared.events import dispatch as events
from shared.events.dispatch import JobKind
from shared.events.terms import Kind, Level, PersonId, Severity, Site


def step(ticket: Ticket, payload: Payload, notes: Mapping[str, Any] | None = None, **changes: Any) -> Step:
    """The next version of `ticket`: with `changes`, told by `payload`, beside it what only we note."""
    return Step(replace(ticket, version=ticket.version + 1, **changes), payload, notes or {})


def open_ticket(ticket: Ticket, decision: Decision) -> Steps:
    """`ticket` as it was asked for, at version 0 and without anybody yet, becomes work that somebody owns."""
    opened = events.TicketOpened(
        request_id=ticket.request_id,
        customer_id=ticket.customer_id,
        customer_level=ticket.customer_level,
        kind=ticket.kind,
        severity=ticket.severity,
        product_line=ticket.product_line,
        site=ticket.site,
        title=ticket.title,
        owner_id=decision.owner_id,
        job_kind=ticket.job_kind,
        planned_minutes=ticket.planned_minutes,
    )
    first = step(ticket, opened, state=begun(decision), owner_id=decision.owner_id)
    return (first, *place(first.ticket, decision))


def begun(decision: Decision) -> State:
    """The state an episode begins in; who gets it gets it with the next step."""
    return "opened" if isinstance(decision, Assignment) else "needs_decision"


def place(ticket: Ticket, decision: Decision) -> Steps:
    """The ticket goes where the decision says; the engineer's clocks start with `TicketAssigned`."""
    steps = awaken(ticket)
    steps = (*steps, *adopt(_last(steps, ticket), decision))
    now = _last(steps, ticket)
    if not isinstance(decision, Assignment):
        return steps
    assigned = events.TicketAssigned(
        request_id=now.request_id,
        engineer_id=decision.engineer_id,
        supervisor_id=decision.supervisor_id,
        tier=decision.tier,
        severity=now.severity,
        centre=decision.centre,
        same_city=decision.same_city,
        site=now.site,
        episode=now.episode,
        reasons=tuple(finding.reason() for finding in decision.findings),
    )
    given = step(
        now,
        assigned,
        state="assigned",
        engineer_id=decision.engineer_id,
        supervisor_id=decision.supervisor_id,
        tier=decision.tier,
        centre=decision.centre,
        same_city=decision.same_city,
        helper_id=None if now.helper_id == decision.engineer_id else now.helper_id,
    )
    return (*steps, given)


def awaken(ticket: Ticket) -> Steps:
    """Whatever comes next ends the waiting first, so that every pause has an end in the history."""
    if ticket.state != "waiting":
        return ()
    assert ticket.paused_in is not None
    resumed = events.TicketResumed(to=ticket.paused_in)
    return (step(ticket, resumed, state=ticket.paused_in, waiting_for=None, paused_in=None),)


def _last(steps: Steps, ticket: Ticket) -> Ticket:
    return steps[-1].ticket if steps else ticket


def adopt(ticket: Ticket, decision: Decision | Kept) -> Steps:
    """Group, leadership and owner as the decision says; the engineer stays."""
    steps: list[Step] = []
    now = ticket
    if decision.group_ids and decision.group_ids != now.group_ids:
        leader, *_ = decision.group_ids
        formed = urgent.GroupFormed(leader_id=leader, member_ids=decision.group_ids)
        steps.append(step(now, formed, group_ids=decision.group_ids))
        now = steps[-1].ticket
        told = urgent.LeadershipInformed(leader_ids=decision.leadership_ids, severity=now.severity)
        steps.append(step(now, told))
        now = steps[-1].ticket
    if decision.owner_id != now.owner_id:
        because = "; ".join(finding.reason().because for finding in decision.findings)
        steps.append(change_owner(now, decision.owner_id, because))
    return tuple(steps)


def acknowledge(ticket: Ticket, by: PersonId | None) -> Steps:
    """Leadership looks after it; what the others do goes on as it was (R23)."""
    return (step(ticket, urgent.LeadershipAcknowledged(by=by)),)


def change_owner(ticket: Ticket, owner_id: PersonId, reason: str) -> Step:
    """Somebody else is accountable from now on (R24)."""
    payload = events.OwnerChanged(owner_id=owner_id, previous_owner_id=ticket.owner_id, reason=reason[:1000])
    return step(ticket, payload, owner_id=owner_id)


def change_supervisor(ticket: Ticket, supervisor_id: PersonId) -> Step:
    """Somebody else guides (R21)."""
    return step(ticket, events.SupervisorChanged(supervisor_id=supervisor_id), supervisor_id=supervisor_id)


def take_from(ticket: Ticket) -> Ticket:
    """The ticket without its engineer, as a decision starts from."""
    return replace(
        ticket,
        state="needs_decision",
        engineer_id=None,
        supervisor_id=None,
        tier=None,
        centre=None,
        same_city=None,
    )


def decline(ticket: Ticket, reason: str) -> Steps:
    """Nobody has it then; `place` gives it to the next one in the same transaction."""
    payload = events.AssignmentDeclined(engineer_id=ticket.given_to, reason=reason)
    declined = step(ticket, payload, declined_ids=(*ticket.declined_ids, ticket.given_to))
    return (replace(declined, ticket=take_from(declined.ticket)),)


def take_away(ticket: Ticket, reason: str) -> Steps:
    """Whoever worked on it cannot any more; `place` gives it to somebody else in the same transaction."""
    steps = awaken(ticket)
    payload = events.AssignmentWithdrawn(engineer_id=ticket.given_to, reason=reason)
    taken = step(_last(steps, ticket), payload)
    return (*steps, replace(taken, ticket=take_from(taken.ticket)))


def amend(
    ticket: Ticket,
    *,
    kind: Kind | None = None,
    customer_level: Level | None = None,
    title: str | None = None,
    job_kind: JobKind | None = None,
    planned_minutes: int | None = None,
    request_version: int | None = None,
) -> Steps:
    """What is told of the ticket is another one, and nobody has to do anything else for it."""
    told = {
        "kind": kind,
        "customer_level": customer_level,
        "title": title,
        "job_kind": job_kind,
        "planned_minutes": planned_minutes,
    }
    changes: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    known = ticket.request_version if request_version is None else request_version
    return (step(ticket, events.TicketAmended(**changes), request_version=known, **changes),)


def regrade(
    ticket: Ticket,
    decision: Decision | Kept,
    *,
    severity: Severity,
    kind: Kind,
    request_version: int,
    by: PersonId,
    reason: str,
    site: Site | None = None,
) -> Steps:
    """Another severity or another place (`site`), to the past too (decision 18).

    Who is at work stays; else the rules choose anew.
    """
    moved = site is not None and site != ticket.site
    same_city = decision.same_city if moved and isinstance(decision, Kept) else None
    payload = events.TicketRegraded(
        severity=severity,
        previous_severity=ticket.severity,
        by=by,
        reason=reason,
        site=site if moved else None,
        same_city=same_city,
    )
    graded = step(
        ticket,
        payload,
        severity=severity,
        site=site or ticket.site,
        same_city=ticket.same_city if same_city is None else same_city,
        kind=kind,
        request_version=request_version,
        group_ids=ticket.group_ids if severity == "urgent" else (),
        supervisor_id=None if isinstance(decision, NobodyAvailable) else decision.supervisor_id,
    )
    if isinstance(decision, Kept):
        return (graded, *adopt(graded.ticket, decision))
    graded = replace(graded, ticket=take_from(graded.ticket))
    return (graded, *place(graded.ticket, decision))
