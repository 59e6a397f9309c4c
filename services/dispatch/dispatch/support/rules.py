"""The levels of support and the plans that are signed off, pure (R21, R25).

l1   whoever the rules of assignment choose
l2   an expert of the product line and the skills: supports, and then engineer and owner stay as they are and
     the expert sees the ticket and helps; or takes over, and then has it as if it had been given to them
rnd  a task for that department; engineer and owner stay as they are
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Literal
from uuid import UUID

from dispatch.assignment.judging import Jury
from dispatch.assignment.rules import Candidate, Finding, Kept, Loads, Staff
from dispatch.organisation.rules import Person
from dispatch.support.policy import Policy
from dispatch.tickets.rules import UNRESOLVED, Steps, Ticket
from dispatch.tickets.rules.assigning import step
from shared.errors import AftercareError
from shared.events import teamwork as events
from shared.events.teamwork import Support
from shared.events.terms import PersonId

LEVELS: Final[tuple[Support, ...]] = ("l1", "l2", "rnd")
PlanState = Literal["proposed", "signed", "sent_back", "superseded"]
Mark = Literal["missing", "proposed", "sent_back"]
"""How the plan of a ticket stands that is to be signed off and is not yet."""
TOLD: Final = frozenset(
    {"ticket_escalated", "ticket_deescalated", "helper_changed", "plan_proposed", "plan_decided"}
)
"""What a history calls all of it: nobody at work on the ticket waits for these."""


class AlreadyAtLevel(AftercareError):
    """The ticket is at level {level} already; escalation raises it, de-escalation lowers it."""

    kind = "conflict"
    shown: ClassVar = ("level",)


class NoExpert(AftercareError):
    """No expert of the second level can take this ticket over now; ask for support, or assign it by hand."""

    kind = "conflict"


class NoResearch(AftercareError):
    """The organisation has no department {department}, which is the third level of support."""

    kind = "conflict"


class NotYoursToHandOver(AftercareError):
    """Only its supervisor, its owner or whoever assigns work hands a ticket over to an expert."""

    kind = "forbidden"


class NoSuchPlan(AftercareError):
    """There is no plan of that number that waits for a signature; look at the ticket again."""

    kind = "conflict"


class NotYoursToSign(AftercareError):
    """Another person signs this plan off: who guides the ticket, and nobody their own."""

    kind = "forbidden"


class PlanNotSigned(AftercareError):
    """The repair plan of this ticket has to be signed off first; {plan}."""

    kind = "conflict"
    shown: ClassVar = ("state", "signer_id")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a ticket is to be repaired, as its engineer wrote it; `number` counts within the episode.

    by, decided_by  principals; `reason` says why it was sent back
    """

    ticket_id: UUID
    episode: int
    number: int
    steps: tuple[str, ...]
    minutes: int
    parts: tuple[dict[str, Any], ...]
    state: PlanState
    by: str
    at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str


def above(level: Support, other: Support) -> bool:
    return LEVELS.index(level) > LEVELS.index(other)


def escalated(
    ticket: Ticket,
    level: Support,
    how: Literal["supports", "takes_over", "department"],
    words: dict[str, str],
    by: PersonId | None,
    *,
    helper_id: PersonId | None = None,
    task_id: UUID | None = None,
) -> Steps:
    payload = events.TicketEscalated(
        level=level,
        previous_level=ticket.support_level,
        how=how,
        helper_id=helper_id,
        task_id=task_id,
        by=by,
    )
    kept = helper_id if how == "supports" else ticket.helper_id
    return (step(ticket, payload, words, support_level=level, helper_id=kept),)


def deescalated(ticket: Ticket, level: Support, reason: str, by: PersonId | None) -> Steps:
    payload = events.TicketDeescalated(level=level, previous_level=ticket.support_level, by=by)
    helper = None if level == "l1" else ticket.helper_id
    return (step(ticket, payload, {"reason": reason}, support_level=level, helper_id=helper),)


