"""The life of a ticket, pure: what may be done in which state, and what each step changes and tells.

opened ─► assigned ─► accepted ─► visit_agreed ─► travelling ─► on_site ─► resolved ─► closed
   │         ▲  │ declined: the next one         (a visit may also be skipped, or agreed anew)
   ▼         │  ▼                     ▲                                       │
needs_decision                        └────────── rejected by the customer ───┘

Somebody owns the ticket in every one of them (R24). Each step is one version and at most one event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, TypeAlias, get_args
from uuid import UUID

from dispatch.assignment.rules import Assignment, Decision, Job, Kept, NobodyAvailable
from shared.errors import AftercareError
from shared.events import Payload
from shared.events import dispatch as events
from shared.events.terms import Kind, Level, PartLine, PersonId, Severity, Site, Tier

State = Literal[
    "opened",
    "needs_decision",
    "assigned",
    "accepted",
    "visit_agreed",
    "travelling",
    "on_site",
    "resolved",
    "closed",
]
Command = Literal[
    "assign",
    "accept",
    "decline",
    "agree_visit",
    "depart",
    "arrive",
    "request_parts",
    "inform_customer",
    "resolve",
    "accept_result",
    "reject_result",
    "close_unconfirmed",
]

STATES: Final[tuple[State, ...]] = get_args(State)
ALLOWED: Final[Mapping[State, frozenset[Command]]] = {
    "opened": frozenset({"assign", "inform_customer"}),
    "needs_decision": frozenset({"assign", "inform_customer"}),
    "assigned": frozenset({"assign", "accept", "decline", "inform_customer"}),
    "accepted": frozenset({"assign", "agree_visit", "depart", "request_parts", "inform_customer"}),
    "visit_agreed": frozenset({"assign", "agree_visit", "depart", "request_parts", "inform_customer"}),
    "travelling": frozenset({"assign", "arrive", "inform_customer"}),
    "on_site": frozenset({"assign", "agree_visit", "request_parts", "inform_customer", "resolve"}),
    "resolved": frozenset({"accept_result", "reject_result", "close_unconfirmed"}),
    "closed": frozenset(),
}
BEFORE_WORK: Final[frozenset[State]] = frozenset({"opened", "needs_decision", "assigned"})
"""Nobody has begun: the rules may choose anew."""
WORKING: Final[frozenset[State]] = frozenset(
    {"assigned", "accepted", "visit_agreed", "travelling", "on_site"}
)
"""The states that count as load for the engineer and the supervisor."""


class TicketNotReady(AftercareError):
    """The ticket is {state}; possible now: {possible}."""

    kind = "conflict"
    shown: ClassVar = ("state", "allowed", "version")


class AlreadyWithThem(AftercareError):
    """This person has the ticket already; choose another one."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it is stored.

    group_ids        the emergency group, its leader first; only urgent tickets have one
    arrivals         how often an engineer came to the site in this episode
    request_version  the newest version of the request that is in here
    """

    id: UUID
    number: int
    request_id: UUID
    request_version: int
    customer_id: UUID
    customer_level: Level
    kind: Kind
    severity: Severity
    difficulty: int
    skills: tuple[str, ...]
    product_line: str | None
    site: Site
    title: str
    state: State
    owner_id: PersonId
    engineer_id: PersonId | None
    supervisor_id: PersonId | None
    group_ids: tuple[PersonId, ...]
    declined_ids: tuple[PersonId, ...]
    tier: Tier | None
    centre: str | None
    same_city: bool | None
    episode: int
    arrivals: int
    opened_at: datetime
    version: int

    @property
    def job(self) -> Job:
        return Job(
            self.severity,
            self.site.region,
            self.site.city,
            self.product_line,
            self.skills,
            frozenset(self.declined_ids),
        )

    @property
    def allowed(self) -> frozenset[Command]:
        return ALLOWED[self.state]

    @property
    def given_to(self) -> PersonId:
        """The engineer; only in states that have one."""
        assert self.engineer_id is not None
        return self.engineer_id


@dataclass(frozen=True, slots=True)
class Step:
    """One version of a ticket: as it is afterwards, what happened, what the world is told, what is noted.

    `at` is when it happened, where that was before it came to be known here.
    """

    ticket: Ticket
    what: str
    payload: Payload | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None


Steps: TypeAlias = tuple[Step, ...]


def require(ticket: Ticket, command: Command) -> None:
    """`TicketNotReady` unless `command` is possible in the ticket's state."""
    if command not in ticket.allowed:
        allowed = sorted(ticket.allowed)
        raise TicketNotReady(
            state=ticket.state,
            allowed=allowed,
            version=ticket.version,
            possible=", ".join(allowed) or "nothing",
        )


