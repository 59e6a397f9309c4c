"""Alerts over HTTP: which were raised, and what people do about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BeforeValidator

from shared.db import Tx
from shared.events.terms import Code, Severity
from shared.http.auth import Caller, Principal, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.readers import wants_page
from shared.http.scope import settings_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from sla_monitor.alerts import queries
from sla_monitor.alerts.answers import (
    AlertShown,
    DeedShown,
    HandledAll,
    HandledShown,
    Many,
    ManyAssigned,
    ManySnoozed,
)
from sla_monitor.alerts.calling import call_leadership
from sla_monitor.alerts.handling import acknowledge_alert, handle_alerts
from sla_monitor.alerts.page import show_page
from sla_monitor.alerts.queries import Filters, State
from sla_monitor.alerts.rules import Acknowledge, Assign, Deed, Snooze
from sla_monitor.sinks.feed import MOST as MOST_FED
from sla_monitor.sinks.feed import AlertInFeed
from sla_monitor.sinks.kinds.alertmanager import HOLDS

router = APIRouter(route_class=ServiceRoute)


def _chosen(value: object) -> object:
    """What a form sends of a field in which nothing was chosen is nothing."""
    return value if value != "" else None


_Chosen = BeforeValidator(_chosen)


def _filters(
    acknowledged: Annotated[
        bool | None, Query(description="Whether somebody looks after it."), _Chosen
    ] = None,
    state: Annotated[State | None, Query(description="How it stands."), _Chosen] = None,
    missed: Annotated[bool | None, Query(description="Breaches, or warnings."), _Chosen] = None,
    promise: Annotated[Code | None, Query(description="Of this promise."), _Chosen] = None,
    severity: Annotated[Severity | None, _Chosen] = None,
    region: Annotated[Code | None, _Chosen] = None,
    assigned_to: Annotated[UUID | None, _Chosen] = None,
    latest: Annotated[
        bool | None,
        Query(description="Of each promise the alert that says the most, or those before it."),
        _Chosen,
    ] = None,
) -> Filters:
    return Filters(acknowledged, state, missed, promise, severity, region, assigned_to, latest)


Asked = Annotated[Filters, Depends(_filters)]


@router.get(
    "/alerts",
    dependencies=[Depends(allow("operations", "dispatcher", "admin"))],
    response_model=Page[AlertShown],
)
async def alerts(request: Request, tx: ReadTx, viewer: Caller, paging: Paged, asked: Asked) -> Any:
    """Alerts, the latest first; for a browser the page that shows them, a line for each promise."""
    shown = replace(asked, latest=True) if wants_page(request) else asked
    rows = await queries.list_alerts(tx, viewer, shown, paging.after, paging.limit + 1)
    if wants_page(request):
        found = paging.page(rows, key=lambda row: (row.raised_at, row.id))
        before = await queries.load_before(tx, [row.id for row in found.items])
        return show_page(request, viewer, asked, found, before)
    return paging.page([AlertShown.of(row) for row in rows], key=lambda alert: (alert.raised_at, alert.id))


@router.get("/alerts/feed", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def feed(request: Request, tx: ReadTx, viewer: Caller) -> list[AlertInFeed]:
    """What stands now, in the form of `GET /api/v2/alerts` of an Alertmanager."""
    public_url = settings_of(request).public_url.rstrip("/")
    standing = await queries.list_standing(tx, viewer, tx.now - HOLDS, MOST_FED)
    return [AlertInFeed.of(row, public_url) for row in standing]


@router.get("/alerts/{id}", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def alert(tx: ReadTx, viewer: Caller, id: UUID, response: Response) -> AlertShown:
    """One alert; its ETag is what acknowledging it asks for."""
    return await _shown(tx, viewer, id, response)


@router.get("/alerts/{id}/history", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def history(tx: ReadTx, viewer: Caller, id: UUID) -> list[DeedShown]:
    """All that was done to one alert, in order."""
    raised = await queries.load_alert(tx, viewer, id)
    begun = DeedShown(at=raised.raised_at, deed="raised", by=None, detail={"threshold": raised.threshold})
    return [begun, *(DeedShown.of(row) for row in await queries.list_deeds(tx, id))]


@router.post("/alerts/acknowledge", dependencies=[Depends(allow("operations", "admin"))])
async def acknowledge_many(tx: WriteTx, viewer: Caller, body: Many) -> HandledAll:
    """Say of many alerts that you look after them: each as it was seen, each with what became of it."""
    return await _handle(tx, viewer, Acknowledge(), body)


@router.post("/alerts/snooze", dependencies=[Depends(allow("operations", "admin"))])
async def snooze(tx: WriteTx, viewer: Caller, body: ManySnoozed) -> HandledAll:
    """Put alerts aside until an instant, at most a day ahead, for a reason; then they are back."""
    return await _handle(tx, viewer, Snooze(body.until, body.reason), body)


@router.post("/alerts/assign", dependencies=[Depends(allow("operations", "admin"))])
async def assign(tx: WriteTx, viewer: Caller, body: ManyAssigned) -> HandledAll:
    """Ask a person to look after alerts; the ladder goes on until somebody says that they do."""
    return await _handle(tx, viewer, Assign(body.to), body)


@router.post(
    "/clocks/{id}/leadership", dependencies=[Depends(allow("operations", "admin")), Depends(idempotent())]
)
async def leadership(tx: WriteTx, viewer: Caller, id: UUID, response: Response) -> AlertShown:
    """Tell the leadership group of a promise that runs or was missed, once at each of its alerts (R23).

    Where none was raised so far, this raises one, so that it can be looked after like any other.
    """
    return await _shown(tx, viewer, await call_leadership(tx, viewer, id), response)


@router.post("/alerts/{id}/acknowledge", dependencies=[Depends(allow("operations", "admin"))])
async def acknowledge(tx: WriteTx, viewer: Caller, id: UUID, seen: IfMatch, response: Response) -> AlertShown:
    """Say that you look after it."""
    await acknowledge_alert(tx, viewer, id, seen.require)
    return await _shown(tx, viewer, id, response)


async def _handle(tx: Tx, by: Principal, deed: Deed, body: Many) -> HandledAll:
    outcomes = await handle_alerts(tx, by, deed, body.seen)
    return HandledAll(items=[HandledShown.of(each) for each in outcomes])


async def _shown(tx: Tx, viewer: Principal, id: UUID, response: Response) -> AlertShown:
    shown = AlertShown.of(await queries.load_alert(tx, viewer, id))
    show_version(response, shown.version)
    return shown
