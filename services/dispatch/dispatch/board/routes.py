"""The dispatchers' board, and the list on an engineer's phone."""

from __future__ import annotations

import json
from typing import Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dispatch.access import OVERSEERS
from dispatch.board.feeds import BOARD, FIGURES, WORK
from dispatch.phone.rules import LEADS_TO
from dispatch.phone.store import list_open as list_conflicts
from shared.http.auth import Caller, allow
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)


@router.get("/board", dependencies=[Depends(allow(*OVERSEERS))])
async def board(request: Request, tx: ReadTx, caller: Caller) -> Response:
    """Every open ticket, those that need a decision first."""
    rows = [row for row in await BOARD.snapshot(tx) if BOARD.visible(row, caller)]
    figures = [row for row in await FIGURES.snapshot(tx) if FIGURES.visible(row, caller)]
    return page(request, "board.html", rows=rows, figures=figures)


@router.get("/app", dependencies=[Depends(allow("engineer"))])
async def own_work(request: Request, tx: ReadTx, caller: Caller) -> Response:
    """The engineer's own work, the next job on top."""
    rows = [row for row in await WORK.snapshot(tx) if WORK.visible(row, caller)]
    return page(
        request,
        "app.html",
        rows=sorted(rows, key=lambda row: (row.order, row.id)),
        conflicts=await list_conflicts(tx, caller.id),
        person=caller.id,
        moves=json.dumps(LEADS_TO),
    )
