"""The catalogue by HTTP: one document brings parts and warehouses up to date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from parts.catalogue import actions
from shared.events.terms import Code
from shared.http.auth import allow
from shared.http.transaction import ServiceRoute, WriteTx
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class CataloguedPart(Sent):
    """One kind of spare part."""

    part_number: Code = Field(examples=["PUMP-7"])
    name_en: Name = Field(examples=["Circulation pump"])
    name_zh: Name = Field(examples=["循环泵"])


class Warehouse(Sent):
    """The store of one service centre."""

    code: Code = Field(examples=["SH-1"])
    centre: Code = Field(examples=["shanghai"])


class Catalogue(Sent):
    """What there is, and where it may lie; what it does not name stays as it is."""

    # Together just below the 20,000 values a body may hold: larger catalogues come in several documents.
    parts: list[CataloguedPart] = Field(default=[], max_length=4_000)
    warehouses: list[Warehouse] = Field(default=[], max_length=500)

    @model_validator(mode="after")
    def _each_once(self) -> Catalogue:
        _require_once("part", (each.part_number for each in self.parts))
        _require_once("warehouse", (each.code for each in self.warehouses))
        _require_once("centre", (each.centre for each in self.warehouses))
        return self


def _require_once(kind: str, keys: Iterable[str]) -> None:
    if any(count > 1 for count in Counter(keys).values()):
        raise PydanticCustomError("stands_twice", "A {kind} stands twice", {"kind": kind})


class Saved(BaseModel):
    """How much of it was taken."""

    parts: int = Field(examples=[1])
    warehouses: int = Field(examples=[1])


@router.put("/catalogue", dependencies=[Depends(allow("storekeeper", "admin"))])
async def save_catalogue(tx: WriteTx, catalogue: Catalogue) -> Saved:
    """Add parts and warehouses, or rename them; the same document again changes nothing."""
    await actions.save_catalogue(
        tx,
        {each.part_number: (each.name_en, each.name_zh) for each in catalogue.parts},
        {each.code: each.centre for each in catalogue.warehouses},
    )
    return Saved(parts=len(catalogue.parts), warehouses=len(catalogue.warehouses))
