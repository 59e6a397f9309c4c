"""Articles, their versions, how they are found, and whether they were of use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Integer, Text, bindparam, func, select, text, update

from intake.knowledge.rules import About, Article, Content, Use
from intake.tables.knowledge import article, article_usage, article_version
from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.errors import AftercareError


class NoSuchArticle(AftercareError):
    """There is no such article here."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Found:
    """An article that was searched for, with the text its readers see."""

    id: UUID
    kind: str
    language: str
    product_line: str | None
    audience: str
    title: str
    body: str


_ABOUT = tuple(About.__slots__)

# What few articles have says more than what all have; what the title says counts three times.
_SEARCH = text(
    """
    WITH asked AS (
        SELECT gram,
               ln(1 + (SELECT count(*) FROM article WHERE state = 'published') / count(*)::float) AS says
        FROM unnest(CAST(:asked AS text[])) AS asked (gram)
        JOIN article ON state = 'published' AND grams @> ARRAY[gram]
        GROUP BY gram
    )
    SELECT article.id, kind, language, product_line, audience, title, body
    FROM article
    JOIN article_version ON article_id = article.id AND version = published
    CROSS JOIN LATERAL (
        SELECT count(*) AS number, sum(says * CASE WHEN gram = ANY(title_grams) THEN 3 ELSE 1 END) AS weight
        FROM asked WHERE gram = ANY(grams)
    ) AS overlap
    WHERE state = 'published' AND grams && CAST(:asked AS text[]) AND number >= :least
      AND (audience = 'public' OR NOT :everybody)
      AND (product_line IS NULL OR CAST(:product_line AS text) IS NULL OR product_line = :product_line)
    ORDER BY weight DESC, article.id LIMIT :most
    """
).bindparams(
    bindparam("asked", type_=ARRAY(Text)),
    bindparam("least", type_=Integer),
    bindparam("most", type_=Integer),
    bindparam("everybody", type_=Boolean),
    bindparam("product_line", type_=Text),
)


async def search(
    tx: Tx,
    asked: Sequence[str],
    most: int,
    *,
    least: int = 1,
    everybody: bool = False,
    product_line: str | None = None,
) -> list[Found]:
    """Published articles that have at least `least` of the grams, those that say most about them first.

    `everybody` leaves internal ones out; `product_line` leaves out those of others.
    """
    if not asked:
        return []
    parameters = {
        "asked": list(asked),
        "least": least,
        "most": most,
        "everybody": everybody,
        "product_line": product_line,
    }
    return [Found(**row._mapping) for row in await tx.execute(_SEARCH, parameters)]


async def save_new(tx: Tx, id: UUID, about: About, content: Content, by: str) -> None:
    """A draft, version 1."""
    row = asdict(about) | {"id": id, "state": "draft", "latest": 1, "title_grams": [], "grams": []}
    # One row with arrays in it: an array of arrays would have to be rectangular.
    await tx.execute(article.insert().values(row))
    await save_version(tx, id, 1, content, by)


async def save_version(tx: Tx, id: UUID, version: int, content: Content, by: str) -> None:
    row = asdict(content) | {"article_id": id, "version": version, "by": by, "at": tx.now}
    await insert_rows(tx, article_version, [row])


async def save(tx: Tx, id: UUID, **changes: Any) -> None:
    await tx.execute(update(article).where(article.c.id == id).values(changes))


async def load(tx: Tx, id: UUID) -> Article:
    """Raises `NoSuchArticle`."""
    return await _one(tx, select(article).where(article.c.id == id))


async def lock(tx: Tx, id: UUID) -> Article:
    """The same, held until the transaction ends."""
    return await _one(tx, select(article).where(article.c.id == id).with_for_update())


async def load_content(tx: Tx, id: UUID, version: int) -> Content:
    """The text of a version."""
    query = select(article_version).where(
        article_version.c.article_id == id, article_version.c.version == version
    )
    row = (await tx.execute(query)).first()
    if row is None:
        raise NoSuchArticle
    return Content(row.title, row.body, row.note)


async def load_versions(tx: Tx, id: UUID) -> Sequence[Any]:
    """Every version, the newest first."""
    query = select(article_version).where(article_version.c.article_id == id)
    return (await tx.execute(query.order_by(article_version.c.version.desc()))).all()


async def load_all(
    tx: Tx, most: int, *, drafts: bool, everybody: bool = False, due_on: date | None = None
) -> list[tuple[Article, str]]:
    """Articles with their latest title: the ones to be reviewed first come first."""
    query = (
        select(article, article_version.c.title)
        .join(
            article_version,
            (article_version.c.article_id == article.c.id)
            & (article_version.c.version == func.coalesce(article.c.published, article.c.latest)),
        )
        .order_by(article.c.review_on, article.c.id)
        .limit(most)
    )
    if not drafts:
        query = query.where(article.c.state == "published")
    if everybody:
        query = query.where(article.c.audience == "public")
    if due_on is not None:
        query = query.where(article.c.state == "published", article.c.review_on <= due_on)
    return [(_article(row), row.title) for row in await tx.execute(query)]


async def note_use(tx: Tx, articles: Iterable[UUID], what: Use, request_id: UUID | None) -> None:
    """Remember that articles were suggested, used or helped; of one request once."""
    rows = [
        {"id": uuid7(), "article_id": each, "request_id": request_id, "what": what, "at": tx.now}
        for each in articles
    ]
    await insert_rows(tx, article_usage, rows, tail="ON CONFLICT DO NOTHING")


async def load_uses(tx: Tx, articles: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """How often each was suggested, used, of help, of none."""
    query = (
        select(article_usage.c.article_id, article_usage.c.what, func.count().label("times"))
        .where(article_usage.c.article_id.in_(articles))
        .group_by(article_usage.c.article_id, article_usage.c.what)
    )
    found: dict[UUID, dict[str, int]] = {id: {} for id in articles}
    for row in await tx.execute(query):
        found[row.article_id][row.what] = row.times
    return found


async def load_used(tx: Tx, request_id: UUID) -> dict[UUID, set[str]]:
    """What was done with which article for one request."""
    query = select(article_usage).where(article_usage.c.request_id == request_id)
    found: dict[UUID, set[str]] = {}
    for row in await tx.execute(query):
        found.setdefault(row.article_id, set()).add(row.what)
    return found


async def _one(tx: Tx, query: Any) -> Article:
    row = (await tx.execute(query)).first()
    if row is None:
        raise NoSuchArticle
    return _article(row)


def _article(row: Any) -> Article:
    about = About(**{name: getattr(row, name) for name in _ABOUT})
    return Article(row.id, about, row.state, row.latest, row.published)
