"""Internal notes on a request: by HTTP, and from its page."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, StringConstraints

from intake.notes import actions, store
from intake.requests import access
from intake.requests.routes import look_at_customer
from shared.db import Tx
from shared.http.auth import Caller, Principal, allow
from shared.http.idempotency import idempotent
from shared.http.scope import service_of
from shared.http.transaction import ServiceRoute, WriteTx
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

_DESK = [Depends(allow("care", "dispatcher", "operations", "admin"))]


class Written(Sent):
    """What colleagues should know; no customer ever reads it."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000, strip_whitespace=True)]


class NoteForm(Written):
    """The same from the page, and the proof that our page sent it."""

    csrf: str = ""


class Kept(BaseModel):
    """The note."""

    note_id: UUID


class NoteView(BaseModel):
    """One note; `author_name` is empty where nobody told a name."""

    id: UUID
    request_id: UUID
    author: str
    author_name: str
    text: str
    at: datetime


@router.get("/requests/{id}/notes", dependencies=_DESK)
async def read_notes(id: UUID, request: Request, principal: Caller) -> list[NoteView]:
    """The notes on a request, in order; people write about customers, so looking is recorded."""
    return await service_of(request).database.transact(partial(_read, id=id, viewer=principal))


@router.post("/requests/{id}/notes", status_code=201, dependencies=[*_DESK, Depends(idempotent())])
async def post_note(id: UUID, tx: WriteTx, written: Written, principal: Caller) -> Kept:
    """Write a note; it is never sent, and stands on no page that customers see."""
    return Kept(note_id=await _write(tx, id, written.text, principal))


@router.post("/desk/{id}/notes", dependencies=_DESK, include_in_schema=False)
async def write_note(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[NoteForm, Form()]
) -> RedirectResponse:
    """The same from the page."""
    note = await _write(tx, id, form.text, caller)
    return RedirectResponse(f"/intake/desk/{id}#note-{note}", status_code=303)


async def _write(tx: Tx, id: UUID, text: str, by: Principal) -> UUID:
    asked = await access.lock(tx, by, id)
    return await actions.write(tx, asked, text.replace("\r\n", "\n"), by)


async def _read(tx: Tx, id: UUID, viewer: Principal) -> list[NoteView]:
    asked = await access.load(tx, viewer, id)
    await look_at_customer(tx, asked, viewer.id)
    return [NoteView.model_validate(each, from_attributes=True) for each in await store.load_of(tx, id)]
