"""What surveys add up to; reads what `surveys` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, exists, func, not_, select

from feedback.dashboard.rules import PERIOD, Satisfaction
from feedback.tables import answer, survey
from shared.clock import uuid7_floor
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Said:
    """One answer and what it is about; `counted` if its survey's score is this one."""

    id: UUID
    score: int
    comment: str
    counted: bool
    region: str
    severity: str


async def load_satisfaction(tx: Tx) -> dict[str, Satisfaction]:
    """By region, of the surveys of the period."""
    counts = [func.count().filter(survey.c.score == score).label(f"of_{score}") for score in range(1, 6)]
    query = select(survey.c.region, func.count().label("sent"), *counts)
    rows = await tx.execute(_recent(query, tx).group_by(survey.c.region).order_by(survey.c.region))
    return {
        row.region: Satisfaction(row.sent, (row.of_1, row.of_2, row.of_3, row.of_4, row.of_5)) for row in rows
    }


async def load_said(tx: Tx, most: int) -> list[Said]:
    """The newest answers."""
    later = answer.alias()
    replaced = exists().where(
        later.c.survey_id == answer.c.survey_id, later.c.id > answer.c.id, not_(later.c.suspect)
    )
    counted = not_(answer.c.suspect | replaced).label("counted")
    query = (
        select(answer.c.id, answer.c.score, answer.c.comment, counted, survey.c.region, survey.c.severity)
        .join(survey, survey.c.id == answer.c.survey_id)
        .order_by(answer.c.id.desc())
        .limit(most)
    )
    return [Said(**row) for row in (await tx.execute(query)).mappings()]


async def surveys_version(tx: Tx) -> tuple[Any, ...]:
    """Differs after every change of the period's surveys; a hash, because one may leave as another comes."""
    seen = func.hashtextextended(cast(survey.c.id, Text), survey.c.version)
    return tuple((await tx.execute(_recent(select(func.count(), func.sum(seen)), tx))).one())


def _recent(query: Any, tx: Tx) -> Any:
    return query.where(survey.c.id >= uuid7_floor(tx.now - PERIOD))
