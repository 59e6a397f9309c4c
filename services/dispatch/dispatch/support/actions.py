"""Escalating, writing plans and signing them off: what commands on a ticket do (R21, R25)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from dispatch.access import Viewer
from dispatch.assignment.rules import Candidate, Finding, Loads, Staff, give_to
from dispatch.assignment.store import lock_staff
from dispatch.support import rules, store
from dispatch.support.policy import Policy, SignOff
from dispatch.support.rules import Plan
from dispatch.tasks.actions import ask, withdraw_of
from dispatch.tickets import rules as tickets
from dispatch.tickets.record import Change
from dispatch.tickets.rules import Ticket
from shared.db import Tx, lock_subjects
from shared.events.teamwork import Support, TaskAsked
from shared.events.terms import PersonId
from shared.http.etag import Precondition
from shared.i18n import N_, gettext


async def publish_policy(tx: Tx, policy: Policy, note: str, seen: Precondition, by: str) -> int:
    """The next version, in force from now on. `VersionChanged`."""
    await lock_subjects(tx, ["support_policy"])
    _, version = await store.load_policy(tx)
    seen.require(version)
    await store.save_policy(tx, version + 1, policy.model_dump(mode="json"), note, by)
    return version + 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What help is asked for, why, and what was tried; the last two matter to R&D alone."""

    to: Literal["l2", "rnd"]
    how: Literal["supports", "takes_over"]
    reason: str
    tried: str
    blocking: bool
    needed_by: datetime | None

    @property
    def words(self) -> dict[str, str]:
        return {"reason": self.reason, "text": self.tried}


async def escalate(tx: Tx, ticket: Ticket, wish: Wish, viewer: Viewer) -> Change:
    """Raise the level: an expert helps or takes over, or R&D is asked."""
    if not rules.above(wish.to, ticket.support_level):
        raise rules.AlreadyAtLevel(level=ticket.support_level)
    policy, _ = await store.load_policy(tx)
    if wish.to == "rnd":
        return await _ask_research(tx, ticket, policy, wish, viewer)
    staff, loads = await lock_staff(tx, {ticket.customer_id})
    expert, seen = rules.experts(ticket, staff, loads, policy)
    if wish.how == "takes_over":
        return _take_over(ticket, expert, seen, staff, loads, wish, viewer)
    helper = expert or rules.stand_in(ticket, staff)
    told = rules.escalated(ticket, "l2", "supports", wish.words, viewer.employee_id, helper_id=helper)
    rule = "expert_helps" if expert else "duty_lead_helps"
    return Change(ticket, told, rules.beside(ticket, helper, seen, rule))


def _take_over(
    ticket: Ticket,
    expert: PersonId | None,
    seen: Sequence[Candidate],
    staff: Staff,
    loads: Loads,
    wish: Wish,
    viewer: Viewer,
) -> Change:
    if not may_hand_over(ticket, viewer):
        raise rules.NotYoursToHandOver
    if expert is None:
        raise rules.NoExpert
    decision = give_to(ticket.job, staff.people[expert], staff, loads, Finding("expert_takes_over"))
    decision = replace(decision, candidates=tuple(seen))
    told = rules.escalated(ticket, "l2", "takes_over", wish.words, viewer.employee_id, helper_id=expert)
    return Change(ticket, (*told, *tickets.place(told[-1].ticket, decision)), decision)


async def _ask_research(tx: Tx, ticket: Ticket, policy: Policy, wish: Wish, viewer: Viewer) -> Change:
    staff, _ = await lock_staff(tx)
    if policy.rnd_department not in staff.departments:
        raise rules.NoResearch(department=policy.rnd_department)
    until = wish.needed_by or tx.now + timedelta(hours=policy.rnd_hours)
    what = "\n".join(wish.words.values())[:2000]
    asked = await ask(tx, ticket, policy.rnd_department, what, until, wish.blocking, viewer)
    payload = asked[0].payload
    assert isinstance(payload, TaskAsked)
    now = asked[-1].ticket
    told = rules.escalated(now, "rnd", "department", wish.words, viewer.employee_id, task_id=payload.task_id)
    return Change(ticket, (*asked, *told))


