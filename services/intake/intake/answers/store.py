"""Answer templates: the only SQL about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from intake.answers.rules import NoSuchTemplate, TitleTaken
from intake.tables.answers import answer_template
from intake.tables.sending import acknowledgement
from shared.db import Tx, insert_rows
from shared.db.engine import sqlstate

_UNIQUE_VIOLATION = "23505"
_ORDER = (answer_template.c.language.desc(), answer_template.c.title)


async def load_all(tx: Tx) -> Sequence[Any]:
    """Chinese first, by title."""
    return (await tx.execute(select(answer_template).order_by(*_ORDER))).all()


async def load_titles(tx: Tx, first: str) -> list[tuple[str, Sequence[Any]]]:
    """What an agent chooses from: by language, that of `first` (a tag) before the other."""
    columns = answer_template.c.id, answer_template.c.language, answer_template.c.title
    rows = (await tx.execute(select(*columns).order_by(*_ORDER))).all()
    languages = sorted({row.language for row in rows}, key=lambda each: not first.startswith(each))
    return [(each, [row for row in rows if row.language == each]) for each in languages]


async def load(tx: Tx, id: UUID, *, lock: bool = False) -> Any:
    """Raises `NoSuchTemplate`."""
    chosen = select(answer_template).where(answer_template.c.id == id)
    row = (await tx.execute(chosen.with_for_update() if lock else chosen)).first()
    if row is None:
        raise NoSuchTemplate
    return row


async def save_new(tx: Tx, row: dict[str, Any]) -> None:
    """Raises `TitleTaken`."""
    try:
        await insert_rows(tx, answer_template, [row])
    except IntegrityError as error:
        raise _taken(error) from error


async def save(tx: Tx, id: UUID, **changes: Any) -> None:
    """Raises `TitleTaken`."""
    changes["version"] = answer_template.c.version + 1
    try:
        await tx.execute(update(answer_template).where(answer_template.c.id == id).values(changes))
    except IntegrityError as error:
        raise _taken(error) from error


async def remove(tx: Tx, id: UUID) -> None:
    await tx.execute(delete(answer_template).where(answer_template.c.id == id))


async def load_promises(tx: Tx, requests: Sequence[UUID]) -> dict[UUID, datetime]:
    """Until when a first reply is promised, where sla-monitor told so."""
    chosen = select(acknowledgement.c.request_id, acknowledgement.c.until).where(
        acknowledgement.c.request_id.in_(sorted(requests)), acknowledgement.c.until.is_not(None)
    )
    return {row.request_id: row.until for row in await tx.execute(chosen)}


def _taken(error: IntegrityError) -> Exception:
    return TitleTaken() if sqlstate(error) == _UNIQUE_VIOLATION else error
