"""What the war room of a ticket shows, out of the ticket and its history, pure (R22, R23, R39).

A ticket has a war room when it is urgent or part of an incident. Like leadership's acknowledgement, what the
group does is told by the history alone: who has seen it since the group was formed, which steps of the
emergency plan are done, what was written down.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Literal
from uuid import UUID

from dispatch.leadership.rules import Notice, is_awaited
from dispatch.promises.rules import Deadlines
from dispatch.solutions.rules import Solution
from dispatch.tickets.rules.assigning import step
from dispatch.tickets.rules.ticket import Steps, Ticket
from dispatch.urgent.policy import Plan, PlanStep, Policy
from shared.errors import AftercareError
from shared.events.terms import PersonId
from shared.events.urgent import GroupNoted

NOTED: Final = "group_noted"
Line = Mapping[str, Any]
"""A line of a ticket's history."""
Duty = Literal["leader", "expert", "engineer", "supervisor", "owner"]
Block = Literal[
    "no_engineer", "waiting", "parts_short", "solution_waits", "solution_rejected", "leadership", "late"
]
"""What stands in the way, the worst first: see `blocks_of`."""


class NoWarRoom(AftercareError):
    """This ticket has no war room: it is neither urgent nor part of an incident."""

    kind = "not_found"


class NotOfTheGroup(AftercareError):
    """You see this war room, but only its group, its leaders and dispatchers write in it."""

    kind = "forbidden"


class TicketHasEnded(AftercareError):
    """The ticket is {state}; what is left is to look back."""

    kind = "conflict"
    shown: ClassVar = ("state",)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the group, what for, and since when they know of it; None while they have not said so."""

    person_id: PersonId
    duties: tuple[Duty, ...]
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Done:
    """A step of the plan, and who did it when, in the words of the history; None while nobody has."""

    step: PlanStep
    by: str | None
    at: datetime | None


def has_room(ticket: Ticket, *, in_incident: bool) -> bool:
    return ticket.severity == "urgent" or in_incident


def duties_of(ticket: Ticket) -> dict[PersonId, tuple[Duty, ...]]:
    """Everybody whose work it is, who leads first, with what they do in it."""
    leader = ticket.group_ids[0] if ticket.group_ids else None
    said: list[tuple[PersonId | None, Duty]] = [
        (leader, "leader"),
        (ticket.owner_id, "owner"),
        (ticket.engineer_id, "engineer"),
        (ticket.supervisor_id, "supervisor"),
        *((each, "expert") for each in ticket.group_ids[1:]),
    ]
    found: dict[PersonId, tuple[Duty, ...]] = {}
    for person_id, duty in said:
        if person_id is not None:
            found[person_id] = (*found.get(person_id, ()), duty)
    return found


def members_of(ticket: Ticket, history: Iterable[Line]) -> list[Member]:
    """The group as it is now; who was in one that was formed before has to see the new one, too.

    `history` has the newest first.
    """
    seen = _seen(history, ticket.episode)
    return [Member(each, duties, seen.get(each)) for each, duties in duties_of(ticket).items()]


def _seen(history: Iterable[Line], episode: int) -> dict[PersonId, datetime]:
    """Who has seen it, and when first, since the group was formed last."""
    found: dict[PersonId, datetime] = {}
    for line in history:
        if line["what"] == "group_formed":
            break
        facts = line["facts"]
        if line["what"] == NOTED and facts["what"] == "seen" and facts["episode"] == episode:
            found[UUID(facts["by"])] = line["at"]
    return found


def plan_for(ticket: Ticket, history: Iterable[Line], policy: Policy, *, in_incident: bool) -> Plan:
    """The emergency plan of this situation: what somebody chose, else the first that fits (R39)."""
    for line in _noted(history, "plan", ticket.episode):
        if chosen := policy.plan(line["facts"]["plan"]):
            return chosen
    return next(plan for plan in policy.plans if _fits(plan, ticket, in_incident))


def _fits(plan: Plan, ticket: Ticket, in_incident: bool) -> bool:
    when = plan.when
    return (
        when.incident in (None, in_incident)
        and (not when.severities or ticket.severity in when.severities)
        and (not when.kinds or ticket.kind in when.kinds)
        and (not when.skills or any(skill in when.skills for skill in ticket.skills))
        and (not when.product_lines or ticket.product_line in when.product_lines)
    )


def progress_of(plan: Plan, history: Iterable[Line], episode: int) -> list[Done]:
    """The plan step by step; what is done stays as it was done first."""
    first: dict[str, Line] = {}
    for line in _noted(history, "plan_step", episode):
        if line["facts"]["plan"] == plan.code:
            first[line["facts"]["item"]] = line
    return [Done(each, *_who(first.get(each.code))) for each in plan.steps]


def _who(line: Line | None) -> tuple[str | None, datetime | None]:
    return (line["by"], line["at"]) if line else (None, None)


def notes_in(history: Iterable[Line]) -> list[Line]:
    """What the group wrote down, in all episodes, the newest first."""
    return [line for line in history if line["what"] == NOTED and line["facts"]["what"] == "note"]


def _noted(history: Iterable[Line], what: str, episode: int) -> list[Line]:
    lines = (line for line in history if line["what"] == NOTED)
    return [line for line in lines if line["facts"]["what"] == what and line["facts"]["episode"] == episode]


def blocks_of(
    ticket: Ticket,
    solution: Solution | None,
    notice: Notice | None,
    parts: Collection[str],
    owed: Deadlines,
    now: datetime,
) -> list[Block]:
    """What stands in the way right now; `parts` is how each of its requisitions stands."""
    if not ticket.is_open:
        return []
    state = solution.state if solution else None
    holds: dict[Block, bool] = {
        "no_engineer": ticket.engineer_id is None,
        "waiting": ticket.state == "waiting",
        "parts_short": "short" in parts,
        "solution_waits": state == "proposed",
        "solution_rejected": state == "rejected",
        "leadership": notice is not None and is_awaited(ticket, notice),
        "late": owed.next is not None and owed.next[1] < now,
    }
    return [block for block, held in holds.items() if held]


def next_step(progress: Sequence[Done]) -> PlanStep | None:
    """What the plan asks for next."""
    return next((each.step for each in progress if each.at is None), None)


def note(
    ticket: Ticket,
    what: Literal["seen", "note", "plan", "plan_step"],
    by: PersonId | None,
    *,
    text: str = "",
    plan: str | None = None,
    item: str | None = None,
) -> Steps:
    """What is to be done stays as it is; the words stay with us."""
    told = GroupNoted(what=what, episode=ticket.episode, by=by, plan=plan, item=item)
    return (step(ticket, told, {"text": text} if text else {}),)


def join_incident(ticket: Ticket, incident_id: UUID, *, linked: bool) -> Steps:
    """The service desk found that it has a cause in common with others, or that it has not (R13)."""
    told = GroupNoted(what="incident", episode=ticket.episode, incident_id=incident_id, linked=linked)
    return (step(ticket, told),)
