"""Requisitions by HTTP: an engineer sees and uses one's own."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from parts.requisitions import actions, store
from parts.requisitions.store import NoSuchRequisition, Requisition
from shared.db import Tx
from shared.http.auth import Caller, Principal, allow
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)

_SEES_ALL = frozenset({"storekeeper", "dispatcher", "operations", "admin"})


class RequisitionView(BaseModel):
    """One requisition as callers see it."""

    id: UUID
    ticket_id: UUID
    warehouse: str | None
    state: str
    held_until: datetime | None
    lines: dict[str, int]

    @classmethod
    def of(cls, requisition: Requisition) -> RequisitionView:
        return cls.model_validate(requisition, from_attributes=True)


def _require_visible(requisition: Requisition, principal: Principal) -> None:
    """An engineer's own only; others' do not exist for them."""
    if not principal.roles & _SEES_ALL and str(requisition.engineer_id) != principal.id:
        raise NoSuchRequisition


async def _lock_visible(tx: Tx, id: UUID, principal: Principal) -> Requisition:
    requisition = await store.lock_one(tx, id)
    _require_visible(requisition, principal)
    return requisition


_readers = [Depends(allow("engineer", "storekeeper", "dispatcher", "operations", "admin"))]
_users = [Depends(allow("engineer", "storekeeper", "admin")), Depends(idempotent())]


@router.get("/requisitions/{id}", dependencies=_readers)
async def read_requisition(id: UUID, tx: ReadTx, principal: Caller, response: Response) -> RequisitionView:
    """What was asked for and whether it is held."""
    requisition = await store.load_one(tx, id)
    _require_visible(requisition, principal)
    show_version(response, requisition.version)
    return RequisitionView.of(requisition)


@router.post("/requisitions/{id}/use", dependencies=_users)
async def use_parts(
    id: UUID, tx: WriteTx, principal: Caller, seen: IfMatch, response: Response
) -> RequisitionView:
    """The parts are built in: they leave the stock."""
    requisition = await _lock_visible(tx, id, principal)
    seen.require(requisition.version)
    await actions.use(tx, requisition)
    return await _after(tx, id, response)


@router.post("/requisitions/{id}/release", dependencies=_users)
async def release_parts(
    id: UUID, tx: WriteTx, principal: Caller, seen: IfMatch, response: Response
) -> RequisitionView:
    """The parts are not needed: others may have them."""
    requisition = await _lock_visible(tx, id, principal)
    seen.require(requisition.version)
    await actions.release(tx, [requisition])
    return await _after(tx, id, response)


async def _after(tx: Tx, id: UUID, response: Response) -> RequisitionView:
    requisition = await store.load_one(tx, id)
    show_version(response, requisition.version)
    return RequisitionView.of(requisition)