async def deescalate(tx: Tx, ticket: Ticket, to: Support, reason: str, viewer: Viewer) -> Change:
    """Lower the level: who helped does not any more, and what R&D was asked for is withdrawn."""
    if not rules.above(ticket.support_level, to):
        raise rules.AlreadyAtLevel(level=ticket.support_level)
    told = rules.deescalated(ticket, to, reason, viewer.employee_id)
    if ticket.support_level == "rnd":
        asked = await store.tasks_of_escalations(tx, ticket.id)
        told = (*told, *await withdraw_of(tx, told[-1].ticket, asked, "deescalated", viewer))
    return Change(ticket, told)


async def propose_plan(
    tx: Tx,
    ticket: Ticket,
    steps: Sequence[str],
    minutes: int,
    parts: Sequence[dict[str, Any]],
    viewer: Viewer,
) -> Change:
    """A plan, or another one in the place of the one before it, which then has to be signed off anew."""
    before = await store.newest_plan(tx, ticket.id, ticket.episode)
    plan = Plan(
        ticket_id=ticket.id,
        episode=ticket.episode,
        number=before.number + 1 if before else 1,
        steps=tuple(steps),
        minutes=minutes,
        parts=tuple(parts),
        state="proposed",
        by=viewer.id,
        at=tx.now,
        decided_by=None,
        decided_at=None,
        reason="",
    )
    await store.save_plan(tx, plan)
    return Change(ticket, rules.planned(ticket, plan, viewer.employee_id))


async def sign_plan(tx: Tx, ticket: Ticket, number: int, signed: bool, reason: str, viewer: Viewer) -> Change:
    """The supervisor's word on a plan; `NoSuchPlan` where another one has come meanwhile."""
    plan = await store.newest_plan(tx, ticket.id, ticket.episode)
    if plan is None or plan.number != number or plan.state != "proposed":
        raise rules.NoSuchPlan
    staff, _ = await lock_staff(tx)
    signer = rules.signer_for(ticket, staff, rules.person_of(plan.by))
    if not may_sign(ticket, plan, signer, viewer):
        raise rules.NotYoursToSign
    state: rules.PlanState = "signed" if signed else "sent_back"
    after = replace(plan, state=state, decided_by=viewer.id, decided_at=tx.now, reason=reason)
    await store.decide_plan(tx, after)
    return Change(ticket, rules.decided(ticket, after, viewer.employee_id))


def may_sign(ticket: Ticket, plan: Plan, signer: PersonId | None, viewer: Viewer) -> bool:
    """Whoever is to, and an administrator for them; nobody their own (R21)."""
    own = plan.by == viewer.id or viewer.person_id == ticket.engineer_id
    return not own and (viewer.is_admin or viewer.person_id == signer)


def may_hand_over(ticket: Ticket, viewer: Viewer) -> bool:
    """Not who has it: they decline it, or ask for support."""
    if viewer.may_assign:
        return True
    answers = viewer.person_id in (ticket.supervisor_id, ticket.owner_id)
    return answers and viewer.person_id != ticket.engineer_id


async def require_signed(tx: Tx, ticket: Ticket, doing: SignOff) -> None:
    """`PlanNotSigned` where the policy lets this wait for a signature that is not there (R21)."""
    policy, _ = await store.load_policy(tx)
    if policy.sign_off[ticket.severity] != doing:
        return
    plan = await store.newest_plan(tx, ticket.id, ticket.episode)
    if plan is not None and plan.state == "signed":
        return
    staff, _ = await lock_staff(tx)
    state = plan.state if plan else "missing"
    signer = rules.signer_for(ticket, staff, rules.person_of(plan.by) if plan else None)
    raise rules.PlanNotSigned(state=state, signer_id=signer, plan=gettext(_PLANS[state]))


_PLANS: Final = {
    "missing": N_("nobody has written one"),
    "proposed": N_("it waits for a signature"),
    "sent_back": N_("it was sent back"),
}
