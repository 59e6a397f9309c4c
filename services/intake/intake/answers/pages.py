"""The pages of answer templates, and the one that is chosen for a request."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from intake.answers import actions, rules, store
from intake.answers.input import Filled
from intake.answers.routes import EDITORS, READERS
from intake.answers.rules import Facts, Words, promise_that_holds
from intake.progress.links import path_of
from intake.requests import access
from intake.requests.routes import absolute, look_at_customer
from shared.db import Tx
from shared.http.auth import Caller, Principal, allow
from shared.http.etag import Precondition
from shared.http.pages import page
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute, include_in_schema=False)

_READERS = [Depends(allow(*READERS))]
_EDITORS = [Depends(allow(*EDITORS))]
_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]
Seen = Annotated[int, Field(ge=1, le=2**31 - 1)]


class NewForm(Filled):
    """A template as it was filled in, and the proof that our page sent it."""

    csrf: str = ""


class ChangeForm(NewForm):
    """The same on top of a version."""

    seen: Seen


class SeenForm(BaseModel):
    """Which version somebody has before them."""

    model_config = ConfigDict(extra="forbid")

    csrf: str = ""
    seen: Seen


@router.get("/templates", dependencies=_READERS)
async def show_all(request: Request, tx: ReadTx, caller: Caller) -> HTMLResponse:
    """What there is, to be read and, by who may, changed."""
    may = bool(caller.roles & EDITORS)
    return page(request, "templates.html", templates=await store.load_all(tx), may_edit=may)


@router.get("/templates/new", dependencies=_EDITORS)
async def new(request: Request, caller: Caller) -> HTMLResponse:
    """An empty form."""
    return _form(request, None, Words("zh", "", "", caller.name or caller.id))


@router.post("/templates", dependencies=_EDITORS)
async def write(tx: WriteTx, request: Request, caller: Caller, form: Annotated[NewForm, Form()]) -> Response:
    """A new one; what cannot be taken is drawn again with what was typed."""
    if faults := actions.faults_of(form.words):
        return _form(request, None, form.words, faults)
    await actions.write(tx, form.words, caller.id)
    return RedirectResponse("/intake/templates", 303)


@router.get("/templates/{id}", dependencies=_EDITORS)
async def edit(id: UUID, request: Request, tx: ReadTx) -> HTMLResponse:
    """One, to be changed."""
    found = await store.load(tx, id)
    return _form(request, found, Words(found.language, found.title, found.body, found.owner))


@router.post("/templates/{id}", dependencies=_EDITORS)
async def change(
    id: UUID, tx: WriteTx, request: Request, caller: Caller, form: Annotated[ChangeForm, Form()]
) -> Response:
    """One more version."""
    held = await _held(tx, id, form.seen)
    if faults := actions.faults_of(form.words):
        return _form(request, held, form.words, faults)
    await actions.change(tx, held, form.words, caller.id)
    return RedirectResponse("/intake/templates", 303)


@router.post("/templates/{id}/remove", dependencies=_EDITORS)
async def remove(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[SeenForm, Form()]
) -> RedirectResponse:
    """Nobody chooses it any more."""
    await actions.remove(tx, await _held(tx, id, form.seen), caller.id)
    return RedirectResponse("/intake/templates", 303)


@router.get("/desk/{id}/template", dependencies=_AGENTS)
async def fill(
    id: UUID, request: Request, caller: Caller, template: Annotated[UUID | None, Query()] = None
) -> HTMLResponse:
    """A template with the facts of a request in it, for the answer; the choice of none is nothing."""
    if template is None:
        return HTMLResponse("")
    filled = partial(_filled, request=request, id=id, template=template, viewer=caller)
    return page(request, "template_filled.html", text=await service_of(request).database.transact(filled))


async def _filled(tx: Tx, request: Request, id: UUID, template: UUID, viewer: Principal) -> str:
    asked, settings = await access.load(tx, viewer, id), settings_of(request)
    customer = await look_at_customer(tx, asked, viewer.id)
    chosen = await store.load(tx, template)
    until = (await store.load_promises(tx, [id])).get(id)
    facts = Facts(
        name=customer.name,
        number=asked.spoken_number,
        title=asked.title,
        link=absolute(path_of(id, settings), settings.public_url) or "",
        until=promise_that_holds(until, asked.answered_at is not None, tx.now),
    )
    return rules.filled(chosen.body, chosen.language, facts)


async def _held(tx: Tx, id: UUID, seen: int) -> Any:
    held = await store.load(tx, id, lock=True)
    Precondition(frozenset([str(seen)])).require(held.version)
    return held


def _form(
    request: Request, found: Any | None, words: Words, faults: Sequence[dict[str, str]] = ()
) -> HTMLResponse:
    return page(
        request,
        "template_form.html",
        status_code=422 if faults else 200,
        known=found,
        words=words,
        faults=faults,
        placeholders=rules.PLACEHOLDERS,
    )
