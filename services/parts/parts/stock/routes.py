"""Stock by HTTP: deliveries in, balances out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from parts.stock import actions, store
from parts.stock.rules import Balance
from shared.events.terms import Code
from shared.http.auth import allow
from shared.http.cursor import Page, Paged
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

PartNumber = Annotated[Code, Field(examples=["PUMP-7"])]
WarehouseCode = Annotated[Code, Field(examples=["SH-1"])]


class DeliveredLine(Sent):
    """So many pieces of one part arrived."""

    part_number: PartNumber
    quantity: int = Field(ge=1, le=1_000_000, strict=True, examples=[20])


class Delivery(Sent):
    """What arrived; `reference` is the supplier's or the purchase order's. A part may stand twice."""

    warehouse: WarehouseCode
    reference: Code = Field(examples=["PO-2026-114"])
    lines: list[DeliveredLine] = Field(min_length=1, max_length=1_000)


class ShelfView(BaseModel):
    """How much of one part lies in one warehouse."""

    warehouse: WarehouseCode
    part_number: PartNumber
    name_en: str = Field(examples=["Circulation pump"])
    name_zh: str = Field(examples=["循环泵"])
    on_hand: int = Field(examples=[20])
    reserved: int = Field(examples=[3], description="Held for tickets.")
    available: int = Field(examples=[17], description="What nobody has been promised.")

    @classmethod
    def of(cls, balance: Balance) -> ShelfView:
        return cls.model_validate(balance, from_attributes=True)


_receivers = [Depends(allow("storekeeper", "admin")), Depends(idempotent(required=True))]
_readers = [Depends(allow("storekeeper", "engineer", "dispatcher", "operations", "admin"))]


@router.post("/receipts", status_code=201, dependencies=_receivers)
async def receive_delivery(tx: WriteTx, delivery: Delivery) -> list[ShelfView]:
    """Put a delivery on the shelves; who waits for it is served within seconds."""
    lines = [(line.part_number, line.quantity) for line in delivery.lines]
    filled = await actions.receive_delivery(tx, delivery.warehouse, lines, delivery.reference)
    return [ShelfView.of(each) for each in filled]


@router.get("/stock", dependencies=_readers)
async def read_stock(
    tx: ReadTx, paging: Paged, warehouse: Code | None = None, part_number: Code | None = None
) -> Page[ShelfView]:
    """Every shelf, by part number and warehouse."""
    rows = await store.list_stock(tx, warehouse, part_number, paging.after, paging.limit + 1)
    shelves = [ShelfView.of(each) for each in rows]
    return paging.page(shelves, key=lambda shelf: (shelf.part_number, shelf.warehouse))
