"""What dispatch tells of those who help with a ticket: other departments, experts, who signs a plan off.

Subject: the ticket's id; sequence: its version. The words stay with dispatch.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.envelope import Payload
from shared.events.terms import Code, PersonId

WithdrawnAs = Literal["not_needed", "ticket_ended", "deescalated"]
"""Why a task is not to be done any more: somebody says so, its ticket ended, or its level was taken back."""


class TaskAsked(Payload):
    """A department is asked for something on a ticket; somebody there is accountable at once (R37)."""

    type: ClassVar[str] = "dispatch.task_asked.v1"

    task_id: UUID
    department: Code
    owner_id: PersonId
    needed_by: datetime
    blocking: bool
    """Whether the work on the ticket waits for it."""
    episode: int
    by: PersonId | None = None


class TaskAccepted(Payload):
    """Somebody of the department is at it, and answers for it from now on."""

    type: ClassVar[str] = "dispatch.task_accepted.v1"

    task_id: UUID
    department: Code
    owner_id: PersonId


class TaskHandedOn(Payload):
    """Another person answers for a task."""

    type: ClassVar[str] = "dispatch.task_handed_on.v1"

    task_id: UUID
    department: Code
    owner_id: PersonId
    previous_owner_id: PersonId
    by: PersonId | None = None


class TaskDone(Payload):
    """The department has done what it was asked for."""

    type: ClassVar[str] = "dispatch.task_done.v1"

    task_id: UUID
    department: Code
    owner_id: PersonId
    late: bool
    """Whether it came after it was needed."""
    by: PersonId | None = None


class TaskDeclined(Payload):
    """The department cannot or will not; the reason stands with the task."""

    type: ClassVar[str] = "dispatch.task_declined.v1"

    task_id: UUID
    department: Code
    owner_id: PersonId
    by: PersonId | None = None


class TaskWithdrawn(Payload):
    """It is not needed any more."""

    type: ClassVar[str] = "dispatch.task_withdrawn.v1"

    task_id: UUID
    department: Code
    why: WithdrawnAs
    by: PersonId | None = None


class TaskReopened(Payload):
    """What was done, declined or withdrawn is needed after all."""

    type: ClassVar[str] = "dispatch.task_reopened.v1"

    task_id: UUID
    department: Code
    owner_id: PersonId
    needed_by: datetime
    blocking: bool
    by: PersonId | None = None


Support = Literal["l1", "l2", "rnd"]
"""Who a ticket's level of support is: who serves customers, experts of the product, R&D (R25)."""


class TicketEscalated(Payload):
    """A higher level of support helps with a ticket, or takes it over (R25)."""

    type: ClassVar[str] = "dispatch.ticket_escalated.v1"

    level: Support
    previous_level: Support
    how: Literal["supports", "takes_over", "department"]
    """`supports`: the engineer and the owner stay; `takes_over`: the expert gets the ticket."""
    helper_id: PersonId | None = None
    task_id: UUID | None = None
    """What R&D is asked for."""
    by: PersonId | None = None


class TicketDeescalated(Payload):
    """The higher level is not needed any more; whoever has the ticket has it still."""

    type: ClassVar[str] = "dispatch.ticket_deescalated.v1"

    level: Support
    previous_level: Support
    by: PersonId | None = None


class HelperChanged(Payload):
    """Another expert helps: who did cannot any more."""

    type: ClassVar[str] = "dispatch.helper_changed.v1"

    helper_id: PersonId | None = None


class PlanProposed(Payload):
    """The engineer has written how a ticket is to be repaired; its supervisor is to sign it off (R21)."""

    type: ClassVar[str] = "dispatch.plan_proposed.v1"

    number: int
    """Of the plans of this episode, from 1."""
    episode: int
    minutes: int
    by: PersonId | None = None


class PlanDecided(Payload):
    """The supervisor has signed a plan off, or sent it back."""

    type: ClassVar[str] = "dispatch.plan_decided.v1"

    number: int
    episode: int
    signed: bool
    by: PersonId | None = None
