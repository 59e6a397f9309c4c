"""What the service desk tells. Subjects: the request's id; for calls the call's id."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Final
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from shared.events.envelope import Payload
from shared.events.terms import Channel, Code, Kind, Level, Note, PersonId, Reason, Severity, Site


class RequestRegistered(Payload):
    """A customer's request is stored and triaged; the event's time is when it reached us (R03, R06)."""

    type: ClassVar[str] = "intake.request_registered.v1"

    channel: Channel
    customer_id: UUID
    customer_level: Level = "standard"
    kind: Kind
    severity: Severity
    difficulty: int = 1
    """1 easy … 5 hard (R10)."""
    skills: tuple[Code, ...] = ()
    parts: tuple[Code, ...] = ()
    """Families of parts that may be needed, such as `belt`: a guess, no stock numbers (R10)."""
    hours: float | None = None
    """Of work, estimated (R10)."""
    product_line: Code | None = None
    site: Site
    title: Note
    """One line, contact data removed."""
    reasons: tuple[Reason, ...] = ()
    call_id: UUID | None = None
    """The call it was taken from, if any."""
    device_id: UUID | None = None
    """The product it is about, where its label said so."""


class RequestReclassified(Payload):
    """A person overruled the triage, or said where the work is; what was judged before is kept."""

    type: ClassVar[str] = "intake.request_reclassified.v1"

    kind: Kind
    severity: Severity
    by: PersonId
    reason: Note
    site: Site | None = None
    """Where it is as far as is known now: a person may have corrected that too."""


class RequestAnswered(Payload):
    """A person answered the customer for the first time; an automatic acknowledgement is no answer."""

    type: ClassVar[str] = "intake.request_answered.v1"

    channel: Channel
    by: PersonId


class AnswerGiven(Payload):
    """A person answered the customer: each time, the first time too (R62)."""

    type: ClassVar[str] = "intake.answer_given.v1"

    channel: Channel
    by: PersonId


class RequestClosed(Payload):
    """The work on a request is over, its ticket is closed; the event's time is when that was."""

    type: ClassVar[str] = "intake.request_closed.v1"

    ticket_id: UUID


class RequestReopened(Payload):
    """The work on a request goes on, in another episode of its ticket."""

    type: ClassVar[str] = "intake.request_reopened.v1"

    ticket_id: UUID
    mistaken: bool = False
    """It should not have been ended at all: what was promised until then counts as if it had not been."""


class RequestSolved(Payload):
    """The desk answered a simple question, and that was all there was to do: no work is left (R11).

    Whoever opened a ticket for it can end it without an acceptance.
    """

    type: ClassVar[str] = "intake.request_solved.v1"

    request_id: UUID
    solved_at: AwareDatetime
    by: PersonId
    channel: Channel | None = None
    """By which it was answered."""


class _Call(Payload):
    region: Code
    request_id: UUID | None = None


class CallRang(_Call):
    """A call began to ring at the centre (R50)."""

    type: ClassVar[str] = "intake.call_rang.v1"


class CallAnswered(_Call):
    """Somebody picked up."""

    type: ClassVar[str] = "intake.call_answered.v1"

    by: PersonId | None = None


class CallBusy(_Call):
    """The caller got the busy signal: call back within three minutes (R51)."""

    type: ClassVar[str] = "intake.call_busy.v1"


class CallMissed(_Call):
    """Nobody picked up in time, or the caller gave up: call back within three minutes (R51)."""

    type: ClassVar[str] = "intake.call_missed.v1"


class CallEnded(_Call):
    """The line is free again."""

    type: ClassVar[str] = "intake.call_ended.v1"


class CallReturned(_Call):
    """The customer was called back."""

    type: ClassVar[str] = "intake.call_returned.v1"

    by: PersonId | None = None


class MessageSent(Payload):
    """A message to the customer left the house."""

    type: ClassVar[str] = "intake.message_sent.v1"

    template: Code
    channel: Channel
    sent_at: datetime


class _Incident(Payload):
    product_line: Code | None = None
    region: Code
    title: Note
    cause: Note = ""
    recovery_at: AwareDatetime | None = None
    customers_told: int = 0
    """For how many a message was queued at this step; whether it reaches them shows later."""
    by: PersonId


class IncidentDeclared(_Incident):
    """Many requests have one cause, says a person; subject: the incident's id (R13)."""

    type: ClassVar[str] = "intake.incident_declared.v1"


class IncidentUpdated(_Incident):
    """Cause or expected recovery is known better; whole state."""

    type: ClassVar[str] = "intake.incident_updated.v1"


class IncidentEnded(_Incident):
    """It works again."""

    type: ClassVar[str] = "intake.incident_ended.v1"


class RequestLinked(Payload):
    """A request belongs to an incident, or no longer does; subject: the request's id."""

    type: ClassVar[str] = "intake.request_linked.v1"

    incident_id: UUID
    linked: bool = True
    by: PersonId


class _Same(Payload):
    main_id: UUID
    ticket_id: UUID | None = None
    """Of the request that is merged, if it has one; dispatch cancels it while the main one's is open."""
    by: PersonId


class RequestMerged(_Same):
    """A request is part of another one of the same customer, says a person; subject: the newer one's id."""

    type: ClassVar[str] = "intake.request_merged.v1"


class RequestSplit(_Same):
    """They are two after all; each has what it had."""

    type: ClassVar[str] = "intake.request_split.v1"


class CustomerChanged(Payload):
    """A customer is of another level; subject: the customer's id."""

    type: ClassVar[str] = "intake.customer_changed.v1"

    level: Level


class CustomerErased(Payload):
    """A customer is forgotten: contact data and words are gone, figures stay; subject: the customer's id."""

    type: ClassVar[str] = "intake.customer_erased.v1"

    requests: int = Field(ge=0)
    """How many requests lost their words."""


Label = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""What another system calls a ticket, a place or a team; never a person."""

MOST_HAPPENINGS: Final = 500
"""Of one imported ticket: an event stays far below what a broker takes."""


class HistoryFacts(BaseModel):
    """What was known of an imported ticket when something happened to it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    severity: Severity | None = None
    channel: Channel | None = None
    region: Label | None = None
    team: Label | None = None
    product_line: Code | None = None
    customer_level: Level | None = None
    same_city: bool | None = None
    at_customers_wish: bool | None = None
    starts_at: AwareDatetime | None = None
    reason: Code | None = None


class HistoryHappening(BaseModel):
    """Something that happened to an imported ticket, in the words of our own events, without a version."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Code = Field(examples=["dispatch.ticket_assigned"])
    at: AwareDatetime
    facts: HistoryFacts = HistoryFacts()


class HistoryImported(Payload):
    """A ticket of another system with all that happened to it: for replays only, it starts no clock.

    Subject: `history_subject`. A later import of the same ticket takes the place of an earlier one.
    """

    type: ClassVar[str] = "intake.history_imported.v1"

    source: Code
    ticket: Label
    happenings: tuple[HistoryHappening, ...]


_HISTORIES: Final = UUID("6f1d2c5e-3a0b-5b8e-9d55-0c2f6a7e41b3")


def history_subject(source: str, ticket: str) -> UUID:
    """The identifier of an imported ticket, the same whenever it is imported."""
    return uuid5(_HISTORIES, f"{source}\n{ticket}")
