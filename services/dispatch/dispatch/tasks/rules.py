"""What other departments are asked for on a ticket, pure (R37): each task has one owner and one deadline.

A task that blocks lets the ticket wait while its engineer is at work on it, and the last one that ends lets
it go on, unless somebody made it go on by hand before. Nothing is finished while a task that blocks it is
open; what is open when a ticket ends is withdrawn with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal, get_args
from uuid import UUID

from dispatch.assignment.rules import Staff
from dispatch.organisation.rules import Department
from dispatch.tickets.rules import Ticket
from shared.errors import AftercareError
from shared.events.terms import PersonId

State = Literal["asked", "accepted", "done", "declined", "withdrawn"]
Command = Literal["accept", "finish", "decline", "reassign", "withdraw", "reopen", "comment"]

STATES: Final[tuple[State, ...]] = get_args(State)
OPEN: Final[frozenset[State]] = frozenset({"asked", "accepted"})
LATEST: Final = timedelta(days=90)
"""Nothing is needed later than that: who asks for more wants something else than a task on a ticket."""


@dataclass(frozen=True, slots=True)
class Move:
    """One command: `within` the states it is possible in, `to` where it leads, None where nothing changes.

    side  whose it is: the department's, that of who asked and works on the ticket, or of both
    """

    within: frozenset[State]
    to: State | None
    side: Literal["department", "asker", "both"]


MOVES: Final[Mapping[Command, Move]] = {
    "accept": Move(frozenset({"asked"}), "accepted", "department"),
    "finish": Move(OPEN, "done", "department"),
    "decline": Move(OPEN, "declined", "department"),
    "reassign": Move(OPEN, "asked", "department"),  # whoever has it now has not said yes
    "withdraw": Move(OPEN, "withdrawn", "asker"),
    "reopen": Move(frozenset({"done", "declined", "withdrawn"}), "asked", "asker"),
    "comment": Move(frozenset(STATES), None, "both"),
}
ALLOWED: Final[Mapping[State, frozenset[Command]]] = {
    state: frozenset(name for name, move in MOVES.items() if state in move.within) for state in STATES
}


class NoSuchTask(AftercareError):
    """There is no such task, or it is not yours to see."""

    kind = "not_found"


class NotYourDepartment(AftercareError):
    """You see this task, but only {side} may do this."""

    kind = "forbidden"


class TaskNotReady(AftercareError):
    """The task is {state}; possible now: {possible}."""

    kind = "conflict"
    shown: ClassVar = ("state", "allowed", "version")


class TicketHasEnded(AftercareError):
    """The work on its ticket is over, so nothing can be asked for any more; reopen the ticket first."""

    kind = "conflict"


class TasksOpen(AftercareError):
    """Another department is still to do what this ticket waits for ({departments}): that must end first."""

    kind = "conflict"
    shown: ClassVar = ("tasks",)


@dataclass(frozen=True, slots=True)
class Task:
    """Something that a department is asked for.

    what      in words, without contact data, for people of other departments
    blocking  whether the work on the ticket waits for it
    owner_id  who answers for it: always somebody (R24)
    asked_by  the principal
    said      what was said last: the answer, or why it was declined, withdrawn or reopened
    changed_at  when its state changed last
    """

    id: UUID
    ticket_id: UUID
    episode: int
    department: str
    what: str
    needed_by: datetime
    blocking: bool
    state: State
    owner_id: PersonId
    asked_by: str
    asked_at: datetime
    said: str
    changed_at: datetime
    version: int

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    def is_late(self, now: datetime) -> bool:
        """Whether it is overdue, or was when it ended."""
        return (now if self.is_open else self.changed_at) > self.needed_by


def require(task: Task, command: Command) -> None:
    """`TaskNotReady` unless `command` is possible in the task's state."""
    if task.state not in MOVES[command].within:
        allowed = sorted(ALLOWED[task.state])
        raise TaskNotReady(
            state=task.state, allowed=allowed, version=task.version, possible=", ".join(allowed) or "nothing"
        )


def owner_for(
    department: Department | None, region: str, staff: Staff, gone: Collection[PersonId] = ()
) -> PersonId:
    """Who answers for a task: who is accountable, their substitutes, the members, or the region's duty lead.

    Who is away or one of `gone` is passed over. The duty lead is always somebody (R24, decision 9).
    """
    if department is not None:
        accountable = department.accountable
        for each in (accountable, *staff.heirs_of(accountable), *department.members):
            if staff.is_there(each) and each not in gone:
                return each
    return staff.answering(region).duty_lead


def needs_pause(ticket: Ticket) -> bool:
    """Whether a task that blocks lets the ticket wait right now: somebody is at work on it."""
    return "pause" in ticket.allowed


def may_be_asked(ticket: Ticket) -> bool:
    """Whether something may still be asked for: the work on the ticket is not over."""
    return "ask_department" in ticket.allowed
