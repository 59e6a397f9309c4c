"""The service desk's pages, and the form that customers fill in."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from intake.attachments import store as attachments
from intake.channels.input import Customer, NewRequest, Phone
from intake.channels.routes import normalise
from intake.customers import store as customers
from intake.desk import feeds
from intake.messages import store as messages
from intake.messages import suggestions
from intake.places.pages import look_at_place
from intake.places.rules import Words
from intake.requests import actions, store
from intake.requests.routes import Answer, look_at_customer, person
from intake.requests.writer import writer_of
from intake.sending.fates import fates_of
from shared.clock import clock
from shared.db import Tx
from shared.http.auth import Caller, allow, public
from shared.http.pages import page
from shared.http.scope import service_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)

_DESK = [Depends(allow(*feeds.ROLES))]
_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]
_OPEN = [Depends(public())]


class CustomerForm(BaseModel):
    """What a customer fills in."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] = ""
    phone: Annotated[str, StringConstraints(min_length=5, max_length=64, strip_whitespace=True), Phone]
    region: Words
    city: Words
    description: Annotated[str, StringConstraints(min_length=1, max_length=5_000, strip_whitespace=True)]


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


@router.get("/form", dependencies=_OPEN, include_in_schema=False)
async def form(request: Request) -> HTMLResponse:
    """The customers' form."""
    return page(request, "form.html", done=None)


@router.post("/form", dependencies=_OPEN, include_in_schema=False)
async def submit(request: Request, sent: Annotated[CustomerForm, Form()]) -> HTMLResponse:
    """Register what a customer filled in."""
    new = NewRequest(
        customer=Customer(name=sent.name, phone=sent.phone),
        region=sent.region,
        city=sent.city,
        description=sent.description,
    )
    message = normalise(new, "form", sent.model_dump_json().encode(), clock.now())
    registered = await writer_of(service_of(request)).register(message)
    return page(request, "form.html", done=registered.request_id)


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
        fates=await fates_of(tx, id, said),
        attachments=await attachments.load_by_message(tx, [each.id for each in said]),
        suggested=await suggestions.load(tx, id),
        place=await look_at_place(tx, found),
    )
