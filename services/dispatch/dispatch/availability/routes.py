"""Leave and duty over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel

from dispatch.access import OVERSEERS, READERS, Viewer
from dispatch.availability import actions
from dispatch.availability.rules import Absence, Duty, Kind, Part, State
from shared.events.terms import Code, PersonId
from shared.http.auth import Caller, allow
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.sent import Sent

router: Final = APIRouter(route_class=ServiceRoute)
_ENTERING: Final = [Depends(allow(*READERS)), Depends(idempotent())]
_OVERSEEING: Final = [Depends(allow(*OVERSEERS)), Depends(idempotent())]


class Leave(Sent):
    """Leave to be asked for or entered."""

    person_id: PersonId
    kind: Kind = "leave"
    starts_at: AwareDatetime
    ends_at: AwareDatetime


class LeaveView(BaseModel):
    """Leave of somebody; `handed_over_at` is null while they have what they had."""

    id: UUID
    person_id: PersonId
    kind: Kind
    starts_at: datetime
    ends_at: datetime
    state: State
    handed_over_at: datetime | None

    @classmethod
    def of(cls, absence: Absence) -> LeaveView:
        return cls(**{name: getattr(absence, name) for name in cls.model_fields})


class LeaveList(BaseModel):
    items: list[LeaveView]


class Verdict(Sent):
    """Whether leave that was asked for is approved."""

    approved: bool


class NewDuty(Sent):
    """Who is on call in a region."""

    region: Code
    part: Part = "duty_lead"
    person_id: PersonId
    starts_at: AwareDatetime
    ends_at: AwareDatetime


class DutyView(BaseModel):
    id: UUID
    region: str
    part: Part
    person_id: PersonId
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, duty: Duty) -> DutyView:
        return cls(**{name: getattr(duty, name) for name in cls.model_fields})


class DutyList(BaseModel):
    items: list[DutyView]


Since = Annotated[AwareDatetime | None, Query(description="What is not over at this instant; default: now.")]


@router.get("/leave", dependencies=[Depends(allow(*READERS))])
async def leave(tx: ReadTx, caller: Caller, since: Since = None) -> LeaveList:
    """Leave that is asked for or approved, in order of time; an engineer sees their own."""
    found = await actions.leave_for(tx, Viewer.of(caller), since or tx.now)
    return LeaveList(items=[LeaveView.of(each) for each in found])


@router.post("/leave", status_code=201, dependencies=_ENTERING)
async def ask(tx: WriteTx, caller: Caller, body: Leave) -> LeaveView:
    """Ask for one's own leave, or enter somebody's; what begins now is handed over now."""
    entered = await actions.ask_leave(
        tx, Viewer.of(caller), body.person_id, body.kind, body.starts_at, body.ends_at
    )
    return LeaveView.of(entered)


@router.post("/leave/{absence_id}/verdict", dependencies=_OVERSEEING)
async def verdict(tx: WriteTx, caller: Caller, absence_id: UUID, body: Verdict) -> LeaveView:
    """Approve what was asked for, or refuse it."""
    return LeaveView.of(await actions.decide_leave(tx, Viewer.of(caller), absence_id, approved=body.approved))


@router.delete("/leave/{absence_id}", status_code=204, dependencies=[Depends(allow(*READERS))])
async def end(tx: WriteTx, caller: Caller, absence_id: UUID) -> Response:
    """Back before the time, or not gone at all."""
    await actions.end_leave(tx, Viewer.of(caller), absence_id)
    return Response(status_code=204)


@router.get("/duty", dependencies=[Depends(allow(*READERS))])
async def duty(tx: ReadTx, caller: Caller, since: Since = None) -> DutyList:
    """Who is on call, in order of time."""
    found = await actions.duties_for(tx, Viewer.of(caller), since or tx.now)
    return DutyList(items=[DutyView.of(each) for each in found])


@router.post("/duty", status_code=201, dependencies=_OVERSEEING)
async def enter_duty(tx: WriteTx, caller: Caller, body: NewDuty) -> DutyView:
    """Somebody is on call: as duty lead (R24), or as engineer outside of their shift."""
    entered = await actions.enter_duty(
        tx, Viewer.of(caller), body.region, body.part, body.person_id, body.starts_at, body.ends_at
    )
    return DutyView.of(entered)


@router.delete("/duty/{duty_id}", status_code=204, dependencies=[Depends(allow(*OVERSEERS))])
async def drop(tx: WriteTx, caller: Caller, duty_id: UUID) -> Response:
    """Nobody is on call by it any more."""
    await actions.drop_duty(tx, Viewer.of(caller), duty_id)
    return Response(status_code=204)
