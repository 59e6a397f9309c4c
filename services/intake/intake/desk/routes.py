"""The service desk's pages."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from intake.attachments import store as attachments
from intake.customers import store as customers
from intake.desk import feeds
from intake.messages import store as messages
from intake.messages import suggestions
from intake.places.pages import look_at_place
from intake.requests import actions, store
from intake.requests.routes import Answer, look_at_customer, person
from intake.sending.fates import fates_of
from shared.clock import made_at
from shared.db import Tx
from shared.http.auth import Caller, allow
from shared.http.pages import page
from shared.http.scope import service_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)

_DESK = [Depends(allow(*feeds.ROLES))]
_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]


class AnswerForm(Answer):
    """What an agent writes, and the proof that our page sent it."""

    csrf: str = ""


@router.get("/desk", dependencies=_DESK, include_in_schema=False)
async def desk(request: Request, tx: ReadTx) -> HTMLResponse:
    """Everything that came in, the newest first, live."""
    return page(request, "desk.html", rows=await feeds.newest(tx))


@router.get("/desk/{id}", dependencies=_DESK, include_in_schema=False)
async def one(id: UUID, request: Request, caller: Caller) -> HTMLResponse:
    """One request: who, what, why so judged, what was said. Looking at contact data is recorded."""
    show = partial(_show, request=request, id=id, actor=caller.id)
    return await service_of(request).database.transact(show)


@router.post("/desk/{id}/answers", dependencies=_AGENTS, include_in_schema=False)
async def answer(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[AnswerForm, Form()]
) -> RedirectResponse:
    """Answer the customer from the page."""
    await actions.answer(tx, await store.lock(tx, id), form.text, person(caller))
    return RedirectResponse(f"/intake/desk/{id}", status_code=303)


async def _show(tx: Tx, request: Request, id: UUID, actor: str) -> HTMLResponse:
    found = await store.load(tx, id)
    said = await messages.load_conversation(tx, id)
    return page(
        request,
        "request.html",
        asked=found,
        customer=await look_at_customer(tx, found, actor),
        identities=await customers.load_identities(tx, found.customer_id),
        judgements=(await store.load_judgements(tx, [id]))[id],
        messages=said,
        fates=await fates_of(tx, said),
        attachments=await attachments.load_by_message(tx, [each.id for each in said]),
        suggested=await suggestions.load(tx, id),
        said_at=lambda message: made_at(message.id),
        place=await look_at_place(tx, found),
    )
