"""The customer's page: what was done, and whether it is accepted (R29). Reached by a secret link only."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from dispatch.acceptance import store
from dispatch.acceptance.actions import NoSuchLink, answer, come_back
from dispatch.acceptance.proof import make_proof, proves
from dispatch.acceptance.rules import may_come_back
from dispatch.evidence.store import newest_signature
from dispatch.tickets.dossier import load_dossier
from dispatch.tickets.store import load_ticket
from shared.errors import AftercareError
from shared.http.auth import public
from shared.http.pages import page
from shared.http.problem import invalid
from shared.http.query import any_query
from shared.http.scope import settings_of
from shared.http.sessions import require_same_origin
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import N_

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)
_OPEN: Final = [Depends(public()), Depends(any_query())]

Words = Annotated[str, Form(max_length=1000)]


class NotFromThePage(AftercareError):
    """This answer was not given on our page, or the page was open for too long; load it again."""

    kind = "forbidden"


@router.get("/acceptance/{token}", dependencies=_OPEN)
async def show(request: Request, tx: ReadTx, token: str) -> Response:
    """What was done, and the question; looking at it answers nothing."""
    found = await store.find_acceptance(tx, token)
    ticket = await load_ticket(tx, found.ticket_id) if found else None
    if found is None or ticket is None:
        raise NoSuchLink
    return page(
        request,
        "acceptance.html",
        acceptance=found,
        may_come_back=may_come_back(found, ticket.state, ticket.episode),
        dossier=await load_dossier(tx, ticket),
        signature=await newest_signature(tx, ticket.id, found.episode),
        proof=make_proof(token, tx.now, settings_of(request)),
    )


@router.post("/acceptance/{token}", dependencies=_OPEN)
async def decide(
    request: Request,
    tx: WriteTx,
    token: str,
    verdict: Annotated[Literal["accept", "reject", "come_back"], Form()],
    proof: Annotated[str, Form(max_length=200)],
    reason: Words = "",
) -> Response:
    """The customer's word, given on the page."""
    settings = settings_of(request)
    require_same_origin(request, settings)
    if not proves(proof, token, tx.now, settings):
        raise NotFromThePage
    if verdict != "accept" and not reason.strip():
        raise invalid("body", ("reason",), N_("say what is not right"), "missing")
    if verdict == "come_back":
        await come_back(tx, token, reason.strip())
    else:
        await answer(tx, token, verdict == "accept", reason.strip() or None)
    return RedirectResponse(f"/dispatch/acceptance/{token}", 303)
