"""What the quality dashboard shows live."""

from __future__ import annotations

from typing import Final

from feedback.surveys import store
from shared.db import Tx
from shared.http.auth import Role
from shared.http.sse import LiveFeed, Row

ROLES: Final[frozenset[Role]] = frozenset({"care", "operations", "admin"})


async def answers(tx: Tx) -> list[Row]:
    """The newest answers first."""
    return [
        Row(str(row.id), f"{(1 << 128) - row.id.int:039d}", dict(row._mapping))
        for row in await store.load_answers(tx)
    ]


async def scores(tx: Tx) -> list[Row]:
    """Satisfaction by region."""
    return [Row(row.region, row.region, dict(row._mapping)) for row in await store.load_scores(tx)]


ANSWERS: Final = LiveFeed("answers", ROLES, answers, store.surveys_version, "answer.html")
SCORES: Final = LiveFeed("scores", ROLES, scores, store.surveys_version, "score.html")
