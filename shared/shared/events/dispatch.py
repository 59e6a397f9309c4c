"""What happens to tickets. Subject: the ticket's id; sequence: its version."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.envelope import Payload
from shared.events.terms import Code, Kind, Level, Note, PartLine, PersonId, Reason, Severity, Site, Tier

WaitingFor = Literal["customer", "parts", "vendor", "other_department"]
"""Whom or what work may have to wait for."""
CancelledAs = Literal["duplicate", "solved_at_desk", "withdrawn", "by_mistake", "other"]
"""Why there is nothing to be done after all."""
EndedAs = Literal[
    "accepted", "unconfirmed", "duplicate", "solved_at_desk", "withdrawn", "by_mistake", "other"
]
"""How an episode ended: closed as one of the first two, cancelled as one of the others."""
JobKind = Literal[
    "repair",
    "installation",
    "commissioning",
    "maintenance",
    "training",
    "upgrade",
    "return_pickup",
    "inspection",
]
"""What is to be done, by its own checklist (R26, R31, R32)."""
ReopenedBy = Literal["dispatcher", "customer", "desk"]
"""Who came back; `desk`: the service desk found that the ticket was no duplicate."""


class TicketOpened(Payload):
    """Work exists, and somebody is accountable for it from this instant (R24)."""

    type: ClassVar[str] = "dispatch.ticket_opened.v1"

    request_id: UUID
    customer_id: UUID
    customer_level: Level = "standard"
    kind: Kind
    severity: Severity
    product_line: Code | None = None
    site: Site
    title: Note
    owner_id: PersonId
    episode: int = 1
    job_kind: JobKind | None = None
    planned_minutes: int | None = None


class OwnerChanged(Payload):
    """Another person is accountable now."""

    type: ClassVar[str] = "dispatch.owner_changed.v1"

    owner_id: PersonId
    previous_owner_id: PersonId
    reason: Note


class TicketAssigned(Payload):
    """The engineer has received the task: from here run the clocks R54–R58."""

    type: ClassVar[str] = "dispatch.ticket_assigned.v1"

    request_id: UUID
    engineer_id: PersonId
    supervisor_id: PersonId | None = None
    """Guides and supervises an important ticket (R21)."""
    tier: Tier
    severity: Severity
    centre: Code
    same_city: bool
    """Whether the site's city is the city of the assigned service centre."""
    site: Site
    episode: int = 1
    reasons: tuple[Reason, ...] = ()


class AssignmentAccepted(Payload):
    """接单: the engineer took the task."""

    type: ClassVar[str] = "dispatch.assignment_accepted.v1"

    engineer_id: PersonId


class AssignmentWithdrawn(Payload):
    """Who had the task cannot do it any more; whoever is asked instead is told by `TicketAssigned`."""

    type: ClassVar[str] = "dispatch.assignment_withdrawn.v1"

    engineer_id: PersonId
    reason: Note


class SupervisorChanged(Payload):
    """Somebody else guides and supervises (R21)."""

    type: ClassVar[str] = "dispatch.supervisor_changed.v1"

    supervisor_id: PersonId


class AssignmentDeclined(Payload):
    """The engineer cannot take it; the next one is asked."""

    type: ClassVar[str] = "dispatch.assignment_declined.v1"

    engineer_id: PersonId
    reason: Note


class TicketRegraded(Payload):
    """Another severity or another place applies, to the past too."""

    type: ClassVar[str] = "dispatch.ticket_regraded.v1"

    severity: Severity
    previous_severity: Severity
    by: PersonId
    reason: Note
    site: Site | None = None
    """Where the work is, if a person corrected that; what was promised by the place follows."""
    same_city: bool | None = None
    """Of whoever stays at work there; who is chosen anew is told by `TicketAssigned`."""


class TicketAmended(Payload):
    """What is told of a ticket is another one now; nobody has to do anything else for it.

    Only what changed is there. The title of a forgotten customer's ticket is a dash.
    """

    type: ClassVar[str] = "dispatch.ticket_amended.v1"

    kind: Kind | None = None
    customer_level: Level | None = None
    title: Note | None = None
    job_kind: JobKind | None = None
    planned_minutes: int | None = None


VisitBy = Literal["customer", "engineer", "dispatcher"]
"""Who agreed, moved or cancelled a visit."""


class VisitOffered(Payload):
    """The customer was sent a link by which to choose a time."""

    type: ClassVar[str] = "dispatch.visit_offered.v1"

    by: PersonId | None = None
    """None where an account that is no employee's did it."""


class VisitAgreed(Payload):
    """A time was agreed with the customer (R58)."""

    type: ClassVar[str] = "dispatch.visit_agreed.v1"

    visit_id: UUID
    engineer_id: PersonId
    starts_at: datetime
    ends_at: datetime
    at_customers_wish: bool = False
    """A later time that the customer asked for pauses the on-site clock."""
    moved_from: datetime | None = None
    """When it would have begun, where another time was agreed before."""
    by: VisitBy | None = None
    """None where the appointment stays and another engineer comes, and in what was told before."""
    reason: Note | None = None
    """Why it was moved."""
    customer_absent: bool = False
    """The engineer came at the time before, and the customer was not there."""


class VisitCancelled(Payload):
    """What was agreed does not take place, and no other time is agreed yet."""

    type: ClassVar[str] = "dispatch.visit_cancelled.v1"

    visit_id: UUID
    engineer_id: PersonId
    starts_at: datetime
    ends_at: datetime
    by: VisitBy | None = None
    """None where the engineer changed, and who comes instead is not free then."""
    reason: Note
    customer_absent: bool = False


