"""Alerts over HTTP: which were raised, and that somebody looks after one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from shared.events.terms import Severity
from shared.http.auth import Caller, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from sla_monitor.alerts import store
from sla_monitor.alerts.actions import acknowledge_alert
from sla_monitor.clocks.rules import Outcome
from sla_monitor.clocks.rules.history import SubjectKind

router = APIRouter(route_class=ServiceRoute)


class AlertShown(BaseModel):
    """An alert that was raised, and who looks after it."""

    id: UUID
    clock_id: UUID
    about: UUID
    about_kind: SubjectKind
    promise: str = Field(examples=["on_site"])
    severity: Severity | None
    region: str | None
    threshold: int = Field(description="Percent of the time; 100 is the breach.")
    revision: int
    retracted: bool = Field(description="A late message showed that it was wrong.")
    outcome: Outcome = Field(description="Of its clock, by now.")
    deadline: datetime
    raised_at: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    version: int

    @classmethod
    def of(cls, row: Any) -> AlertShown:
        same = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        retracted = row.revision < row.clock_revision
        return cls(**same, about=row.subject_id, about_kind=row.kind, retracted=retracted)


@router.get("/alerts", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def alerts(
    tx: ReadTx,
    viewer: Caller,
    paging: Paged,
    acknowledged: Annotated[bool | None, Query(description="Whether somebody looks after it.")] = None,
) -> Page[AlertShown]:
    """Alerts, the latest first."""
    rows = await store.list_alerts(tx, viewer, acknowledged, paging.after, paging.limit + 1)
    return paging.page([AlertShown.of(row) for row in rows], key=lambda alert: (alert.raised_at, alert.id))


@router.get("/alerts/{id}", dependencies=[Depends(allow("operations", "dispatcher", "admin"))])
async def alert(tx: ReadTx, viewer: Caller, id: UUID, response: Response) -> AlertShown:
    """One alert; its ETag is what acknowledging it asks for."""
    shown = AlertShown.of(await store.load_alert(tx, viewer, id))
    show_version(response, shown.version)
    return shown


@router.post("/alerts/{id}/acknowledge", dependencies=[Depends(allow("operations", "admin"))])
async def acknowledge(tx: WriteTx, viewer: Caller, id: UUID, seen: IfMatch, response: Response) -> AlertShown:
    """Say that you look after it."""
    await acknowledge_alert(tx, viewer, id, seen.require)
    shown = AlertShown.of(await store.load_alert(tx, viewer, id))
    show_version(response, shown.version)
    return shown
