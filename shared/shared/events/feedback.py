"""What customers think. Subject: the survey's id."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from shared.events.envelope import Payload
from shared.events.terms import Code, Note, PersonId


class SurveySent(Payload):
    """One survey per resolution episode (R90)."""

    type: ClassVar[str] = "feedback.survey_sent.v1"

    ticket_id: UUID
    episode: int


class SurveyAnswered(Payload):
    """A score from 1 (bad) to 5 (good)."""

    type: ClassVar[str] = "feedback.survey_answered.v1"

    ticket_id: UUID
    episode: int
    engineer_id: PersonId | None = None
    score: int


class CustomerMessageRequested(Payload):
    """Intake should tell the customer something; only intake sends."""

    type: ClassVar[str] = "feedback.customer_message_requested.v1"

    request_id: UUID
    template: Code
    link: str | None = None
    facts: tuple[tuple[Code, Note], ...] = ()
