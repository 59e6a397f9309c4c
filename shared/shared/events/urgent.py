"""What dispatch tells of urgent and major work: who is called in, what they decide, how they see it from far.

Subject: the ticket's id; sequence: its version. The words stay with dispatch.
"""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from shared.events.envelope import Payload
from shared.events.terms import Code, PersonId, Severity

SolutionFlag = Literal["safety", "incident", "vip", "cost"]
"""What makes a solution a major one, whatever the severity (decision 21)."""


class GroupFormed(Payload):
    """The emergency group of an urgent ticket; its leader is the owner (R22)."""

    type: ClassVar[str] = "dispatch.group_formed.v1"

    leader_id: PersonId
    member_ids: tuple[PersonId, ...]


class LeadershipInformed(Payload):
    """The leadership group was told of an urgent ticket (R23)."""

    type: ClassVar[str] = "dispatch.leadership_informed.v1"

    leader_ids: tuple[PersonId, ...]
    severity: Severity


class LeadershipAcknowledged(Payload):
    """One of the leaders who were informed looks after the ticket now (R23)."""

    type: ClassVar[str] = "dispatch.leadership_acknowledged.v1"

    by: PersonId | None = None
    """None where an account that is no employee's did it for them."""


class SolutionProposed(Payload):
    """How it is to be solved (R23); what was proposed in words stays with us."""

    type: ClassVar[str] = "dispatch.solution_proposed.v1"

    solution_id: UUID
    episode: int
    by: PersonId | None = None
    """None where an account that is no employee's did it, like everywhere below."""
    flags: tuple[SolutionFlag, ...] = ()
    """What makes it a major one; leadership decides then. Empty: nobody has to."""
    grounds: tuple[Code, ...] = ()
    """Codes of the urgent policy, as the proposer ticked them."""
    cost: int | None = None
    """In minor units."""
    currency: Code | None = None
    """Of ISO 4217."""
    leader_ids: tuple[PersonId, ...] = ()
    """Who is asked."""
    supersedes: UUID | None = None
    """The proposal that it takes the place of."""


class SolutionDecided(Payload):
    """Leadership approved or rejected a major solution, or it was withdrawn before (R23)."""

    type: ClassVar[str] = "dispatch.solution_decided.v1"

    solution_id: UUID
    episode: int
    verdict: Literal["approved", "rejected", "withdrawn"]
    by: PersonId | None = None


class GroupNoted(Payload):
    """Something about how those around an urgent ticket work together (R22, R39); the words stay with us."""

    type: ClassVar[str] = "dispatch.group_noted.v1"

    what: Literal["seen", "note", "plan", "plan_step", "incident"]
    """Seen by somebody; a note; another emergency plan; a step of it is done; part of an incident or not."""
    episode: int
    by: PersonId | None = None
    plan: Code | None = None
    item: Code | None = None
    """The step of the plan."""
    incident_id: UUID | None = None
    linked: bool | None = None
    """Whether it belongs to the incident now."""


class RemoteSessionNoted(Payload):
    """Remote assistance (R136): a session began, the customer was invited, it ended, it is recorded there.

    Where it is held is told to nobody here: who knows the address of a room may enter it.
    """

    type: ClassVar[str] = "dispatch.remote_session_noted.v1"

    what: Literal["started", "invited", "ended", "recorded"]
    session_id: UUID
    episode: int
    by: PersonId | None = None
    minutes: int | None = None
    """From the start to the end."""
    participants: int | None = None
    """How many took part, as far as is known; the customer is one."""
