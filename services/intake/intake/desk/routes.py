"""The service desk's pages."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict

from intake.desk import callbacks, feeds
from intake.desk.choice import Choice
from intake.desk.one import look
from intake.desk.store import COUNTED, SIMPLE_DAYS, load_chosen, load_figures
from intake.places.routes import regions
from intake.places.store import load_catalogue
from intake.requests import access, actions
from intake.requests.access import Limits
from intake.requests.routes import AnswerText, person
from shared.db import Tx
from shared.http.auth import Caller, Principal, allow
from shared.http.pages import page
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)

_DESK = [Depends(allow(*feeds.ROLES))]
_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]


class AnswerForm(BaseModel):
    """What an agent writes, and the proof that our page sent it."""

    model_config = ConfigDict(extra="forbid")

    csrf: str = ""
    text: AnswerText
    solved: bool = False
    spoken: bool = False

    def said(self, name: str | None) -> actions.Said:
        return actions.Said(self.text, self.solved, self.spoken, name or "")


@router.get("/desk", dependencies=_DESK, include_in_schema=False)
async def desk(request: Request, caller: Caller, choice: Annotated[Choice, Query()]) -> HTMLResponse:
    """What came in, the newest first: the first page of everything is live, the rest is as it is now.

    Whom to call back stands above it, with their numbers; looking at them is recorded.
    """
    show = partial(_show_all, request=request, caller=caller, choice=choice)
    return await service_of(request).database.transact(show)


@router.get("/desk/callbacks", dependencies=_DESK, include_in_schema=False)
async def to_call_back(request: Request, caller: Caller) -> HTMLResponse:
    """Whom to call back (R51), for the desk, which asks again and again."""
    look_again = partial(callbacks.look, viewer=caller)
    return page(request, "callbacks.html", callbacks=await service_of(request).database.transact(look_again))


@router.get("/desk/{id}", dependencies=_DESK, include_in_schema=False)
async def one(id: UUID, request: Request, caller: Caller) -> HTMLResponse:
    """One request: who, what, why so judged, what was said. Looking at contact data is recorded."""
    show = partial(_show, request=request, id=id, caller=caller)
    return await service_of(request).database.transact(show)


@router.post("/desk/{id}/answers", dependencies=_AGENTS, include_in_schema=False)
async def answer(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[AnswerForm, Form()]
) -> RedirectResponse:
    """Answer the customer from the page."""
    await actions.answer(tx, await access.lock(tx, caller, id), form.said(caller.name), person(caller))
    return RedirectResponse(f"/intake/desk/{id}", status_code=303)


async def _show_all(tx: Tx, request: Request, caller: Principal, choice: Choice) -> HTMLResponse:
    limits = Limits.of(caller)
    found = await load_chosen(tx, choice, limits, feeds.SHOWN + 1)
    shown = found[: feeds.SHOWN]
    return page(
        request,
        "desk.html",
        rows=await feeds.rows_of(tx, shown),
        choice=choice,
        feed=feeds.feed_of(limits),
        figures=await load_figures(tx, limits),
        counted=COUNTED,
        simple_days=SIMPLE_DAYS,
        older=choice.link(shown[-1].id) if len(found) > len(shown) else None,
        regions=regions(await load_catalogue(tx)),
        callbacks=await callbacks.look(tx, caller),
    )


async def _show(tx: Tx, request: Request, id: UUID, caller: Principal) -> HTMLResponse:
    return page(request, "request.html", **await look(tx, id, caller, settings_of(request)))
