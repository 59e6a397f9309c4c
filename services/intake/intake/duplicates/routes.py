"""The part of a request's page that tells of requests that are the same."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict

from intake.duplicates import actions, store
from intake.requests import access
from intake.requests import store as requests
from intake.requests.routes import person
from shared.db import Tx
from shared.db.audit import record
from shared.http.auth import Caller, Principal, Role, allow
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.logs import redact

router = APIRouter(route_class=ServiceRoute, include_in_schema=False)

READERS: Final[frozenset[Role]] = frozenset({"care", "dispatcher", "operations", "admin"})
AGENTS: Final[frozenset[Role]] = frozenset({"care", "dispatcher", "admin"})
_DESK = [Depends(allow(*READERS))]
_AGENTS = [Depends(allow(*AGENTS))]


class OtherForm(BaseModel):
    """The other request, and the proof that our page sent it."""

    model_config = ConfigDict(extra="forbid")

    csrf: str = ""
    other: UUID


@router.get("/desk/{id}/duplicates", dependencies=_DESK)
async def duplicates(id: UUID, request: Request, tx: ReadTx, caller: Caller) -> HTMLResponse:
    """What is merged with this request, and what seems to be the same."""
    found = await access.load(tx, caller, id)
    pairs = [each for each in await store.load_pairs(tx, [id]) if each[2] == "merged"]
    suggested = await actions.suggestions(tx, found)
    others = {each for pair in pairs for each in pair[:2]} | {each.told.id for each in suggested}
    seen = await access.visible(tx, caller, others)
    return page(
        request,
        "duplicates.html",
        asked=found,
        main=next((main for part, main, _ in pairs if part == id and main in seen), None),
        parts=[await requests.load(tx, part) for part, main, _ in pairs if main == id and part in seen],
        suggestions=[each for each in suggested if each.told.id in seen],
        steps=await store.load_steps(tx, id),
        may_merge=bool(caller.roles & AGENTS),
        redact=redact,
    )


@router.post("/desk/{id}/merge", dependencies=_AGENTS)
async def merge(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[OtherForm, Form()]
) -> RedirectResponse:
    """The newer of the two becomes part of the older one."""
    await access.require(tx, caller, {id, form.other})
    main = await actions.merge(tx, id, form.other, person(caller))
    return await _done(tx, caller, "requests_merged", main, id, form.other)


@router.post("/desk/{id}/split", dependencies=_AGENTS)
async def split(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[OtherForm, Form()]
) -> RedirectResponse:
    """They are two after all."""
    await access.require(tx, caller, {id, form.other})
    await actions.split(tx, id, form.other, person(caller))
    return await _done(tx, caller, "requests_split", id, id, form.other)


@router.post("/desk/{id}/apart", dependencies=_AGENTS)
async def keep_apart(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[OtherForm, Form()]
) -> RedirectResponse:
    """They only look alike."""
    await access.require(tx, caller, {id, form.other})
    await actions.keep_apart(tx, id, form.other, person(caller))
    return await _done(tx, caller, "requests_kept_apart", id, id, form.other)


async def _done(tx: Tx, caller: Principal, action: str, to: UUID, id: UUID, other: UUID) -> RedirectResponse:
    await record(tx, caller.id, action, str(id), {"other": str(other)})
    return RedirectResponse(f"/intake/desk/{to}", status_code=303)
