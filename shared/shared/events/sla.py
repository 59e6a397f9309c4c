"""What becomes of promises. Subject: the clock's id."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.envelope import Payload
from shared.events.terms import Code, Note, PersonId, Severity


class _Clock(Payload):
    about: UUID
    """The ticket, request or call that was promised something."""
    about_kind: Literal["ticket", "request", "call"]
    promise: Code
    """Which promise, for example `on_site` or `first_reply`."""
    severity: Severity | None = None
    region: Code | None = None
    deadline: datetime
    revision: int = 0


class ClockStarted(_Clock):
    """A promise is running."""

    type: ClassVar[str] = "sla.clock_started.v1"

    started_at: datetime


class ClockMet(_Clock):
    """Kept, at `met_at`."""

    type: ClassVar[str] = "sla.clock_met.v1"

    met_at: datetime


class ClockWarned(_Clock):
    """A share of the time is gone."""

    type: ClassVar[str] = "sla.clock_warned.v1"

    threshold: int
    """Percent."""
    owner_id: PersonId | None = None


class ClockBreached(_Clock):
    """Missed. `confirmed` is False while a late message might still show that it was kept."""

    type: ClassVar[str] = "sla.clock_breached.v1"

    confirmed: bool
    owner_id: PersonId | None = None
    explanation: Note = ""


class ClockPaused(_Clock):
    """The time does not count, for a reason."""

    type: ClassVar[str] = "sla.clock_paused.v1"

    reason: Note
    until: datetime | None = None
    """When it ends, where that is known."""
    note: Note = ""
    """What a person said beside the reason who paused it by hand."""
    by: PersonId | None = None


class ClockResumed(_Clock):
    """The time counts again."""

    type: ClassVar[str] = "sla.clock_resumed.v1"


class ClockCancelled(_Clock):
    """The promise no longer applies."""

    type: ClassVar[str] = "sla.clock_cancelled.v1"

    reason: Note


class ClockAmended(_Clock):
    """What was told before was wrong: a late event corrected the past."""

    type: ClassVar[str] = "sla.clock_amended.v1"

    outcome: Literal["running", "met", "breached", "cancelled"]
    previous_outcome: Literal["running", "met", "breached", "cancelled"]
    paused: bool = False
    """It runs, but its time does not count now."""


class AlertAcknowledged(_Clock):
    """Somebody has seen an alert and looks after it."""

    type: ClassVar[str] = "sla.alert_acknowledged.v1"

    alert_id: UUID
    threshold: int
    """Percent; 100 is the breach."""
    by: PersonId | None = None


class AlertSnoozed(_Clock):
    """Nobody needs to look at an alert before an instant; then it is back."""

    type: ClassVar[str] = "sla.alert_snoozed.v1"

    alert_id: UUID
    threshold: int
    """Percent; 100 is the breach."""
    until: datetime
    reason: Note
    by: PersonId | None = None


class AlertAssigned(_Clock):
    """A person is asked to look after an alert."""

    type: ClassVar[str] = "sla.alert_assigned.v1"

    alert_id: UUID
    threshold: int
    """Percent; 100 is the breach."""
    to: PersonId
    by: PersonId | None = None


class AlertEscalated(_Clock):
    """Nobody looks after a breach: the next step of the ladder was told."""

    type: ClassVar[str] = "sla.alert_escalated.v1"

    alert_id: UUID
    minutes: int
    """After the breach."""
    roles: tuple[Literal["owner", "supervisor", "team_lead", "leadership"], ...]


class PromisesPaused(Payload):
    """A person lets promises to a ticket stand, for a reason; subject: the ticket's id."""

    type: ClassVar[str] = "sla.promises_paused.v1"

    about: UUID
    about_kind: Literal["ticket", "request", "call"]
    promise: Code | None = None
    """The only one that is meant; without it all that its policy lets a person pause."""
    reason: Code
    note: Note
    until: datetime | None = None
    by: PersonId | None = None


class PromisesResumed(Payload):
    """A person lets promises that stood count again; subject: the ticket's id."""

    type: ClassVar[str] = "sla.promises_resumed.v1"

    about: UUID
    about_kind: Literal["ticket", "request", "call"]
    promise: Code | None = None
    """The only one that is meant."""
    by: PersonId | None = None


class LeadershipCalled(_Clock):
    """A person told the leadership group of a promise, before or beside the ladder."""

    type: ClassVar[str] = "sla.leadership_called.v1"

    alert_id: UUID
    threshold: int
    """Percent; 100 is the breach, 0 an alert raised by hand."""
    leader_ids: tuple[PersonId, ...] = ()
    """Who they are, as far as dispatch has told."""
    by: PersonId | None = None


class TicketUncovered(Payload):
    """Nothing is promised to a ticket, request or call, and nobody meant it so; subject: that one's id."""

    type: ClassVar[str] = "sla.ticket_uncovered.v1"

    about: UUID
    about_kind: Literal["ticket", "request", "call"]
    severity: Severity | None = None
    region: Code | None = None
    policy_version: int
    revision: int = 0
    """How often it had been covered again since."""
