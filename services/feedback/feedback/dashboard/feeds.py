"""What the quality dashboard shows live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from feedback.dashboard import store
from feedback.dashboard.rules import Satisfaction, together
from feedback.dashboard.scope import sees, sees_all
from shared.db import Tx
from shared.http.auth import Principal, Role
from shared.http.sse import LiveFeed, Row

ROLES: Final[frozenset[Role]] = frozenset({"care", "operations", "admin"})
MOST: Final = 100
"""Answers on the page: as many as somebody reads."""


@dataclass(frozen=True, slots=True)
class Score:
    """One line of the table; a region of None is all of them."""

    region: str | None
    satisfaction: Satisfaction


async def summary(tx: Tx) -> list[Row]:
    """The whole house."""
    return [Row("all", "0", Score(None, together((await store.load_satisfaction(tx)).values())))]


async def scores(tx: Tx) -> list[Row]:
    """Satisfaction by region."""
    found = await store.load_satisfaction(tx)
    return [Row(region, region, Score(region, satisfaction)) for region, satisfaction in found.items()]


async def answers(tx: Tx) -> list[Row]:
    """The newest answers first."""
    return [
        Row(str(each.id), f"{(1 << 128) - each.id.int:039d}", each)
        for each in await store.load_said(tx, MOST)
    ]


def _for_the_region(row: Row, viewer: Principal) -> bool:
    return sees(viewer, row.data.region)


def _for_the_house(row: Row, viewer: Principal) -> bool:
    return sees_all(viewer)


SUMMARY: Final = LiveFeed(
    "summary", ROLES, summary, store.surveys_version, "summary.html", visible=_for_the_house
)
SCORES: Final = LiveFeed(
    "scores", ROLES, scores, store.surveys_version, "score.html", visible=_for_the_region
)
ANSWERS: Final = LiveFeed(
    "answers", ROLES, answers, store.surveys_version, "answer.html", visible=_for_the_region
)
ALL: Final = (SUMMARY, SCORES, ANSWERS)


async def shown(tx: Tx, viewer: Principal) -> dict[str, Any]:
    """The rows of every feed that `viewer` may see, by the feed's name."""
    return {feed.name: [row for row in await feed.snapshot(tx) if feed.visible(row, viewer)] for feed in ALL}
