"""The form that customers fill in without an account."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from intake.channels.input import Customer, NewRequest
from intake.channels.routes import normalise
from intake.devices import store as devices
from intake.devices.links import device_of
from intake.forms import rules
from intake.forms.rules import Typed
from intake.places.routes import regions
from intake.places.store import load_catalogue
from intake.progress.links import path_of
from intake.requests.rules import HOUSE_FORM, UNKNOWN
from intake.requests.store import load_number
from intake.requests.writer import writer_of
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.http.auth import public
from shared.http.pages import page
from shared.http.problem import InvalidInput
from shared.http.query import any_query
from shared.http.readers import wants_page
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ReadTx, ServiceRoute
from shared.i18n import day_of
from shared.i18n.language import gettext

router = APIRouter(route_class=ServiceRoute)

_OPEN = [Depends(public()), Depends(any_query())]
Line = Annotated[str, StringConstraints(strip_whitespace=True)]


class SentForm(BaseModel):
    """What the page sends; `key` says which drawing of the form it was."""

    model_config = ConfigDict(extra="forbid")

    name: Line = ""
    phone: Line = ""
    region: Line = ""
    city: Line = ""
    description: Line = ""
    key: UUID | None = None
    device: Annotated[str, StringConstraints(max_length=64)] = ""

    def typed(self) -> Typed:
        return Typed(**{name: getattr(self, name) for name in rules.FIELDS})


@router.get("/form", dependencies=_OPEN, include_in_schema=False)
async def form(request: Request, tx: ReadTx, device: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The customers' form, empty but for the product whose label led here."""
    return await _draw(tx, request, Typed(), {}, uuid7(), device)


@router.post("/form", dependencies=_OPEN, include_in_schema=False)
async def submit(request: Request, sent: Annotated[SentForm, Form()]) -> Response:
    """Register what a customer filled in, once; what cannot be taken is drawn again with what was typed."""
    typed, key = sent.typed(), sent.key or uuid7()
    try:
        new = _request(typed, key)
    except NotComplete as error:
        if not wants_page(request):
            raise InvalidInput(errors=[_error(*each) for each in error.faults.items()]) from None
        draw = partial(_draw, request=request, typed=typed, found=error.faults, key=key, label=sent.device)
        return await service_of(request).database.transact(draw)
    message = normalise(new, HOUSE_FORM, sent.model_dump_json().encode(), clock.now())
    look = partial(_labelled, request=request, label=sent.device)
    if sent.device and (device := await service_of(request).database.transact(look)):
        message = replace(message, device_id=device.id, product_line=device.product_line)
    registered = await writer_of(service_of(request)).register(message)
    follow = path_of(registered.request_id, settings_of(request))
    number = await service_of(request).database.transact(partial(load_number, id=registered.request_id))
    return page(request, "form_done.html", number=number, follow=follow)


class NotComplete(Exception):
    """What is wrong, a sentence by field."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(*faults)
        self.faults = faults


def _request(typed: Typed, key: UUID) -> NewRequest:
    if found := rules.faults(typed):
        raise NotComplete(found)
    try:
        return NewRequest(
            external_id=rules.place_of(str(key), typed),
            customer=Customer(name=typed.name, phone=typed.phone),
            region=UNKNOWN if typed.region == rules.ELSEWHERE else typed.region,
            city=typed.city,
            description=typed.description,
        )
    except ValidationError as error:  # places have rules of their own, which people are not told in patterns
        wrong = {str(each["loc"][-1]) for each in error.errors()}
        raise NotComplete({name: rules.NOT_READABLE for name in rules.FIELDS if name in wrong}) from None


async def _labelled(tx: Tx, request: Request, label: str) -> Any:
    """The product of a label; None where we did not print it."""
    id = device_of(label, settings_of(request))
    return await devices.load(tx, id) if id else None


async def _draw(
    tx: Tx, request: Request, typed: Typed, found: dict[str, str], key: UUID, label: str
) -> Response:
    device = await _labelled(tx, request, label) if label else None
    covered = (await devices.covered(tx, [device], day_of(clock.now())))[0] if device else None
    return page(
        request,
        "form.html",
        status_code=422 if found else 200,
        typed=typed,
        faults={name: gettext(told) for name, told in found.items()},
        first=rules.first_fault(found),
        key=key,
        regions=regions(await load_catalogue(tx)),
        elsewhere=rules.ELSEWHERE,
        device=device,
        covered=covered,
        label=label if device else "",
    )


def _error(name: str, told: str) -> dict[str, str]:
    return {"source": "body", "pointer": f"/{name}", "detail": gettext(told), "code": "form"}
