"""Whether a solution is a major one, who decides about it, what waits for that; pure (R23, decision 21)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal, get_args
from uuid import UUID

from dispatch.tickets.rules.assigning import step
from dispatch.tickets.rules.ticket import Steps, Ticket
from dispatch.urgent.policy import Solutions
from shared.errors import AftercareError
from shared.events.terms import PersonId
from shared.events.urgent import SolutionDecided, SolutionFlag, SolutionProposed
from shared.i18n import N_

State = Literal["proposed", "approved", "rejected", "withdrawn", "superseded", "not_needed"]
"""`not_needed`: nothing makes it a major one, so nobody has to approve it."""
Verdict = Literal["approved", "rejected", "withdrawn"]

PROPOSED: Final = "solution_proposed"
DECIDED: Final = "solution_decided"
FLAGS: Final[tuple[SolutionFlag, ...]] = get_args(SolutionFlag)
WORDS: Final[Mapping[SolutionFlag, str]] = {
    "safety": N_("safety"),
    "incident": N_("a mass incident"),
    "vip": N_("a VIP customer"),
    "cost": N_("the cost"),
}
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
_GONE: Final[frozenset[State]] = frozenset({"withdrawn", "superseded"})


class NothingToSolve(AftercareError):
    """The ticket is {state}: no solution can be proposed or decided about any more."""

    kind = "conflict"
    shown: ClassVar = ("state",)


class NotYoursToPropose(AftercareError):
    """You see this ticket, but only who works on it, guides it or is in its group proposes a solution."""

    kind = "forbidden"


class ProposalOpen(AftercareError):
    """Another solution waits for leadership; withdraw it, or name it in `supersedes` to take its place."""

    kind = "conflict"
    shown: ClassVar = ("solution_id",)


class NoSuchSolution(AftercareError):
    """This ticket has no such solution."""

    kind = "not_found"


class OwnProposal(AftercareError):
    """Nobody decides about a solution they proposed themselves; another leader has to."""

    kind = "forbidden"


class NotAsked(AftercareError):
    """Only the leadership group of this ticket decides about its solution."""

    kind = "forbidden"


class NotYourProposal(AftercareError):
    """Only who proposed a solution withdraws it, or a dispatcher."""

    kind = "forbidden"


class AlreadyDecided(AftercareError):
    """Nobody decides about this solution any more: it is {state}."""

    kind = "conflict"
    shown: ClassVar = ("state", "solution_id")


class SolutionNotApproved(AftercareError):
    """The solution of this ticket is a major one ({because}), and leadership has not approved it yet."""

    kind = "conflict"
    shown: ClassVar = ("solution_id", "flags")


class SolutionRejected(AftercareError):
    """Leadership rejected the solution of this ticket, a major one ({because}); propose another one first."""

    kind = "conflict"
    shown: ClassVar = ("solution_id", "flags")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rule looks at. `cost` in minor units, None where nobody told it; `grounds` as ticked."""

    grounds: Collection[str]
    cost: int | None
    customer_level: str
    skills: Collection[str]
    in_incident: bool


@dataclass(frozen=True, slots=True)
class Solution:
    """A proposal and what became of it.

    flags           what makes it a major one, by the policy's `policy_version`
    proposed_by     the principal, `proposer_id` the employee they are, if any
    leader_ids      who was asked
    decided_by      the principal; None while nobody has, like `decided_at`
    note            why, in the words of who decided
    """

    id: UUID
    ticket_id: UUID
    episode: int
    text: str
    cost: int | None
    currency: str
    grounds: tuple[str, ...]
    flags: tuple[SolutionFlag, ...]
    policy_version: int
    state: State
    proposed_by: str
    proposer_id: PersonId | None
    proposed_at: datetime
    leader_ids: tuple[PersonId, ...]
    decided_by: str | None = None
    decided_at: datetime | None = None
    note: str = ""


def flags_of(facts: Facts, policy: Solutions) -> tuple[SolutionFlag, ...]:
    """What makes a solution a major one, of all that the policy asks approval for; in one order."""
    ticked = {ground.flag for ground in policy.grounds if ground.code in facts.grounds}
    dear = policy.cost_above is not None and facts.cost is not None and facts.cost > policy.cost_above
    holds: dict[SolutionFlag, bool] = {
        "safety": any(skill in policy.safety_skills for skill in facts.skills),
        "incident": facts.in_incident,
        "vip": facts.customer_level in policy.customer_levels,
        "cost": dear,
    }
    return tuple(flag for flag in FLAGS if flag in policy.approve and (holds[flag] or flag in ticked))


def governing(solutions: Iterable[Solution], episode: int) -> Solution | None:
    """The solution that an episode is to be solved by: the newest that was not taken back."""
    standing = [each for each in solutions if each.episode == episode and each.state not in _GONE]
    return max(standing, key=lambda each: each.id, default=None)


def require_approved(solution: Solution | None, because: str) -> None:
    """`SolutionNotApproved` or `SolutionRejected` unless what it is solved by may be done."""
    if solution is None:
        return
    told = {"solution_id": solution.id, "flags": list(solution.flags), "because": because}
    if solution.state == "proposed":
        raise SolutionNotApproved(**told)
    if solution.state == "rejected":
        raise SolutionRejected(**told)


def asked(leadership: Sequence[PersonId], proposer_id: PersonId | None) -> tuple[PersonId, ...]:
    """Whom of the leadership to ask: all of them but who proposed it."""
    return tuple(each for each in leadership if each != proposer_id)


def require_may_decide(
    solution: Solution, by: str, person_id: PersonId | None, leadership: Collection[PersonId], *, admin: bool
) -> None:
    """`OwnProposal` or `NotAsked` unless they lead where the ticket is, now or when it was proposed.

    Where the proposer was the only leader, an administrator decides: else nobody could.
    """
    if by == solution.proposed_by or (person_id is not None and person_id == solution.proposer_id):
        raise OwnProposal
    leaders = {*solution.leader_ids, *asked(tuple(leadership), solution.proposer_id)}
    if person_id in leaders or (admin and not leaders):
        return
    raise NotAsked


def propose(ticket: Ticket, solution: Solution, supersedes: UUID | None) -> Steps:
    """What is to be done stays as it is; the words of the proposal stay with us."""
    told = SolutionProposed(
        solution_id=solution.id,
        episode=solution.episode,
        by=solution.proposer_id,
        flags=solution.flags,
        grounds=solution.grounds,
        cost=solution.cost,
        currency=solution.currency,
        leader_ids=solution.leader_ids,
        supersedes=supersedes,
    )
    return (step(ticket, told, {"text": solution.text}),)


def decide(ticket: Ticket, solution: Solution, verdict: Verdict, by: PersonId | None, note: str) -> Steps:
    told = SolutionDecided(solution_id=solution.id, episode=solution.episode, verdict=verdict, by=by)
    return (step(ticket, told, {"note": note} if note else {}),)


def minor_units(written: str, digits: int) -> int | None:
    """An amount as people write it, in minor units; None where it is none, or finer than the currency is."""
    plain = written.strip().replace(",", "").replace("，", "")
    if not _AMOUNT.fullmatch(plain):
        return None
    whole, _, part = plain.partition(".")
    return int(whole + part.ljust(digits, "0")) if len(part) <= digits else None