class EngineerDeparted(Payload):
    """出发."""

    type: ClassVar[str] = "dispatch.engineer_departed.v1"

    engineer_id: PersonId


class EngineerArrived(Payload):
    """到达: on site."""

    type: ClassVar[str] = "dispatch.engineer_arrived.v1"

    engineer_id: PersonId
    device_time: datetime | None = None


class TicketProgressed(Payload):
    """The work itself begins, at the site or from afar (R26, R27)."""

    type: ClassVar[str] = "dispatch.ticket_progressed.v1"

    engineer_id: PersonId
    to: Literal["working"]
    remote: bool = False


class WorkNoted(Payload):
    """Something was ticked or written down about the work itself (R26, R33); the words stay with us."""

    type: ClassVar[str] = "dispatch.work_noted.v1"

    what: Literal["checklist", "work_log", "photo", "signature"]
    episode: int
    by: PersonId | None = None
    items: tuple[Code, ...] = ()
    """Of the checklist."""
    minutes: int | None = None
    """Of work, more than was known before."""
    remote: bool | None = None
    visit_id: UUID | None = None
    """The visit that the work belongs to."""


class TicketPaused(Payload):
    """Work waits for somebody else; which promises wait with it is the policy's word."""

    type: ClassVar[str] = "dispatch.ticket_paused.v1"

    waiting_for: WaitingFor
    note: Note = ""
    expected_at: datetime | None = None
    by: PersonId | None = None
    task_id: UUID | None = None
    """Of the task of another department that it waits for; its end ends the waiting."""


class TicketResumed(Payload):
    """The waiting is over; it goes on where it was."""

    type: ClassVar[str] = "dispatch.ticket_resumed.v1"

    to: Literal["accepted", "visit_agreed", "travelling", "on_site", "working"]


class CustomerInformed(Payload):
    """The customer heard from a person how it goes, at the desk or from the ticket (R62).

    The event's time is when: what was answered at the desk may come to be known later.
    """

    type: ClassVar[str] = "dispatch.customer_informed.v1"

    by: PersonId | None = None
    """None where an account that is no employee's did it."""


class TicketResolved(Payload):
    """完成: the engineer says it works; the customer has the last word."""

    type: ClassVar[str] = "dispatch.ticket_resolved.v1"

    request_id: UUID
    customer_id: UUID
    engineer_id: PersonId
    episode: int
    fault_code: Code | None = None
    first_visit: bool = True
    cause_code: Code | None = None
    job_kind: JobKind | None = None
    planned_minutes: int | None = None
    minutes: int | None = None
    """Of work, as it was written down in this episode (R28)."""


class ResultAccepted(Payload):
    """The customer accepts the result (R29)."""

    type: ClassVar[str] = "dispatch.result_accepted.v1"

    episode: int


class ResultRejected(Payload):
    """The customer does not: the same episode goes on."""

    type: ClassVar[str] = "dispatch.result_rejected.v1"

    episode: int
    reason: Note


class ResultUnconfirmed(Payload):
    """The customer said nothing in spite of all reminders (decision 10)."""

    type: ClassVar[str] = "dispatch.result_unconfirmed.v1"

    episode: int


class TicketClosed(Payload):
    """The end of an episode; only `accepted` counts as solved (R30)."""

    type: ClassVar[str] = "dispatch.ticket_closed.v1"

    request_id: UUID
    customer_id: UUID
    engineer_id: PersonId | None = None
    reason: Literal["accepted", "unconfirmed"]
    severity: Severity
    site: Site
    episode: int
    transfers: int | None = None
    """How often the ticket has gone to another engineer so far, in all its episodes (R128)."""


class TicketCancelled(Payload):
    """The end of an episode in which nothing was to be done after all; nobody is asked for a score."""

    type: ClassVar[str] = "dispatch.ticket_cancelled.v1"

    request_id: UUID
    customer_id: UUID
    engineer_id: PersonId | None = None
    reason: CancelledAs
    note: Note = ""
    duplicate_of: UUID | None = None
    """The ticket in whose place it was cancelled."""
    by: PersonId | None = None
    severity: Severity
    site: Site
    episode: int


class TicketReopened(Payload):
    """The next episode begins: its clocks start anew, and it deserves a survey of its own (decision 14)."""

    type: ClassVar[str] = "dispatch.ticket_reopened.v1"

    request_id: UUID
    customer_id: UUID
    was: EndedAs | None = None
    """How the episode before ended."""
    reason: Note
    asked_by: ReopenedBy
    by: PersonId | None = None
    severity: Severity
    site: Site
    owner_id: PersonId
    episode: int


class PartsRequested(Payload):
    """The engineer needs parts (R73); subject: the ticket."""

    type: ClassVar[str] = "dispatch.parts_requested.v1"

    requisition_id: UUID
    engineer_id: PersonId
    centre: Code
    lines: tuple[PartLine, ...]


class CustomerMessageRequested(Payload):
    """Intake should tell the customer something; only intake sends."""

    type: ClassVar[str] = "dispatch.customer_message_requested.v1"

    request_id: UUID
    template: Code
    link: str | None = None
    """A signed page of the asking service."""
    facts: tuple[tuple[Code, Note], ...] = ()
