"""Requisitions by HTTP: an engineer sees and uses one's own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, Field, field_validator
from pydantic_core import PydanticCustomError

from parts.requisitions import actions, store
from parts.requisitions.rules import Requisition, State
from parts.requisitions.store import NoSuchRequisition
from shared.events.terms import Code
from shared.http.auth import Caller, Principal, Role, allow
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import N_
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

_SEE_ALL: frozenset[Role] = frozenset({"storekeeper", "dispatcher", "operations", "admin"})
_readers = [Depends(allow("engineer", *_SEE_ALL))]
_keepers = [Depends(allow("storekeeper", "admin")), Depends(idempotent())]
_users = [Depends(allow("engineer", "storekeeper", "admin")), Depends(idempotent())]


class RequisitionLine(BaseModel):
    """So many pieces of one part."""

    part_number: str = Field(examples=["PUMP-7"])
    quantity: int = Field(examples=[2])


class RequisitionView(BaseModel):
    """One requisition as callers see it; its version is the ETag."""

    id: UUID
    ticket_id: UUID
    engineer_id: UUID
    warehouse: str | None = Field(examples=["SH-1"])
    state: State
    held_until: datetime | None
    expected_at: datetime | None
    """When what is short will be there; null where nobody knows, and once it is held."""
    lines: list[RequisitionLine]


def _shown(requisition: Requisition, response: Response) -> RequisitionView:
    show_version(response, requisition.version)
    return RequisitionView(
        id=requisition.id,
        ticket_id=requisition.ticket_id,
        engineer_id=requisition.engineer_id,
        warehouse=requisition.warehouse,
        state=requisition.state,
        held_until=requisition.held_until,
        expected_at=requisition.expected_at,
        lines=[
            RequisitionLine(part_number=part, quantity=quantity)
            for part, quantity in requisition.lines.items()
        ],
    )


def _require_visible(requisition: Requisition, principal: Principal) -> None:
    """An engineer's own only; others' do not exist for them."""
    if not principal.roles & _SEE_ALL and str(requisition.engineer_id) != principal.id:
        raise NoSuchRequisition


async def _lock_seen(id: UUID, tx: WriteTx, principal: Caller, seen: IfMatch) -> Requisition:
    """The requisition that is to be changed, as the caller has seen it."""
    requisition = await store.lock_one(tx, id)
    _require_visible(requisition, principal)
    seen.require(requisition.version)
    return requisition


Seen = Annotated[Requisition, Depends(_lock_seen)]


@router.get("/requisitions/{id}", dependencies=_readers)
async def read_requisition(id: UUID, tx: ReadTx, principal: Caller, response: Response) -> RequisitionView:
    """What was asked for and whether it is held."""
    requisition = await store.load_one(tx, id)
    _require_visible(requisition, principal)
    return _shown(requisition, response)


class BuiltInLine(Sent):
    """So many pieces of one part."""

    part_number: Code = Field(examples=["PUMP-7"])
    quantity: Annotated[int, Field(ge=1, le=2**31, examples=[2])]


class BuiltIn(Sent):
    """What was built in of what was held, each part once; the rest comes back."""

    lines: Annotated[list[BuiltInLine], Field(min_length=1, max_length=50)]

    @field_validator("lines")
    @classmethod
    def _each_once(cls, lines: list[BuiltInLine]) -> list[BuiltInLine]:
        if len({line.part_number for line in lines}) < len(lines):
            raise PydanticCustomError("repeated", N_("a part stands twice in the list"))
        return lines


@router.post("/requisitions/{id}/use", dependencies=_users)
async def use_parts(
    tx: WriteTx, seen: Seen, response: Response, built_in: BuiltIn | None = None
) -> RequisitionView:
    """The parts are built in: they leave the stock. Without a body all that was held, else what it says."""
    used = {line.part_number: line.quantity for line in built_in.lines} if built_in else None
    return _shown(await actions.use(tx, seen, used), response)


class Expectation(Sent):
    """When the parts that are short will be there."""

    expected_at: AwareDatetime = Field(examples=["2026-11-26T09:00:00+08:00"])


@router.post("/requisitions/{id}/expected", dependencies=_keepers)
async def expect_parts(
    tx: WriteTx, seen: Seen, response: Response, expectation: Expectation
) -> RequisitionView:
    """Say when what is short will be there; dispatch plans the visit after it."""
    return _shown(await actions.expect(tx, seen, expectation.expected_at), response)


@router.post("/requisitions/{id}/release", dependencies=_users)
async def release_parts(tx: WriteTx, seen: Seen, response: Response) -> RequisitionView:
    """The parts are not needed: others may have them."""
    return _shown(await actions.give_back(tx, seen), response)
