"""The page of the organisation: who belongs to what, who is away, who is on call, and the forms for it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict

from dispatch.access import OVERSEERS, READERS, Viewer
from dispatch.availability import actions
from dispatch.availability.rules import Kind, NotYours, Part
from dispatch.organisation.roster import day_of
from dispatch.organisation.store import load_names, load_organisation
from shared.events.terms import Code, PersonId
from shared.http.auth import Caller, allow
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import ZONE

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)
HERE: Final = "/dispatch/people/page"


class _Filled(BaseModel):
    """A browser's date field knows no zone: it means the time on the wall here."""

    model_config = ConfigDict(extra="forbid")

    csrf: str = ""


class _Time(_Filled):
    starts_at: datetime
    ends_at: datetime

    @property
    def span(self) -> tuple[datetime, datetime]:
        begins, ends = (each.replace(tzinfo=each.tzinfo or ZONE) for each in (self.starts_at, self.ends_at))
        return begins, ends


class LeaveFilled(_Time):
    person_id: PersonId
    kind: Kind = "leave"


class DutyFilled(_Time):
    region: Code
    person_id: PersonId
    part: Part = "duty_lead"


class DecisionFilled(_Filled):
    do: Literal["approve", "refuse", "end"]


@router.get("/people/page", dependencies=[Depends(allow(*READERS))])
async def show(request: Request, tx: ReadTx, caller: Caller) -> Response:
    """An engineer sees their own leave and may ask for more; who oversees sees and enters everything."""
    viewer = Viewer.of(caller)
    imported = await load_organisation(tx)
    leave = await actions.leave_for(tx, viewer, tx.now)
    duties = await actions.duties_for(tx, viewer, tx.now)
    people = imported.document.people if imported else ()
    seen = await actions.in_sight(tx, viewer, {each.id for each in people})
    named = {each.person_id for each in leave} | {each.person_id for each in duties}
    names = {**await load_names(tx, named), **{each.id: each.display_name for each in people}}
    shown: dict[str, Any] = {
        "organisation": imported.document if imported else None,
        "away": {each.person_id for each in leave if each.state == "approved" and each.starts_at <= tx.now},
        "today": day_of(tx.now),
    }
    choice = sorted((each for each in people if each.id in seen), key=lambda each: each.display_name)
    if not viewer.oversees:
        choice = [each for each in choice if each.id == viewer.person_id]
    return page(
        request,
        "people.html",
        leave=leave,
        duties=duties,
        names=names,
        choice=choice,
        oversees=viewer.oversees,
        **shown,
    )


@router.post("/people/leave", dependencies=[Depends(allow(*READERS))])
async def leave(tx: WriteTx, caller: Caller, filled: Annotated[LeaveFilled, Form()]) -> Response:
    """Ask for one's own leave, or enter somebody's."""
    await actions.ask_leave(tx, Viewer.of(caller), filled.person_id, filled.kind, *filled.span)
    return RedirectResponse(HERE, 303)


@router.post("/people/leave/{absence_id}", dependencies=[Depends(allow(*READERS))])
async def decide(
    tx: WriteTx, caller: Caller, absence_id: UUID, filled: Annotated[DecisionFilled, Form()]
) -> Response:
    """Approve, refuse, or be back."""
    viewer = Viewer.of(caller)
    if filled.do == "end":
        await actions.end_leave(tx, viewer, absence_id)
    else:
        if not viewer.oversees:
            raise NotYours
        await actions.decide_leave(tx, viewer, absence_id, approved=filled.do == "approve")
    return RedirectResponse(HERE, 303)


@router.post("/people/duty", dependencies=[Depends(allow(*OVERSEERS))])
async def duty(tx: WriteTx, caller: Caller, filled: Annotated[DutyFilled, Form()]) -> Response:
    """Somebody is on call."""
    await actions.enter_duty(
        tx, Viewer.of(caller), filled.region, filled.part, filled.person_id, *filled.span
    )
    return RedirectResponse(HERE, 303)


@router.post("/people/duty/{duty_id}/drop", dependencies=[Depends(allow(*OVERSEERS))])
async def drop(tx: WriteTx, caller: Caller, duty_id: UUID, filled: Annotated[_Filled, Form()]) -> Response:
    """Nobody is on call by it any more."""
    await actions.drop_duty(tx, Viewer.of(caller), duty_id)
    return RedirectResponse(HERE, 303)
