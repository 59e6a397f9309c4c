"""The page of one customer, for those who care for them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from intake.customers import actions, erasing, file, merging
from intake.customers.routes import CARE, DESK, Purpose
from intake.devices import store
from intake.places.store import load_catalogue
from intake.requests.rules import UNKNOWN, email_identity, phone_identity
from shared.db import Tx
from shared.events.terms import Channel, Level
from shared.http.auth import Caller, Principal
from shared.http.pages import page
from shared.http.problem import invalid
from shared.http.scope import service_of
from shared.http.transaction import ServiceRoute, WriteTx
from shared.i18n import N_, day_of

router = APIRouter(route_class=ServiceRoute)

_Line = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")

    csrf: str = ""


class DataForm(_Form):
    """Name, level and place."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    level: Level
    city: Annotated[str, StringConstraints(max_length=64, strip_whitespace=True)] = ""


class ConsentForm(_Form):
    """Consent, given or withdrawn."""

    purpose: Purpose
    channel: Channel
    given: Literal["yes", "no"]
    source: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class MergeForm(_Form):
    """The other one, by phone, mail or number of the customer."""

    other: Annotated[str, StringConstraints(min_length=1, max_length=254, strip_whitespace=True)]


class UndoForm(_Form):
    """Which merge."""

    merge: UUID


class EraseForm(_Form):
    """Forgetting takes a word, so that nobody does it by a slip."""

    sure: Literal["yes"]


@router.get("/customers/{id}", dependencies=DESK, include_in_schema=False)
async def show(id: UUID, request: Request, caller: Caller) -> HTMLResponse:
    """One customer: how to reach them, what they asked, what they agreed to. Looking is recorded."""
    return await service_of(request).database.transact(partial(_show, request=request, id=id, viewer=caller))


async def _show(tx: Tx, request: Request, id: UUID, viewer: Principal) -> HTMLResponse:
    found = await file.look(tx, id, viewer)
    catalogue = await load_catalogue(tx)
    place = catalogue.get("city", found.city) if found.city else None
    may = bool(viewer.roles & {"care", "admin"})
    devices = await store.load_of(tx, id)
    covered = await store.covered(tx, devices, day_of(tx.now))
    products = list(zip(devices, covered, strict=True))
    contracts = await store.load_contracts(tx, id)
    owns: dict[str, Any] = {"products": products, "contracts": contracts}
    return page(request, "customer.html", it=found, may_change=may, place=place, **owns)


@router.post("/customers/{id}/data", dependencies=CARE, include_in_schema=False)
async def set_data(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[DataForm, Form()]
) -> RedirectResponse:
    """Correct name, level and city."""
    found = await actions.held(tx, id, caller)
    await actions.change(tx, found, form.name, form.level, UNKNOWN, form.city or UNKNOWN, caller.id)
    return _back(id)


@router.post("/customers/{id}/consent", dependencies=CARE, include_in_schema=False)
async def set_consent(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[ConsentForm, Form()]
) -> RedirectResponse:
    """Note what the customer agreed to, or no longer does."""
    found = await actions.held(tx, id, caller)
    given = form.given == "yes"
    await actions.note_consent(tx, found, form.purpose, form.channel, given, form.source, tx.now, caller.id)
    return _back(id)


@router.post("/customers/{id}/merge", dependencies=CARE, include_in_schema=False)
async def merge(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[MergeForm, Form()]
) -> RedirectResponse:
    """Somebody else is the same person and becomes part of this customer."""
    other = await _named(tx, form.other)
    for each in sorted({id, other}):
        await actions.held(tx, each, caller)
    await merging.merge(tx, id, other, caller.id)
    return _back(id)


async def _named(tx: Tx, words: str) -> UUID:
    try:
        return UUID(words)
    except ValueError:
        identity = email_identity(words) or phone_identity(words)
        found = await file.find(tx, identity) if identity else None
    if found is None:
        raise invalid("body", ["other"], N_("Nobody here is reached so"), "unknown_customer")
    return found


@router.post("/customers/{id}/undo", dependencies=CARE, include_in_schema=False)
async def undo(id: UUID, tx: WriteTx, caller: Caller, form: Annotated[UndoForm, Form()]) -> RedirectResponse:
    """They were two after all."""
    await actions.held(tx, id, caller)
    await merging.undo(tx, id, form.merge, caller.id)
    return _back(id)


@router.post("/customers/{id}/forget", dependencies=CARE, include_in_schema=False)
async def forget(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[EraseForm, Form()]
) -> RedirectResponse:
    """Erase contact data and words; it cannot be undone."""
    await actions.held(tx, id, caller)
    await erasing.erase(tx, id, caller.id)
    return _back(id)


def _back(id: UUID) -> RedirectResponse:
    return RedirectResponse(f"/intake/customers/{id}", status_code=303)
