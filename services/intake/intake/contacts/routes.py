"""How the engineer of a job reaches its customer: by a pass of dispatch; each look is recorded."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from intake.customers import store as customers
from intake.requests import store
from intake.requests.routes import look_at_customer
from shared.db import Tx
from shared.errors import AftercareError
from shared.http.auth import Caller, Principal, allow
from shared.http.pages import page
from shared.http.passes import let_through
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ServiceRoute

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)


class PassNotValid(AftercareError):
    """This is no way to a customer of yours, or not any more; go back to your job and tap again."""

    kind = "not_found"


@router.get("/contacts/{token}", dependencies=[Depends(allow("engineer"))])
async def contact(request: Request, caller: Caller, token: str) -> Response:
    """The customer's telephone numbers, to be called with one tap; nothing of it is kept by the browser."""
    response = await service_of(request).database.transact(
        partial(_shown, request=request, caller=caller, token=token)
    )
    response.headers["cache-control"] = "no-store"
    return response


async def _shown(tx: Tx, request: Request, caller: Principal, token: str) -> Response:
    request_id = let_through(token, "contact", caller.id, tx.now, settings_of(request))
    if request_id is None:
        raise PassNotValid
    asked = await store.load(tx, request_id)
    customer = await look_at_customer(tx, asked, caller.id)
    ways = await customers.load_identities(tx, asked.customer_id)
    phones = [each.value for each in ways if each.kind == "phone"]
    return page(request, "contact.html", customer=customer, asked=asked, phones=phones)
