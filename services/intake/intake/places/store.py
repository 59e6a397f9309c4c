"""The catalogue in force, and what was found of requests whose place a person has to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, select, text

from intake.places.catalogue import Catalogue, Place, shipped
from intake.tables.places import located, place_catalogue
from shared.clock import uuid7
from shared.db import Tx, insert_rows

_MOST_KEPT: Final = 8
# The places come along only where this process has not seen them: one statement either way.
_NEWEST: Final = text(
    """
    SELECT id, version, CASE WHEN id = ANY(CAST(:known AS uuid[])) THEN NULL ELSE places END AS places
    FROM place_catalogue ORDER BY version DESC LIMIT 1
    """
).bindparams(bindparam("known", type_=ARRAY(Uuid)))
_KEPT: Final[dict[UUID, Catalogue]] = {}


@lru_cache(maxsize=1)
def _shipped() -> Catalogue:
    return Catalogue(shipped())


async def load_catalogue(tx: Tx) -> Catalogue:
    """The shipped places with the organisation's own."""
    row = (await tx.execute(_NEWEST, {"known": sorted(_KEPT)})).first()
    if row is None:
        return _shipped()
    found = _KEPT.get(row.id)
    if found is None:
        found = Catalogue((*shipped(), *map(_place, row.places)), row.version)
        while len(_KEPT) >= _MOST_KEPT:
            del _KEPT[min(_KEPT)]
        _KEPT[row.id] = found
    return found


def _place(row: dict[str, Any]) -> Place:
    return Place(**{**row, "also": tuple(row["also"])})


async def load_own(tx: Tx) -> tuple[int, list[Place]]:
    """The organisation's own places and their version, 0 where there are none yet."""
    query = select(place_catalogue).order_by(place_catalogue.c.version.desc()).limit(1)
    row = (await tx.execute(query)).first()
    return (row.version, [_place(each) for each in row.places]) if row else (0, [])


async def save_own(tx: Tx, places: Sequence[Place], version: int, by: str) -> None:
    row = {
        "id": uuid7(),
        "version": version,
        "places": [asdict(each) for each in places],
        "by": by,
        "at": tx.now,
    }
    await insert_rows(tx, place_catalogue, [row])


async def save_placing(tx: Tx, row: dict[str, Any]) -> None:
    await insert_rows(tx, located, [row])


async def load_placings(tx: Tx, request_id: UUID) -> Sequence[Any]:
    """What was told and found, and what persons set; the newest last."""
    query = select(located).where(located.c.request_id == request_id).order_by(located.c.id)
    return (await tx.execute(query)).all()