def _step(ticket: Ticket, payload: Payload, notes: Mapping[str, Any] | None = None, **changes: Any) -> Step:
    what = payload.type.split(".")[1]
    return Step(replace(ticket, version=ticket.version + 1, **changes), what, payload, notes or {})


def open_ticket(ticket: Ticket, decision: Decision) -> Steps:
    """`ticket` as it was asked for, at version 0 and without anybody yet, becomes work that somebody owns."""
    is_given = isinstance(decision, Assignment)
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
    )
    state: State = "opened" if is_given else "needs_decision"
    first = _step(ticket, opened, state=state, owner_id=decision.owner_id)
    return (first, *place(first.ticket, decision))


def place(ticket: Ticket, decision: Decision) -> Steps:
    """The ticket goes where the decision says; the engineer's clocks start with `TicketAssigned`."""
    steps = adopt(ticket, decision)
    now = steps[-1].ticket if steps else ticket
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
    given = _step(
        now,
        assigned,
        state="assigned",
        engineer_id=decision.engineer_id,
        supervisor_id=decision.supervisor_id,
        tier=decision.tier,
        centre=decision.centre,
        same_city=decision.same_city,
    )
    return (*steps, given)


def adopt(ticket: Ticket, decision: Decision | Kept) -> Steps:
    """Group, leadership and owner as the decision says; the engineer stays."""
    steps: list[Step] = []
    now = ticket
    if decision.group_ids and decision.group_ids != now.group_ids:
        leader, *_ = decision.group_ids
        formed = events.GroupFormed(leader_id=leader, member_ids=decision.group_ids)
        steps.append(_step(now, formed, group_ids=decision.group_ids))
        now = steps[-1].ticket
        told = events.LeadershipInformed(leader_ids=decision.leadership_ids, severity=now.severity)
        steps.append(_step(now, told))
        now = steps[-1].ticket
    if decision.owner_id != now.owner_id:
        because = "; ".join(finding.reason().because for finding in decision.findings)
        steps.append(change_owner(now, decision.owner_id, because))
    return tuple(steps)


def acknowledge(ticket: Ticket, by: PersonId | None) -> Steps:
    """Leadership looks after it; what the others do goes on as it was (R23)."""
    return (_step(ticket, events.LeadershipAcknowledged(by=by)),)


def change_owner(ticket: Ticket, owner_id: PersonId, reason: str) -> Step:
    """Somebody else is accountable from now on (R24)."""
    payload = events.OwnerChanged(owner_id=owner_id, previous_owner_id=ticket.owner_id, reason=reason[:1000])
    return _step(ticket, payload, owner_id=owner_id)


def change_supervisor(ticket: Ticket, supervisor_id: PersonId) -> Step:
    """Somebody else guides (R21); the next assignment tells the world."""
    changed = replace(ticket, supervisor_id=supervisor_id, version=ticket.version + 1)
    return Step(changed, "supervisor_changed", None, {"supervisor_id": str(supervisor_id)})


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


def accept(ticket: Ticket) -> Steps:
    return (_step(ticket, events.AssignmentAccepted(engineer_id=ticket.given_to), state="accepted"),)


