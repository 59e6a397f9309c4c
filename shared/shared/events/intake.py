"""What the service desk tells. Subjects: the request's id; for calls the call's id."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

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
    product_line: Code | None = None
    site: Site
    title: Note
    """One line, contact data removed."""
    reasons: tuple[Reason, ...] = ()
    call_id: UUID | None = None
    """The call it was taken from, if any."""


class RequestReclassified(Payload):
    """A person overruled the triage; both judgements are kept."""

    type: ClassVar[str] = "intake.request_reclassified.v1"

    kind: Kind
    severity: Severity
    by: PersonId
    reason: Note


class RequestAnswered(Payload):
    """A person answered the customer for the first time; an automatic acknowledgement is no answer."""

    type: ClassVar[str] = "intake.request_answered.v1"

    channel: Channel
    by: PersonId


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
