"""The parts desk, and the form on it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.requests import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from parts.desk import feeds
from parts.requisitions import actions, store
from shared.http.auth import Caller, Role, allow
from shared.http.etag import Precondition
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import ZONE

router = APIRouter(route_class=ServiceRoute, include_in_schema=False)
KEEPERS: Final[frozenset[Role]] = frozenset({"storekeeper", "admin"})


@router.get("/desk", dependencies=[Depends(allow(*feeds.ROLES))])
async def desk(request: Request, tx: ReadTx, caller: Caller) -> HTMLResponse:
    """Stock and what is held for whom, live."""
    return page(
        request,
        "desk.html",
        figures=await feeds.figures(tx),
        shelves=await feeds.shelves(tx),
        requisitions=await feeds.waiting(tx),
        keeps=bool(caller.roles & KEEPERS),
    )


class ExpectedFilled(BaseModel):
    """When parts are expected, as it was filled in: a browser's date field knows no zone."""

    model_config = ConfigDict(extra="forbid")

    csrf: str = ""
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    expected_at: datetime


@router.post("/desk/requisitions/{id}/expected", dependencies=[Depends(allow(*KEEPERS))])
async def expect(tx: WriteTx, id: UUID, filled: Annotated[ExpectedFilled, Form()]) -> Response:
    """Say when what is short will be there, then show the desk."""
    requisition = await store.lock_one(tx, id)
    Precondition(frozenset({str(filled.version)})).require(requisition.version)
    told = filled.expected_at
    await actions.expect(tx, requisition, told.replace(tzinfo=told.tzinfo or ZONE))
    return RedirectResponse("/parts/desk", 303)
