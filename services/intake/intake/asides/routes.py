"""What came in and opened nothing: to be looked through, and replayed where it was a fault of ours."""

from __future__ import annotations

import base64
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel

from intake.asides import actions, store
from intake.asides.actions import FAILED
from intake.requests.access import Limits
from shared.clock import made_at
from shared.db import Tx
from shared.db.audit import record
from shared.errors import AftercareError
from shared.events.terms import Code
from shared.http.auth import Caller, Principal, allow
from shared.http.cursor import Page, Paged
from shared.http.pages import page
from shared.http.readers import wants_page
from shared.http.scope import service_of
from shared.http.transaction import ReadTx, ServiceRoute
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

_OPERATORS: Final = [Depends(allow("operations", "admin"))]
_MOST_SHOWN: Final = 64 * 1024  # characters of a body on its page


class WholeHouse(AftercareError):
    """What was set aside belongs to no region or product line, and your view is limited to some."""

    kind = "forbidden"


class Replay(BaseModel):
    """Who had it read again and when, and how many messages and other things came of it."""

    at: datetime
    by: str
    messages: int
    others: int


class AsideView(BaseModel):
    """One thing that was set aside; `size` is in bytes."""

    id: UUID
    channel: str
    account: str
    external_id: str
    reason: str
    size: int
    came_at: datetime
    replayed: Replay | None


class AsideWhole(AsideView):
    """The same with what it says, base64-encoded byte for byte."""

    body: str


class Which(Sent):
    """Whose failed calls are replayed; of all channels where none is named."""

    channel: Code | None = None


class WhichForm(Which):
    """The same from the page, with the proof that it sent it."""

    csrf: str = ""


class Tally(BaseModel):
    """How many were replayed, and how many cannot be read yet; 200 at most are tried at once."""

    replayed: int
    failing: int


def _whole(caller: Caller) -> Principal:
    if not Limits.of(caller).none:
        raise WholeHouse
    return caller


Whole = Annotated[Principal, Depends(_whole)]


@router.get("/set-aside", dependencies=_OPERATORS, response_model=Page[AsideView])
async def read_asides(
    request: Request,
    tx: ReadTx,
    caller: Whole,
    paging: Paged,
    reason: Annotated[str | None, Query(max_length=200)] = None,
    channel: Code | None = None,
) -> Page[AsideView] | HTMLResponse:
    """What was set aside, the newest first, by reason and channel. A browser gets the page."""
    before = paging.after[0] if paging.after else None
    rows = await store.load_list(
        tx, reason or None, channel, before if isinstance(before, UUID) else None, paging.limit + 1
    )
    found = paging.page([_view(row) for row in rows], key=lambda view: (view.id,))
    if not wants_page(request):
        return found
    waiting = len(await store.list_open(tx, FAILED, None, actions.AT_ONCE))
    chosen = {reason} if reason else set()
    reasons = sorted(chosen.union(await store.load_reasons(tx)))
    return page(
        request, "asides.html", found=found, reason=reason, channel=channel, reasons=reasons, waiting=waiting
    )


@router.get("/set-aside/{id}", dependencies=_OPERATORS, response_model=AsideWhole)
async def read_aside(id: UUID, request: Request, caller: Whole) -> AsideWhole | HTMLResponse:
    """One with what it says; customers wrote it, so looking is recorded. A browser gets the page."""
    row = await service_of(request).database.transact(partial(_look, id=id, by=caller.id))
    if wants_page(request):
        said = row.body.decode("utf-8", "backslashreplace")
        shown = said[:_MOST_SHOWN]
        return page(request, "aside.html", it=_view(row), said=shown, more=len(said) > len(shown))
    return AsideWhole(**_view(row).model_dump(), body=base64.b64encode(row.body).decode())


@router.post("/set-aside/{id}/replay", dependencies=_OPERATORS)
async def replay(id: UUID, request: Request, caller: Whole) -> Replay:
    """Read a call again that failed when it came; once, however often it is asked for."""
    row = await actions.replay(service_of(request), id, caller.id)
    return Replay.model_validate(row, from_attributes=True)


@router.post("/set-aside/replays", dependencies=_OPERATORS)
async def replay_all(which: Which, request: Request, caller: Whole) -> Tally:
    """Read all again that failed and was not replayed."""
    told = await actions.replay_all(service_of(request), which.channel, caller.id)
    return Tally(replayed=told.replayed, failing=told.failing)


@router.post("/set-aside/{id}/replay-from-page", dependencies=_OPERATORS, include_in_schema=False)
async def replay_from_page(
    id: UUID, request: Request, caller: Whole, form: Annotated[WhichForm, Form()]
) -> RedirectResponse:
    """The same from its page."""
    await actions.replay(service_of(request), id, caller.id)
    return RedirectResponse(f"/intake/set-aside/{id}", status_code=303)


@router.post("/set-aside/replay-from-page", dependencies=_OPERATORS, include_in_schema=False)
async def replay_all_from_page(
    request: Request, caller: Whole, form: Annotated[WhichForm, Form()]
) -> RedirectResponse:
    """All of them, from the list."""
    await actions.replay_all(service_of(request), form.channel, caller.id)
    return RedirectResponse(f"/intake/set-aside?reason={FAILED}", status_code=303)


async def _look(tx: Tx, id: UUID, by: str) -> Any:
    row = await store.load(tx, id)
    await record(tx, by, "set_aside_read", str(id), {"reason": row.reason})
    return row


def _view(row: Any) -> AsideView:
    plain = {name: getattr(row, name) for name in ("id", "channel", "account", "external_id", "reason")}
    size = row.size if hasattr(row, "size") else len(row.body)
    told = Replay.model_validate(row, from_attributes=True) if row.at else None
    return AsideView(**plain, size=size, came_at=made_at(row.id), replayed=told)
