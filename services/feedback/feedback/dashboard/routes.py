"""The quality dashboard."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.requests import Request
from fastapi.responses import HTMLResponse

from feedback.dashboard import feeds
from shared.http.auth import allow
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute

router = APIRouter(route_class=ServiceRoute)


@router.get("/dashboard", dependencies=[Depends(allow(*feeds.ROLES))], include_in_schema=False)
async def dashboard(request: Request, tx: ReadTx) -> HTMLResponse:
    """Satisfaction by region, and what customers said, live."""
    return page(request, "dashboard.html", scores=await feeds.scores(tx), answers=await feeds.answers(tx))
