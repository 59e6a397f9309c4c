"""The customer's page of one request: how far it is, what was said, and a box to write more (R27)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select

from intake.answers.rules import promise_that_holds
from intake.answers.store import load_promises
from intake.customers import store as customers
from intake.duplicates import store as duplicates
from intake.messages import store as messages
from intake.messages.rules import is_by_another
from intake.progress import rules
from intake.progress.links import path_of, request_of
from intake.progress.store import load_steps
from intake.progress.story import Asked, tell
from intake.requests import store
from intake.tables import request as requests
from shared.clock import made_at, uuid7
from shared.db import Tx
from shared.errors import AftercareError
from shared.http.auth import public
from shared.http.pages import page
from shared.http.query import any_query
from shared.http.scope import settings_of
from shared.http.sessions import require_same_origin
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import ZONE
from shared.settings import Settings

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)

_OPEN = [Depends(public()), Depends(any_query())]


class NoSuchLink(AftercareError):
    """This link is not valid, or not any more."""

    kind = "not_found"


@router.get("/progress/{token}", dependencies=_OPEN)
async def show(token: str, request: Request, tx: ReadTx) -> Response:
    """How far it is, in words for customers."""
    settings = settings_of(request)
    asked, closed_at = await _asked(tx, token, settings)
    said = await messages.load_conversation(tx, asked.id)
    identities = await customers.load_identities(tx, asked.customer_id)
    main_id = await duplicates.load_main(tx, asked.id)
    steps = await load_steps(tx, asked.ticket_id) if asked.ticket_id else []
    promised = (await load_promises(tx, [asked.id])).get(asked.id)
    known = Asked(asked.received_at, asked.answered_at, asked.ticket_id is not None, closed_at)
    return page(
        request,
        "progress.html",
        asked=asked,
        story=tell(known, steps, tx.now),
        answer_by=promise_that_holds(promised, asked.answered_at is not None, tx.now),
        accept=next(
            (each.link for each in reversed(said) if each.template in rules.ASKS and each.link), None
        ),
        main=path_of(main_id, settings) if main_id else None,
        zone=ZONE,
        by_others={each.id for each in said if is_by_another(each, identities)},
        messages=[each for each in said if each.text or each.template],
        said_at=lambda message: made_at(message.id),
        key=uuid7(),
        closed=closed_at is not None,
        longest=rules.LONGEST_TEXT,
    )


@router.post("/progress/{token}", dependencies=_OPEN)
async def write(
    token: str,
    request: Request,
    tx: WriteTx,
    text: Annotated[str, Form(max_length=rules.LONGEST_TEXT)],
    key: Annotated[UUID, Form()],
) -> Response:
    """What the customer adds joins the request, once per drawing of the page; blanks alone say nothing."""
    settings = settings_of(request)
    require_same_origin(request, settings)
    asked, _ = await _asked(tx, token, settings)
    if text.strip():
        row = {
            "id": uuid7(),
            "request_id": asked.id,
            "direction": "in",
            "channel": "web_form",
            "author": "customer",
            "text": text.strip(),
            "state": "received",
            "cause": key,
        }
        await messages.save_asked(tx, [row])
    return RedirectResponse(f"/intake/progress/{token}", 303)


async def _asked(tx: Tx, token: str, settings: Settings) -> tuple[store.Request, datetime | None]:
    id = request_of(token, settings)
    if id is None:
        raise NoSuchLink
    asked = await store.load(tx, id)
    closed_at = (await tx.execute(select(requests.c.closed_at).where(requests.c.id == id))).scalar_one()
    if not rules.may_look(closed_at, tx.now):
        raise NoSuchLink
    return asked, closed_at
