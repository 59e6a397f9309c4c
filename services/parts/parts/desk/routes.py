"""The parts desk."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.requests import Request
from fastapi.responses import HTMLResponse

from parts.desk import feeds
from shared.http.auth import allow
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute

router = APIRouter(route_class=ServiceRoute)


@router.get("/desk", dependencies=[Depends(allow(*feeds.ROLES))], include_in_schema=False)
async def desk(request: Request, tx: ReadTx) -> HTMLResponse:
    """Stock and what is held for whom, live."""
    return page(
        request,
        "desk.html",
        figures=await feeds.figures(tx),
        shelves=await feeds.shelves(tx),
        requisitions=await feeds.waiting(tx),
    )
