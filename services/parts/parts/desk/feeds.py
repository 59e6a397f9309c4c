"""What the desk shows live."""

from __future__ import annotations

from typing import Final

from parts.requisitions import store as requisitions
from parts.stock import store as stock
from shared.db import Tx
from shared.http.auth import Role
from shared.http.sse import LiveFeed, Row

ROLES: Final[frozenset[Role]] = frozenset({"storekeeper", "dispatcher", "operations", "admin"})


async def shelves(tx: Tx) -> list[Row]:
    """The stock, what is short first."""
    return [
        Row(
            f"{row.warehouse}/{row.part_number}",
            f"{row.on_hand - row.reserved:09d} {row.part_number} {row.warehouse}",
            dict(row._mapping),
        )
        for row in await stock.load_stock(tx)
    ]


async def waiting(tx: Tx) -> list[Row]:
    """Requisitions that are held or short, the newest first."""
    return [
        Row(str(each.id), f"{(1 << 128) - each.id.int:039d}", each)
        for each in await requisitions.load_open(tx)
    ]


STOCK: Final = LiveFeed("stock", ROLES, shelves, stock.stock_version, "shelf.html")
REQUISITIONS: Final = LiveFeed("requisitions", ROLES, waiting, stock.stock_version, "requisition.html")
