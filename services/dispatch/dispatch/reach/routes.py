"""How the engineer of a job gets through to the customer, whose number dispatch does not have."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from dispatch.access import Viewer, find_ticket
from shared.errors import AftercareError
from shared.http.auth import Caller, allow
from shared.http.passes import pass_for
from shared.http.scope import settings_of
from shared.http.transaction import ReadTx, ServiceRoute

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)


class NotYourCustomer(AftercareError):
    """Only the engineer of a job that goes on calls its customer."""

    kind = "forbidden"


@router.get("/tickets/{ticket_id}/contact", dependencies=[Depends(allow("engineer"))])
async def contact(request: Request, tx: ReadTx, caller: Caller, ticket_id: UUID) -> Response:
    """To intake's door, with a pass: it shows the number, and records who saw it."""
    viewer = Viewer.of(caller)
    ticket = await find_ticket(tx, viewer, ticket_id)
    if not ticket.is_open or viewer.employee_id is None or viewer.employee_id != ticket.engineer_id:
        raise NotYourCustomer
    token = pass_for("contact", ticket.request_id, caller.id, tx.now, settings_of(request))
    return RedirectResponse(f"/intake/contacts/{token}", 303, {"cache-control": "no-store"})
