"""Deciding about messages that did not get through: over HTTP, and from the request's page."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Response
from fastapi.responses import RedirectResponse

from intake.sending import actions
from intake.sending.rules import Decision
from shared.http.auth import Caller, allow
from shared.http.transaction import ServiceRoute, WriteTx
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]


class Decided(Sent):
    """What shall become of it; that it arrived can be said only where nobody knows."""

    decision: Decision = "send_again"


class DecidedForm(Decided):
    """What a person pressed, and the proof that our page sent it."""

    csrf: str = ""


@router.post("/messages/{id}/retry", status_code=204, dependencies=_AGENTS)
async def retry(id: UUID, tx: WriteTx, caller: Caller, decided: Decided) -> Response:
    """Send a message again that failed, has no way or an open fate; or say that it arrived."""
    await actions.decide(tx, id, decided.decision, caller)
    return Response(status_code=204)


@router.post("/desk/messages/{id}/retry", dependencies=_AGENTS, include_in_schema=False)
async def retry_from_page(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[DecidedForm, Form()]
) -> RedirectResponse:
    """The same from the request's page."""
    request_id = await actions.decide(tx, id, form.decision, caller)
    return RedirectResponse(f"/intake/desk/{request_id}", status_code=303)
