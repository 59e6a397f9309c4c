"""The customer's page of a visit: times to choose from, and what is agreed. Reached by a secret link only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from itertools import groupby
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import AwareDatetime

from dispatch.acceptance.proof import make_proof, proves
from dispatch.acceptance.routes import NotFromThePage
from dispatch.organisation.roster import day_of
from dispatch.visits.choosing import Matter, call_off, choose, look
from dispatch.visits.rules import SHOWN, NothingToChoose, NoVisitAgreed, SlotGone, VisitChanged
from dispatch.visits.slots import AHEAD, Slot
from shared.db import Tx
from shared.http.auth import public
from shared.http.pages import page
from shared.http.problem import invalid
from shared.http.query import any_query
from shared.http.scope import service_of, settings_of
from shared.http.sessions import require_same_origin
from shared.http.transaction import ReadTx, ServiceRoute, reading
from shared.i18n import N_, ZONE

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)
_OPEN: Final = [Depends(public()), Depends(any_query())]
_CONFLICTS: Final = (SlotGone, VisitChanged, NothingToChoose, NoVisitAgreed)

Words = Annotated[str, Form(max_length=500)]


@router.get("/visit/{token}", dependencies=_OPEN)
async def show(
    request: Request, tx: ReadTx, token: str, day: Annotated[date | None, Query(alias="from")] = None
) -> Response:
    """What can be chosen, or what is agreed; looking at it changes nothing."""
    return await _page(request, tx, token, day)


@router.post("/visit/{token}", dependencies=_OPEN)
async def decide(
    request: Request,
    token: str,
    deed: Annotated[Literal["choose", "cancel"], Form()],
    proof: Annotated[str, Form(max_length=200)],
    seen: Annotated[UUID | None, Form()] = None,
    starts_at: Annotated[AwareDatetime | None, Form()] = None,
    reason: Words = "",
) -> Response:
    """The customer's word, given on the page. What was taken meanwhile is told with what is free now."""
    settings, database = settings_of(request), service_of(request).database
    require_same_origin(request, settings)

    async def do(tx: Tx) -> None:
        if not proves(proof, token, tx.now, settings):
            raise NotFromThePage
        if deed == "cancel":
            await call_off(tx, token, seen, reason.strip())
        elif starts_at is None:
            raise invalid("body", ("starts_at",), N_("choose a time"), "missing")
        else:
            await choose(tx, token, starts_at, seen, reason.strip())

    try:
        await database.transact(do)
    except _CONFLICTS as conflict:
        # Read anew: what this request saw was the past, and nothing of it has been kept.
        async with reading(database) as tx:
            return await _page(request, tx, token, None, conflict)
    return RedirectResponse(f"/dispatch/visit/{token}", 303)


async def _page(
    request: Request, tx: Tx, token: str, day: date | None, conflict: Exception | None = None
) -> Response:
    matter = await look(tx, token)
    return page(
        request,
        "visit.html",
        status_code=409 if conflict else 200,
        ticket=matter.ticket,
        matter=matter,
        days=_by_day(matter, day),
        day=day,
        first_day=day_of(tx.now),
        last_day=day_of(tx.now + AHEAD),
        conflict=type(conflict).__name__ if conflict else None,
        proof=make_proof(token, tx.now, settings_of(request)),
    )


def _by_day(matter: Matter, day: date | None) -> Mapping[date, Sequence[Slot]]:
    """The slots on the page: the next ones, or those from a day that the customer asked for."""
    if matter.question is None:
        return {}
    since = datetime.combine(day, time(), ZONE) if day else None
    held = matter.visit.starts_at if matter.visit else None
    found = [each for each in matter.question.next(SHOWN, since) if each.starts_at != held]
    return {on: list(slots) for on, slots in groupby(found, key=lambda each: day_of(each.starts_at))}
