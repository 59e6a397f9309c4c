"""Tickets to try the rules of their life with, and every command as it is given to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from dispatch.assignment.rules import Assignment, Candidate, Decision, Kept, NobodyAvailable
from dispatch.support import rules as support
from dispatch.tasks.rules import Task
from dispatch.tasks.steps import asked
from dispatch.tickets import rules
from dispatch.tickets.rules import (
    Command,
    Steps,
    Ticket,
)
from shared.events.dispatch import (
    VisitAgreed,
    VisitCancelled,
    WorkNoted,
)
from shared.events.terms import PartLine, Severity, Site

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
ENGINEER, SUPERVISOR, LEADER, DUTY_LEAD, OTHER = (UUID(int=number) for number in range(1, 6))
ASKED = Ticket(
    id=UUID(int=100),
    number=1,
    request_id=UUID(int=101),
    request_version=1,
    customer_id=UUID(int=102),
    customer_level="standard",
    kind="fault",
    severity="general",
    difficulty=1,
    skills=(),
    product_line=None,
    site=Site(region="east", city="shanghai"),
    title="The pump makes a noise",
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
    opened_at=NOW,
    version=0,
)


def assigned(engineer: UUID = ENGINEER, severity: Severity = "general") -> Assignment:
    urgent = severity == "urgent"
    return Assignment(
        owner_id=LEADER if urgent else engineer,
        group_ids=(LEADER, engineer) if urgent else (),
        leadership_ids=(DUTY_LEAD,) if urgent else (),
        findings=(),
        candidates=(Candidate(engineer, "junior", 0, ()),),
        engineer_id=engineer,
        supervisor_id=SUPERVISOR if severity == "important" else None,
        tier="junior",
        centre="shanghai",
        same_city=True,
    )


def kept(severity: Severity) -> Kept:
    same = assigned(ENGINEER, severity)
    return Kept(
        same.owner_id, same.group_ids, same.leadership_ids, (), (), ENGINEER, same.supervisor_id, True
    )


def nobody(severity: Severity = "general") -> NobodyAvailable:
    group = (LEADER, ENGINEER) if severity == "urgent" else ()
    return NobodyAvailable(DUTY_LEAD, group, (DUTY_LEAD,) if group else (), (), ())


def opened(decision: Decision | None = None, severity: Severity = "general") -> Ticket:
    asked = replace(ASKED, severity=severity)
    return rules.open_ticket(asked, decision or assigned(severity=severity))[-1].ticket


VISIT = VisitAgreed(
    visit_id=UUID(int=7), engineer_id=ENGINEER, starts_at=NOW, ends_at=NOW + timedelta(hours=2)
)
NO_VISIT = VisitCancelled(
    **VISIT.model_dump(include={"visit_id", "engineer_id", "starts_at", "ends_at"}), reason="ill"
)
TASK = Task(
    id=UUID(int=9),
    ticket_id=UUID(int=100),
    episode=1,
    department="rnd",
    what="Why does the seal leak?",
    needed_by=NOW + timedelta(days=1),
    blocking=False,
    state="asked",
    owner_id=OTHER,
    asked_by="x",
    asked_at=NOW,
    said="",
    changed_at=NOW,
    version=1,
)
PLAN = support.Plan(
    ticket_id=UUID(int=100),
    episode=1,
    number=1,
    steps=("Seal it.",),
    minutes=60,
    parts=(),
    state="proposed",
    by="x",
    at=NOW,
    decided_by=None,
    decided_at=None,
    reason="",
)
DO: dict[Command, Callable[[Ticket], Steps]] = {
    "assign": lambda ticket: rules.place(ticket, assigned(OTHER, ticket.severity)),
    "accept": rules.accept,
    "decline": lambda ticket: rules.decline(ticket, "on leave"),
    "agree_visit": lambda ticket: rules.agree_visit(ticket, VISIT),
    "offer_visit": lambda ticket: rules.offer_visit(ticket, ENGINEER),
    "cancel_visit": lambda ticket: rules.cancel_visit(ticket, NO_VISIT),
    "depart": rules.depart,
    "arrive": lambda ticket: rules.arrive(ticket, None),
    "begin_work": rules.begin_work,
    "pause": lambda ticket: rules.pause(ticket, "customer", "away", None, ENGINEER),
    "resume": rules.resume,
    "request_parts": lambda ticket: rules.request_parts(
        ticket, UUID(int=8), (PartLine(part_number="P", quantity=1),)
    ),
    "tick": lambda ticket: rules.note_work(
        ticket, WorkNoted(what="checklist", episode=ticket.episode, items=("tested",))
    ),
    "log_work": lambda ticket: rules.note_work(
        ticket, WorkNoted(what="work_log", episode=ticket.episode, minutes=30)
    ),
    "plan_work": lambda ticket: rules.amend(ticket, job_kind="training"),
    "inform_customer": lambda ticket: rules.inform_customer(ticket, ENGINEER, NOW),
    "ask_department": lambda ticket: asked(ticket, TASK, ENGINEER),
    "escalate": lambda ticket: support.escalated(ticket, "l2", "supports", {}, ENGINEER, helper_id=OTHER),
    "deescalate": lambda ticket: support.deescalated(ticket, "l1", "solved", ENGINEER),
    "propose_plan": lambda ticket: support.planned(ticket, PLAN, ENGINEER),
    "sign_plan": lambda ticket: support.decided(ticket, replace(PLAN, state="signed"), SUPERVISOR),
    "resolve": lambda ticket: rules.resolve(ticket, None, "done", True),
    "accept_result": rules.accept_result,
    "reject_result": lambda ticket: rules.reject_result(ticket, "it leaks"),
    "close_unconfirmed": rules.close_unconfirmed,
    "cancel": lambda ticket: rules.cancel(ticket, "withdrawn", "bought another one", DUTY_LEAD),
    "reopen": lambda ticket: rules.reopen(
        ticket, assigned(OTHER, ticket.severity), "it leaks again", "dispatcher", DUTY_LEAD
    ),
}


def after(*commands: Command, ticket: Ticket | None = None) -> Ticket:
    """A ticket that went through `commands`, each of them allowed."""
    now = ticket or opened()
    for command in commands:
        rules.require(now, command)
        now = DO[command](now)[-1].ticket
    return now


def names(steps: Steps) -> list[str]:
    return [step.what for step in steps]


def regraded(ticket: Ticket, severity: Severity, decision: Decision | Kept) -> Steps:
    return rules.regrade(
        ticket, decision, severity=severity, kind="fault", request_version=2, by=OTHER, reason="worse"
    )
