"""What the desk shows live."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from parts.requisitions import store as requisitions
from parts.stock import store as stock
from shared.db import Tx
from shared.http.auth import Role
from shared.http.sse import LiveFeed, Row
from shared.i18n import N_

ROLES: Final[frozenset[Role]] = frozenset({"storekeeper", "dispatcher", "operations", "admin"})
MOST: Final = 200
"""Rows of one table: a page is read by a person, the rest is found by HTTP."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number above the tables."""

    label: str
    value: int
    tone: str


async def figures(tx: Tx) -> list[Row]:
    """How many wait, how many are served, how much there is."""
    waiting = await requisitions.count_open(tx)
    shown = (
        Figure(N_("Short of parts"), waiting["short"], "urgent" if waiting["short"] else "good"),
        Figure(N_("Held for engineers"), waiting["held"], "plain"),
        Figure(N_("Pieces on hand"), await stock.count_pieces(tx), "plain"),
    )
    return [Row(str(at), str(at), figure) for at, figure in enumerate(shown)]


async def shelves(tx: Tx) -> list[Row]:
    """The stock, the scarcest first."""
    return [
        Row(
            f"{each.warehouse}/{each.part_number}",
            f"{each.available:019d} {each.part_number} {each.warehouse}",
            each,
        )
        for each in await stock.load_scarcest(tx, MOST)
    ]


async def waiting(tx: Tx) -> list[Row]:
    """Requisitions that are held or short, the newest first."""
    return [
        Row(str(each.id), f"{(1 << 128) - each.id.int:039d}", each)
        for each in await requisitions.load_newest_open(tx, MOST)
    ]


async def _anything(tx: Tx) -> Hashable:
    return await requisitions.open_version(tx), await stock.stock_version(tx)


FIGURES: Final = LiveFeed("figures", ROLES, figures, _anything, "figure.html")
STOCK: Final = LiveFeed("stock", ROLES, shelves, stock.stock_version, "shelf.html")
REQUISITIONS: Final = LiveFeed("requisitions", ROLES, waiting, requisitions.open_version, "requisition.html")
ALL: Final = (FIGURES, STOCK, REQUISITIONS)
