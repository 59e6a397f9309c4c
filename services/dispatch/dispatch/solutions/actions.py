"""Proposing a solution, and leadership's word on a major one (R23)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from dispatch.access import Viewer, involved_in, lock_visible
from dispatch.incidents.store import load_incidents
from dispatch.leadership.actions import acknowledge_by_deed
from dispatch.solutions import rules, store
from dispatch.solutions.rules import Facts, Solution, Verdict
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import UNRESOLVED, Ticket
from dispatch.urgent.policy import Solutions
from dispatch.urgent.store import load_policy
from shared.clock import uuid7
from shared.db import Tx
from shared.http.problem import invalid
from shared.i18n import N_, gettext


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody proposes; `cost` in minor units of the policy's currency."""

    text: str
    grounds: tuple[str, ...]
    cost: int | None = None
    supersedes: UUID | None = None


async def propose(tx: Tx, ticket_id: UUID, said: Proposal, viewer: Viewer) -> Solution:
    """Keep how a ticket is to be solved, and ask leadership where that is a major solution.

    `NoSuchTicket`, `NotYoursToPropose`, `NothingToSolve`, `ProposalOpen`, `NoSuchSolution`.
    """
    ticket = await lock_visible(tx, viewer, ticket_id)
    if not may_propose(viewer, ticket):
        raise rules.NotYoursToPropose
    _require_unsolved(ticket)
    policy, version = await load_policy(tx)
    _require_known(said.grounds, policy.solutions)
    flags = rules.flags_of(await _facts(tx, ticket, said), policy.solutions)
    leadership = await store.load_leadership(tx, ticket.site.region) if flags else ()
    replaced = await _make_way(tx, ticket, said.supersedes, viewer)
    proposed = Solution(
        id=uuid7(),
        ticket_id=ticket.id,
        episode=ticket.episode,
        text=said.text,
        cost=said.cost,
        currency=policy.solutions.currency,
        grounds=said.grounds,
        flags=flags,
        policy_version=version,
        state="proposed" if flags else "not_needed",
        proposed_by=viewer.id,
        proposer_id=viewer.employee_id,
        proposed_at=tx.now,
        leader_ids=rules.asked(leadership, viewer.employee_id),
    )
    await store.add_solution(tx, proposed)
    await record(tx, [Change(ticket, rules.propose(ticket, proposed, replaced))], viewer.id)
    return proposed


def may_propose(viewer: Viewer, ticket: Ticket) -> bool:
    """Who works on it, owns or guides it, belongs to its group, or dispatches."""
    return viewer.dispatches or viewer.person_id in involved_in(ticket)


def _require_unsolved(ticket: Ticket) -> None:
    if ticket.state not in UNRESOLVED:
        raise rules.NothingToSolve(state=ticket.state)


def _require_known(grounds: Sequence[str], policy: Solutions) -> None:
    for place, code in enumerate(grounds):
        if policy.ground(code) is None:
            raise invalid("body", ("grounds", place), N_("no ground of the urgent policy"), "unknown_code")


async def _facts(tx: Tx, ticket: Ticket, said: Proposal) -> Facts:
    incidents = await load_incidents(tx, [ticket.request_id])
    return Facts(said.grounds, said.cost, ticket.customer_level, ticket.skills, bool(incidents))


async def _make_way(tx: Tx, ticket: Ticket, supersedes: UUID | None, viewer: Viewer) -> UUID | None:
    """What waits gives its place to a proposal that names it; one of an episode before does so anyway."""
    solutions = await store.list_solutions(tx, [ticket.id])
    if supersedes is not None and all(each.id != supersedes for each in solutions):
        raise rules.NoSuchSolution
    waiting = next((each for each in solutions if each.state == "proposed"), None)
    if waiting is None:
        return None
    if waiting.id != supersedes and waiting.episode == ticket.episode:
        raise rules.ProposalOpen(solution_id=waiting.id)
    gone = replace(waiting, state="superseded", decided_by=viewer.id, decided_at=tx.now)
    await store.save_verdict(tx, gone)
    return waiting.id