def decline(ticket: Ticket, reason: str) -> Steps:
    """Nobody has it then; `place` gives it to the next one in the same transaction."""
    payload = events.AssignmentDeclined(engineer_id=ticket.given_to, reason=reason)
    step = _step(ticket, payload, declined_ids=(*ticket.declined_ids, ticket.given_to))
    return (replace(step, ticket=take_from(step.ticket)),)


def take_away(ticket: Ticket, reason: str) -> Steps:
    """Whoever worked on it cannot any more; `place` gives it to somebody else in the same transaction."""
    taken = replace(take_from(ticket), version=ticket.version + 1)
    return (Step(taken, "taken_away", None, {"reason": reason}),)


def reclassify(ticket: Ticket, kind: Kind, request_version: int) -> Steps:
    """Another kind of request; no event, because the service desk has told the world already."""
    changed = replace(ticket, kind=kind, request_version=request_version, version=ticket.version + 1)
    return (Step(changed, "reclassified", None, {"kind": kind}),)


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
    step = _step(
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
        return (step, *adopt(step.ticket, decision))
    step = replace(step, ticket=take_from(step.ticket))
    return (step, *place(step.ticket, decision))


def agree_visit(ticket: Ticket, visit: events.VisitAgreed) -> Steps:
    return (_step(ticket, visit, state="visit_agreed"),)


def depart(ticket: Ticket) -> Steps:
    return (_step(ticket, events.EngineerDeparted(engineer_id=ticket.given_to), state="travelling"),)


def arrive(ticket: Ticket, device_time: datetime | None) -> Steps:
    payload = events.EngineerArrived(engineer_id=ticket.given_to, device_time=device_time)
    return (_step(ticket, payload, state="on_site", arrivals=ticket.arrivals + 1),)


def request_parts(ticket: Ticket, requisition_id: UUID, lines: tuple[PartLine, ...]) -> Steps:
    assert ticket.centre is not None
    payload = events.PartsRequested(
        requisition_id=requisition_id, engineer_id=ticket.given_to, centre=ticket.centre, lines=lines
    )
    return (_step(ticket, payload),)


def inform_customer(
    ticket: Ticket, by: PersonId | None, told_at: datetime, notes: Mapping[str, Any] | None = None
) -> Steps:
    """The customer has heard how it goes (R62); what is to be done stays as it is."""
    step = _step(ticket, events.CustomerInformed(by=by), notes)
    return (replace(step, at=told_at),)


def resolve(ticket: Ticket, fault_code: str | None, work_note: str, claims_first_visit: bool) -> Steps:
    """Done, says the engineer; a first visit is one only if nobody had to come twice (R113)."""
    payload = events.TicketResolved(
        request_id=ticket.request_id,
        customer_id=ticket.customer_id,
        engineer_id=ticket.given_to,
        episode=ticket.episode,
        fault_code=fault_code,
        first_visit=claims_first_visit and ticket.arrivals == 1,
    )
    return (_step(ticket, payload, {"work_note": work_note}, state="resolved"),)


def accept_result(ticket: Ticket) -> Steps:
    """The customer is content: only this counts as solved (R29, R30)."""
    accepted = _step(ticket, events.ResultAccepted(episode=ticket.episode))
    return (accepted, _close(accepted.ticket, "accepted"))


def reject_result(ticket: Ticket, reason: str) -> Steps:
    """The customer is not: the same episode goes on with the same engineer."""
    payload = events.ResultRejected(episode=ticket.episode, reason=reason)
    return (_step(ticket, payload, state="accepted"),)


def close_unconfirmed(ticket: Ticket) -> Steps:
    """Silence after all reminders (decision 10)."""
    return (_close(ticket, "unconfirmed"),)


def _close(ticket: Ticket, reason: Literal["accepted", "unconfirmed"]) -> Step:
    payload = events.TicketClosed(
        request_id=ticket.request_id,
        customer_id=ticket.customer_id,
        engineer_id=ticket.engineer_id,
        reason=reason,
        severity=ticket.severity,
        site=ticket.site,
        episode=ticket.episode,
    )
    return _step(ticket, payload, state="closed")
