"""Surveys and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from feedback.tables import answer, survey
from shared.db import Tx, insert_rows
from shared.errors import AftercareError


class NoSuchSurvey(AftercareError):
    """This link leads to no survey, or its time is over."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Survey:
    """One question to one customer about one episode; `version` is 1 and one more for each answer."""

    id: UUID
    ticket_id: UUID
    episode: int
    engineer_id: UUID | None
    score: int | None
    expires_at: datetime
    version: int


async def save_new(tx: Tx, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Keep surveys of episodes that have none yet; returns the ids that are new."""
    tail = "ON CONFLICT ON CONSTRAINT one_survey_per_episode DO NOTHING RETURNING id"
    return {row.id for row in await insert_rows(tx, survey, rows, tail=tail)}


async def lock_by_token(tx: Tx, token_hash: bytes, now: datetime) -> Survey:
    """The survey a link leads to, held; raises `NoSuchSurvey`."""
    return await _one(tx, select(survey).where(survey.c.token_hash == token_hash).with_for_update(), now)


async def load_by_token(tx: Tx, token_hash: bytes, now: datetime) -> Survey:
    """The survey a link leads to; raises `NoSuchSurvey`."""
    return await _one(tx, select(survey).where(survey.c.token_hash == token_hash), now)


async def save_answer(tx: Tx, asked: Survey, id: UUID, score: int, comment: str, suspect: bool) -> None:
    """Keep an answer; one beyond suspicion becomes the survey's score."""
    row = {"id": id, "survey_id": asked.id, "score": score, "comment": comment, "suspect": suspect}
    await insert_rows(tx, answer, [row])
    change: dict[str, Any] = {"version": asked.version + 1}
    if not suspect:
        change["score"] = score
    await tx.execute(update(survey).where(survey.c.id == asked.id).values(change))


async def _one(tx: Tx, query: Any, now: datetime) -> Survey:
    row = (await tx.execute(query)).first()
    if row is None or row.expires_at <= now:
        raise NoSuchSurvey
    return Survey(row.id, row.ticket_id, row.episode, row.engineer_id, row.score, row.expires_at, row.version)