async def decide(
    tx: Tx,
    ticket_id: UUID,
    solution_id: UUID,
    verdict: Literal["approved", "rejected"],
    note: str,
    viewer: Viewer,
) -> Solution:
    """Leadership's word; the same word again is the same answer.

    `NoSuchTicket`, `NoSuchSolution`, `OwnProposal`, `NotAsked`, `AlreadyDecided`, `NothingToSolve`.
    """
    ticket = await lock_visible(tx, viewer, ticket_id)
    found = await _find(tx, ticket, solution_id)
    leadership = await store.load_leadership(tx, ticket.site.region)
    rules.require_may_decide(found, viewer.id, viewer.employee_id, leadership, admin=viewer.is_admin)
    if found.state == verdict:
        return found
    settled = await _settle(tx, ticket, found, verdict, note, viewer)
    await acknowledge_by_deed(tx, ticket_id, viewer)
    return settled


async def withdraw(tx: Tx, ticket_id: UUID, solution_id: UUID, viewer: Viewer) -> Solution:
    """Who proposed it does not any more; `NotYourProposal` and what `decide` raises."""
    ticket = await lock_visible(tx, viewer, ticket_id)
    found = await _find(tx, ticket, solution_id)
    if not may_withdraw(viewer, found):
        raise rules.NotYourProposal
    if found.state == "withdrawn":
        return found
    return await _settle(tx, ticket, found, "withdrawn", "", viewer)


def may_withdraw(viewer: Viewer, solution: Solution) -> bool:
    return viewer.dispatches or viewer.id == solution.proposed_by


async def may_decide(tx: Tx, ticket: Ticket, solution: Solution, viewer: Viewer) -> bool:
    """Whether `decide` would take their word."""
    if solution.state != "proposed" or ticket.state not in UNRESOLVED:
        return False
    leadership = await store.load_leadership(tx, ticket.site.region)
    try:
        rules.require_may_decide(solution, viewer.id, viewer.employee_id, leadership, admin=viewer.is_admin)
    except (rules.OwnProposal, rules.NotAsked):
        return False
    return True


async def _find(tx: Tx, ticket: Ticket, solution_id: UUID) -> Solution:
    solutions = await store.list_solutions(tx, [ticket.id])
    found = next((each for each in solutions if each.id == solution_id), None)
    if found is None:
        raise rules.NoSuchSolution
    return found


async def _settle(
    tx: Tx, ticket: Ticket, found: Solution, verdict: Verdict, note: str, viewer: Viewer
) -> Solution:
    if found.state != "proposed" or found.episode != ticket.episode:
        raise rules.AlreadyDecided(state=found.state, solution_id=found.id)
    _require_unsolved(ticket)
    settled = replace(found, state=verdict, decided_by=viewer.id, decided_at=tx.now, note=note)
    await store.save_verdict(tx, settled)
    steps = rules.decide(ticket, settled, verdict, viewer.employee_id, note)
    await record(tx, [Change(ticket, steps)], viewer.id)
    return settled


async def require_approved(tx: Tx, ticket: Ticket) -> None:
    """`SolutionNotApproved` or `SolutionRejected`: what the job is to be done by waits for leadership."""
    solution = rules.governing(await store.list_solutions(tx, [ticket.id]), ticket.episode)
    rules.require_approved(solution, said(solution) if solution else "")


async def require_may_begin(tx: Tx, ticket: Ticket) -> None:
    """The same before work begins, in houses where nothing may be made safe before."""
    policy, _ = await load_policy(tx)
    if not policy.solutions.work_before_approval:
        await require_approved(tx, ticket)


def said(solution: Solution) -> str:
    """What makes it a major one, in the reader's language."""
    return ", ".join(gettext(rules.WORDS[flag]) for flag in solution.flags)