def experts(
    ticket: Ticket, staff: Staff, loads: Loads, policy: Policy
) -> tuple[PersonId | None, Sequence[Candidate]]:
    """Who of the second level is chosen, by the rules of assignment, and everybody with their verdict.

    Not who works on it or guides it already. In the ticket's region first, then in the one that stands in for
    others; None when nobody passes.
    """
    teams = {each for team in staff.teams if team.code in policy.expert_teams for each in team.members}
    region = staff.answering(ticket.site.region)
    seen: list[Candidate] = []
    for code in dict.fromkeys((region.code, staff.default_region)):
        asked = [
            each
            for each in staff.engineers_of(code)
            if each.id not in (ticket.engineer_id, ticket.supervisor_id) and _is_expert(each, policy, teams)
        ]
        found = Jury(ticket.job, staff.answering(code), staff, loads).judge(asked)
        seen = [*found, *seen]
        if found and found[0].cost is not None:
            return found[0].person_id, seen
    return None, seen


def _is_expert(person: Person, policy: Policy, teams: set[PersonId]) -> bool:
    return person.tier in policy.expert_tiers or person.id in teams


def stand_in(ticket: Ticket, staff: Staff) -> PersonId | None:
    """Who helps where no expert passes: the region's duty lead finds one, or another who answers for it."""
    region = staff.answering(ticket.site.region)
    asked = (region.duty_lead, region.emergency_leader, *region.emergency_experts)
    return next((each for each in asked if each != ticket.engineer_id), None)


def beside(ticket: Ticket, helper: PersonId | None, seen: Sequence[Candidate], rule: str) -> Kept:
    """The decision as it is kept: who helps and why; engineer and owner stay."""
    return Kept(
        owner_id=ticket.owner_id,
        group_ids=ticket.group_ids,
        leadership_ids=(),
        findings=(Finding(rule),),
        candidates=tuple(seen),
        engineer_id=helper or ticket.given_to,
        supervisor_id=ticket.supervisor_id,
        same_city=bool(ticket.same_city),
    )


def helper_changed(ticket: Ticket, helper_id: PersonId | None) -> Steps:
    return (step(ticket, events.HelperChanged(helper_id=helper_id), helper_id=helper_id),)


def signer_for(ticket: Ticket, staff: Staff, author: PersonId | None) -> PersonId:
    """Who signs a plan off: who guides an important ticket, who leads the group of an urgent one.

    While they are away their substitute does. Where that is who does the work or wrote the plan, and for a
    general ticket, another one who answers for the region: the duty lead before the emergency leader.
    """
    region = staff.answering(ticket.site.region)
    guide = {"important": ticket.supervisor_id, "urgent": ticket.owner_id}.get(ticket.severity)
    heirs = (guide, *staff.heirs_of(guide)) if guide else ()
    others = (region.duty_lead, region.emergency_leader, *region.supervisors, *region.emergency_experts)
    able = [each for each in (*heirs, *others) if each not in (ticket.engineer_id, author)]
    return next((each for each in able if staff.is_there(each)), (*able, region.duty_lead)[0])


def person_of(principal: str) -> UUID | None:
    """The employee behind a principal; None where it is none."""
    try:
        return UUID(principal)
    except ValueError:
        return None


def mark_of(ticket: Ticket, state: PlanState | None, policy: Policy) -> Mark | None:
    """None where no plan is asked for, where it is signed off, and once the work is done.

    A plan that was handed in waits for its signature whatever the policy asks for.
    """
    if ticket.state not in UNRESOLVED or state == "signed":
        return None
    if state == "proposed" or state == "sent_back":
        return state
    return "missing" if policy.sign_off[ticket.severity] else None


def planned(ticket: Ticket, plan: Plan, by: PersonId | None) -> Steps:
    payload = events.PlanProposed(number=plan.number, episode=plan.episode, minutes=plan.minutes, by=by)
    return (step(ticket, payload, {"text": "\n".join(plan.steps)}),)


def decided(ticket: Ticket, plan: Plan, by: PersonId | None) -> Steps:
    payload = events.PlanDecided(
        number=plan.number, episode=plan.episode, signed=plan.state == "signed", by=by
    )
    return (step(ticket, payload, {"reason": plan.reason} if plan.reason else {}),)
