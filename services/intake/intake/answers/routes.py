"""Answer templates by HTTP: read by whoever answers, looked after by who looks after the knowledge (R124)."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from intake.answers import actions, store
from intake.answers.input import TemplateSent
from shared.db import Tx
from shared.http.auth import Caller, Role, allow
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)

EDITORS: Final[frozenset[Role]] = frozenset({"knowledge", "admin"})
READERS: Final[frozenset[Role]] = frozenset({"care", "dispatcher", "operations", "knowledge", "admin"})
_READERS = [Depends(allow(*READERS))]
_EDITORS = [Depends(allow(*EDITORS))]


class TemplateView(BaseModel):
    """A template as it stands; `by` changed it last, `owner` answers for it being right."""

    id: UUID
    language: str
    title: str
    body: str
    owner: str
    version: int
    by: str
    at: datetime


@router.get("/answer-templates", dependencies=_READERS)
async def read_templates(tx: ReadTx) -> list[TemplateView]:
    """All of them, Chinese first, by title."""
    return [TemplateView.model_validate(each, from_attributes=True) for each in await store.load_all(tx)]


@router.get("/answer-templates/{id}", dependencies=_READERS)
async def read_template(id: UUID, tx: ReadTx, response: Response) -> TemplateView:
    """One; its ETag is what changing it asks for."""
    return await _shown(tx, id, response)


@router.post("/answer-templates", status_code=201, dependencies=[*_EDITORS, Depends(idempotent())])
async def post_template(tx: WriteTx, sent: TemplateSent, caller: Caller, response: Response) -> TemplateView:
    """A new one; a placeholder that nobody knows is refused with its line."""
    id = await actions.write(tx, sent.words, caller.id)
    response.headers["Location"] = f"/intake/answer-templates/{id}"
    return await _shown(tx, id, response)


@router.put("/answer-templates/{id}", dependencies=_EDITORS)
async def put_template(
    id: UUID, tx: WriteTx, seen: IfMatch, sent: TemplateSent, caller: Caller, response: Response
) -> TemplateView:
    """One more version of it."""
    held = await store.load(tx, id, lock=True)
    seen.require(held.version)
    await actions.change(tx, held, sent.words, caller.id)
    return await _shown(tx, id, response)


@router.delete("/answer-templates/{id}", status_code=204, dependencies=_EDITORS)
async def delete_template(id: UUID, tx: WriteTx, seen: IfMatch, caller: Caller) -> Response:
    """Nobody chooses it any more."""
    held = await store.load(tx, id, lock=True)
    seen.require(held.version)
    await actions.remove(tx, held, caller.id)
    return Response(status_code=204)


async def _shown(tx: Tx, id: UUID, response: Response) -> TemplateView:
    found = await store.load(tx, id)
    show_version(response, found.version)
    return TemplateView.model_validate(found, from_attributes=True)
