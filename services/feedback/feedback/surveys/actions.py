"""Ask customers, and keep what they say."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from uuid import UUID

from feedback.surveys import rules, store
from shared.clock import uuid7
from shared.db import Tx
from shared.errors import AftercareError
from shared.events import Event
from shared.events.dispatch import TicketClosed
from shared.events.feedback import CustomerMessageRequested, SurveyAnswered, SurveySent
from shared.outbox.emit import emit


class AnsweredTooOften(AftercareError):
    """This survey was answered many times already; the last answer stands."""

    kind = "too_many"


async def ask_customers(tx: Tx, closed: Sequence[Event[TicketClosed]]) -> None:
    """One survey per resolution episode (R90): however often its end is told, and never two."""
    causes: dict[UUID, tuple[str, Event[TicketClosed]]] = {}
    rows = []
    for event in {(event.subject, event.data.episode): event for event in closed}.values():
        id, token = uuid7(), secrets.token_urlsafe(24)
        causes[id] = token, event
        rows.append(
            {
                "id": id,
                "ticket_id": UUID(event.subject),
                "episode": event.data.episode,
                "engineer_id": event.data.engineer_id,
                "region": event.data.site.region,
                "severity": event.data.severity,
                "token_hash": rules.token_hash(token),
                "expires_at": tx.now + rules.OPEN_FOR,
                "version": 1,
            }
        )
    for id in sorted(await store.save_new(tx, rows)):
        token, event = causes[id]
        sent = SurveySent(ticket_id=UUID(event.subject), episode=event.data.episode)
        emit(tx, sent, subject=id, sequence=1, cause=event)
        message = CustomerMessageRequested(
            request_id=event.data.request_id, template="survey", link=f"/feedback/survey/{token}"
        )
        emit(tx, message, subject=id, sequence=1, cause=event)


async def keep_answer(tx: Tx, token: str, proof: str, score: int, comment: str) -> bool:
    """Keep what came in; whether it counts. The newest answer beyond suspicion is the survey's score.

    Raises `NoSuchSurvey` and `AnsweredTooOften`.
    """
    survey = await store.lock_by_token(tx, rules.token_hash(token), tx.now)
    if survey.version > rules.MOST_ANSWERS:
        raise AnsweredTooOften
    suspect = rules.is_suspect(token, proof, tx.now)
    await store.save_answer(tx, survey, uuid7(), score, comment, suspect)
    if not suspect:
        answered = SurveyAnswered(
            ticket_id=survey.ticket_id, episode=survey.episode, engineer_id=survey.engineer_id, score=score
        )
        emit(tx, answered, subject=survey.id, sequence=survey.version + 1)
    return not suspect
