"""The catalogue by HTTP: one document brings parts and warehouses up to date."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from parts.catalogue import store
from shared.events.terms import Code
from shared.http.auth import allow
from shared.http.transaction import ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CataloguedPart(_Input):
    """One kind of spare part."""

    part_number: Code
    name_en: Name
    name_zh: Name


class Warehouse(_Input):
    """The store of one service centre."""

    code: Code
    centre: Code


class Catalogue(_Input):
    """What there is, and where it may lie."""

    parts: list[CataloguedPart] = Field(default=[], max_length=10_000)
    warehouses: list[Warehouse] = Field(default=[], max_length=1_000)

    @model_validator(mode="after")
    def _each_once(self) -> Catalogue:
        for name, keys in (
            ("part_number", [each.part_number for each in self.parts]),
            ("code", [each.code for each in self.warehouses]),
            ("centre", [each.centre for each in self.warehouses]),
        ):
            if len(set(keys)) < len(keys):
                raise ValueError(f"a {name} stands twice")
        return self


class Saved(BaseModel):
    """How much of it was taken."""

    parts: int
    warehouses: int


@router.put("/catalogue", dependencies=[Depends(allow("storekeeper", "admin"))])
async def save_catalogue(tx: WriteTx, catalogue: Catalogue) -> Saved:
    """Add parts and warehouses, or rename them."""
    await store.save_parts(tx, [each.model_dump() for each in catalogue.parts])
    await store.save_warehouses(tx, [each.model_dump() for each in catalogue.warehouses])
    return Saved(parts=len(catalogue.parts), warehouses=len(catalogue.warehouses))
