"""The part of a page about solutions: what was proposed, and what its reader may do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dispatch.access import WORKERS, Viewer
from dispatch.solutions import actions, store
from dispatch.solutions.rules import Solution, governing
from dispatch.tickets.rules import UNRESOLVED, Ticket
from dispatch.urgent.policy import Solutions
from dispatch.urgent.store import load_policy
from shared.db import Tx
from shared.http.auth import Principal


@dataclass(frozen=True, slots=True)
class SolutionsPart:
    """governing  what this episode is to be solved by; None while nobody proposed anything

    before         every other one, the newest first
    may_decide     this reader's word is waited for
    """

    governing: Solution | None
    before: Sequence[Solution]
    policy: Solutions
    may_propose: bool
    may_decide: bool
    may_withdraw: bool

    @property
    def shown(self) -> bool:
        return self.governing is not None or bool(self.before) or self.may_propose


async def load_part(tx: Tx, ticket: Ticket, reader: Principal) -> SolutionsPart:
    viewer = Viewer.of(reader)
    works = bool(reader.roles.intersection(WORKERS))
    policy, _ = await load_policy(tx)
    solutions = await store.list_solutions(tx, [ticket.id])
    now = governing(solutions, ticket.episode)
    waits = now is not None and now.state == "proposed"
    return SolutionsPart(
        governing=now,
        before=[each for each in solutions if each is not now],
        policy=policy.solutions,
        may_propose=works and ticket.state in UNRESOLVED and actions.may_propose(viewer, ticket),
        may_decide=now is not None and await actions.may_decide(tx, ticket, now, viewer),
        may_withdraw=waits and works and now is not None and actions.may_withdraw(viewer, now),
    )
