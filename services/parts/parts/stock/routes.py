"""Stock by HTTP: receipts in, balances out, and the proof that both agree."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from parts.catalogue import store as catalogue
from parts.stock import store
from shared.errors import AftercareError
from shared.events.terms import Code
from shared.http.auth import allow
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)


class UnknownPart(AftercareError):
    """The catalogue has no part {numbers}; add it there first."""


class UnknownWarehouse(AftercareError):
    """The catalogue has no warehouse {codes}; add it there first."""


class ReceiptLine(BaseModel):
    """So many pieces of one part arrived."""

    model_config = ConfigDict(extra="forbid")

    part_number: Code
    quantity: int = Field(ge=1, le=1_000_000)


class Receipt(BaseModel):
    """A delivery; `reference` is the supplier's or the purchase order's."""

    model_config = ConfigDict(extra="forbid")

    warehouse: Code
    reference: Code
    lines: list[ReceiptLine] = Field(min_length=1, max_length=1_000)


class Shelf(BaseModel):
    """How much of one part lies in one warehouse."""

    warehouse: str
    part_number: str
    name_en: str
    name_zh: str
    on_hand: int
    reserved: int
    available: int


class Differences(BaseModel):
    """Shelves that disagree with the ledger, and with what is held: 0 and 0, or something is broken."""

    ledger: int
    held: int


_RECEIVERS = [Depends(allow("storekeeper", "admin")), Depends(idempotent(required=True))]
_READERS = [Depends(allow("storekeeper", "engineer", "dispatcher", "operations", "admin"))]


@router.post("/receipts", status_code=201, dependencies=_RECEIVERS)
async def receive(tx: WriteTx, receipt: Receipt) -> list[Shelf]:
    """Put a delivery on the shelf."""
    if unknown := await catalogue.unknown_warehouses(tx, {receipt.warehouse}):
        raise UnknownWarehouse(codes=", ".join(sorted(unknown)))
    pieces: dict[tuple[str, str], int] = {}
    for line in receipt.lines:
        shelf = (receipt.warehouse, line.part_number)
        pieces[shelf] = pieces.get(shelf, 0) + line.quantity
    if unknown := await catalogue.unknown_parts(tx, {part for _, part in pieces}):
        raise UnknownPart(numbers=", ".join(sorted(unknown)))
    await store.receive(tx, pieces, receipt.reference)
    return [shelf for shelf in await _shelves(tx) if (shelf.warehouse, shelf.part_number) in pieces]


@router.get("/stock", dependencies=_READERS)
async def read_stock(tx: ReadTx) -> list[Shelf]:
    """Every shelf; what is short stands first."""
    return await _shelves(tx)


@router.get("/invariants", dependencies=[Depends(allow("storekeeper", "operations", "admin"))])
async def read_differences(tx: ReadTx) -> Differences:
    """Whether the balances are what the ledger says."""
    return Differences(**await store.differences(tx))


async def _shelves(tx: ReadTx) -> list[Shelf]:
    return [
        Shelf(
            warehouse=row.warehouse,
            part_number=row.part_number,
            name_en=row.name_en,
            name_zh=row.name_zh,
            on_hand=row.on_hand,
            reserved=row.reserved,
            available=row.on_hand - row.reserved,
        )
        for row in await store.load_stock(tx)
    ]
