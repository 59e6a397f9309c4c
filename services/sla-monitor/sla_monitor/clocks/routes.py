"""Clocks over HTTP: what runs, the dossier of one subject, and today's attainment."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from shared.events.terms import Code
from shared.http.auth import Caller, allow
from shared.http.cursor import Page, Paged
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from sla_monitor.clocks import queries
from sla_monitor.clocks.answers import AttainmentShown, ClockShown, DossierShown, Pausing, Resuming
from sla_monitor.clocks.attainment import attainment_today, tickets_today
from sla_monitor.clocks.dossier import load_dossier
from sla_monitor.clocks.pausing import pause_clock, resume_clock
from sla_monitor.clocks.rules import Outcome
from sla_monitor.clocks.view import Filters, View

router = APIRouter(route_class=ServiceRoute)


@router.get("/clocks", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def clocks(
    tx: ReadTx,
    viewer: Caller,
    paging: Paged,
    state: Annotated[Outcome | None, Query(description="The outcome so far.")] = None,
    promise: Annotated[Code | None, Query(description="Only clocks of this promise.")] = None,
    region: Annotated[Code | None, Query(description="Only clocks of this region.")] = None,
) -> Page[ClockShown]:
    """Clocks: those that run by deadline, the soonest first; others the latest first."""
    rows = await queries.list_clocks(tx, viewer, state, promise, region, paging.after, paging.limit + 1)
    shown = [ClockShown.of(row) for row in rows]
    return paging.page(shown, key=lambda clock: (clock.deadline, clock.id))


@router.get("/subjects/{id}/clocks", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def dossier(tx: ReadTx, viewer: Caller, id: UUID) -> DossierShown:
    """The clocks of a ticket, request or call, folded anew from its history, with every interval and why."""
    return DossierShown.of(id, await load_dossier(tx, viewer, id))


@router.post(
    "/clocks/{id}/pause", dependencies=[Depends(allow("operations", "admin")), Depends(idempotent())]
)
async def pause(tx: WriteTx, viewer: Caller, id: UUID, body: Pausing) -> ClockShown:
    """Let a promise stand from now on, for a reason: until it is resumed, or until an instant."""
    return ClockShown.of(await pause_clock(tx, viewer, id, body.wish))


@router.post(
    "/clocks/{id}/resume", dependencies=[Depends(allow("operations", "admin")), Depends(idempotent())]
)
async def resume(tx: WriteTx, viewer: Caller, id: UUID, body: Resuming) -> ClockShown:
    """Let a promise that was paused by hand count again from now on."""
    return ClockShown.of(await resume_clock(tx, viewer, id, body.whole))


@router.get("/attainment", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def attainment(tx: ReadTx, viewer: Caller, filters: Annotated[Filters, Query()]) -> AttainmentShown:
    """Response-time attainment of today (R110): by clock, by ticket, and for each promise."""
    view = View.of(viewer, filters)
    return AttainmentShown.of(await attainment_today(tx, view), await tickets_today(tx, view))
