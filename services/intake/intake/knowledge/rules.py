"""What an article is, who sees which text of it, and when somebody must look at it again (R117)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal
from uuid import UUID

from intake.search.bigrams import grams
from shared.errors import AftercareError

Kind = Literal["faq", "repair_case", "manual", "troubleshooting"]
Language = Literal["zh", "en"]
Audience = Literal["internal", "public"]
State = Literal["draft", "published", "retired"]
Use = Literal["suggested", "used", "helped", "did_not_help"]

REVIEW_AFTER: Final = timedelta(days=180)
"""What nobody has looked at for half a year is no longer known to be right."""
MOST_GRAMS: Final = 300
"""Of what is searched for: more of a long complaint finds nothing else."""


class NotAsRead(AftercareError):
    """Somebody changed this article since you read it; load the page again and repeat your change."""

    kind = "conflict"


class NothingToRetire(AftercareError):
    """Only what is published can be retired."""

    kind = "conflict"


class OwnerMissing(AftercareError):
    """An article is published only with an owner who answers for it."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class About:
    """What is known of an article beside its text; `owner` is somebody's id, `review_on` in Beijing."""

    kind: Kind
    language: Language
    product_line: str | None
    audience: Audience
    owner: str
    review_on: date


@dataclass(frozen=True, slots=True)
class Content:
    """One version's text; `note` says what changed."""

    title: str
    body: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """One article as it stands; readers see version `published`, whoever edits it version `latest`."""

    id: UUID
    about: About
    state: State
    latest: int
    published: int | None

    @property
    def is_changed(self) -> bool:
        """Whether there is a newer text than readers see."""
        return self.published != self.latest

    def is_due(self, today: date) -> bool:
        return self.state == "published" and self.about.review_on <= today


def shown_to(article: Article, *, editor: bool, everybody: bool = False) -> int | None:
    """The version that a reader sees, None if none: the public only what is public and published."""
    if everybody and article.about.audience != "public":
        return None
    if article.state == "published":
        return article.published
    return article.latest if editor and not everybody else None


def asked_for(text: str) -> list[str]:
    """What a search looks for."""
    return grams(text)[:MOST_GRAMS]


def least_overlap(asked: Sequence[str]) -> int:
    """How many grams must be found: a word is meant, but a long complaint shares some with anything."""
    return 1 if len(asked) < 3 else 2


def next_review(today: date) -> date:
    return today + REVIEW_AFTER
