"""Any commands in any order: each step is one version, and each ticket has one owner (R24–R30)."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.ticket_lives import (
    DO,
    OTHER,
    assigned,
    kept,
    nobody,
    opened,
    regraded,
)
from dispatch.assignment.rules import Decision, Kept
from dispatch.tickets import rules
from dispatch.tickets.rules import (
    WORKING,
    Command,
    Steps,
)
from shared.events.terms import Severity


class Life(RuleBasedStateMachine):
    """Any commands in any order, by the table: each step is one version, and the promises hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.ticket = opened()

    def take(self, steps: Steps) -> None:
        versions = [step.ticket.version for step in steps]
        assert versions == list(range(self.ticket.version + 1, self.ticket.version + 1 + len(steps)))
        self.ticket = steps[-1].ticket

    @invariant()
    def what_waits_and_what_ended_says_so(self) -> None:
        ticket = self.ticket
        assert (ticket.state == "waiting") == (ticket.waiting_for is not None)
        assert (ticket.waiting_for is None) == (ticket.paused_in is None)
        assert (ticket.ended_as is None) == ticket.is_open

    @invariant()
    def somebody_owns_it(self) -> None:
        assert self.ticket.owner_id != UUID(int=0)

    @invariant()
    def who_works_is_known(self) -> None:
        if self.ticket.state != "cancelled":
            assert (self.ticket.engineer_id is None) == (self.ticket.state in ("opened", "needs_decision"))
        assert self.ticket.state not in WORKING or self.ticket.given_to

    @invariant()
    def severity_has_its_people(self) -> None:
        assert bool(self.ticket.group_ids) == (self.ticket.severity == "urgent")
        if self.ticket.severity == "important" and self.ticket.engineer_id:
            assert self.ticket.supervisor_id not in (None, self.ticket.engineer_id)

    @precondition(lambda self: self.ticket.is_open)
    @rule()
    def regrade(self) -> None:
        graver: dict[Severity, Severity] = {
            "general": "important",
            "important": "urgent",
            "urgent": "general",
        }
        severity = graver[self.ticket.severity]
        decision: Decision | Kept = assigned(OTHER, severity)
        if self.ticket.state not in rules.BEFORE_WORK:
            decision = replace(kept(severity), engineer_id=self.ticket.given_to)
        self.take(regraded(self.ticket, severity, decision))

    @precondition(lambda self: not self.ticket.is_open)
    @rule()
    def stay_ended(self) -> None:
        assert self.ticket.allowed == {"reopen"}

    @precondition(lambda self: self.ticket.state in WORKING)
    @rule()
    def leave(self) -> None:
        taken = rules.take_away(self.ticket, "on leave")
        self.take((*taken, *rules.place(taken[-1].ticket, assigned(OTHER, self.ticket.severity))))

    @precondition(lambda self: self.ticket.state == "needs_decision")
    @rule()
    def find_nobody(self) -> None:
        steps = rules.place(self.ticket, nobody(self.ticket.severity))
        if steps:
            self.take(steps)


def _rule_for(command: Command) -> object:
    def run(self: Life) -> None:
        self.take(DO[command](self.ticket))

    run.__name__ = f"do_{command}"
    return precondition(lambda self: command in self.ticket.allowed)(rule()(run))


for each in DO:
    setattr(Life, f"do_{each}", _rule_for(each))
TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
