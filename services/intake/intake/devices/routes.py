"""Products by serial number, what sales sold, contracts and their ends; labels that customers scan."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from intake.channels.input import NotBlank
from intake.customers import file
from intake.customers.access import NoSuchCustomer, sees
from intake.customers.routes import CARE, DESK
from intake.devices import links, purchases, store
from intake.devices.purchases import MOST_LINES, Line
from intake.devices.store import NoSuchDevice
from intake.requests import access
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.db.audit import record
from shared.events.terms import Code
from shared.http.auth import Caller, Principal, allow
from shared.http.pages import page
from shared.http.problem import invalid
from shared.http.scope import settings_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import N_, day_of
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]
LARGEST_IMPORT = 5 * 1024 * 1024  # bytes
Serial = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True), NotBlank]
_CSV_BODY: Any = {
    "requestBody": {
        "required": True,
        "description": "UTF-8, the first line names the columns: serial, model, purchased_on, phone …",
        "content": {"text/csv": {"schema": {"type": "string", "minLength": 1}}},
    }
}


class CoverageView(BaseModel):
    """Whether work is free, why, and until when."""

    state: str
    because: str
    until: date | None


class DeviceView(BaseModel):
    """A product with what covers it; who owns it is in the customer's file."""

    id: UUID
    serial: str
    model: str
    product_line: str | None
    customer_id: UUID | None
    purchased_on: date | None
    coverage: CoverageView


class Sold(Sent):
    """Lines as sales has them; each is judged by itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "lines": [
                        {"serial": "SN-1", "model": "KFR-35", "product_line": "cooling", "order": "A-7",
                         "purchased_on": "2026-03-02", "warranty_months": 24,
                         "customer": {"name": "示例客户", "phone": "13800000000"}}
                    ]
                }
            ]
        },
    )  # fmt: skip

    lines: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_LINES)]


class Report(BaseModel):
    """What became of each line, and how many of each."""

    new: int
    changed: int
    unchanged: int
    refused: int
    lines: list[Line]


class ContractTerms(Sent):
    """A service contract; of all products of the customer where no serial is told. Both days included."""

    customer_id: UUID
    serial: Serial | None = None
    starts_on: date
    ends_on: date


class ContractView(BaseModel):
    """A contract and the days until it ends."""

    number: str
    customer_id: UUID
    device_id: UUID | None
    starts_on: date
    ends_on: date
    days_left: int


class ProductForm(BaseModel):
    """Which product, by its serial number, and the proof that our page sent it."""

    model_config = ConfigDict(extra="forbid")

    csrf: str = ""
    serial: Serial


@router.post("/purchases", dependencies=CARE, max_body_size=LARGEST_IMPORT)
async def post_purchases(tx: WriteTx, sold: Sold, principal: Caller) -> Report:
    """Take over what sales sold (R12); sent again nothing changes."""
    return await _take(tx, sold.lines, principal)


@router.post("/purchases/csv", dependencies=CARE, max_body_size=LARGEST_IMPORT, openapi_extra=_CSV_BODY)
async def post_purchases_csv(tx: WriteTx, request: Request, principal: Caller) -> Report:
    """The same from a table."""
    try:
        lines = list(purchases.read_csv((await request.body()).decode()))
    except (csv.Error, UnicodeDecodeError):
        raise invalid("body", [], N_("This is no table in UTF-8 with commas"), "csv") from None
    if not 0 < len(lines) <= MOST_LINES:
        raise invalid("body", [], N_("A table has 1 to {most} lines"), "lines", most=MOST_LINES)
    return await _take(tx, lines, principal)


async def _take(tx: Tx, lines: list[Any], principal: Principal) -> Report:
    report = await purchases.take(tx, lines)
    counts = {name: sum(each.outcome == name for each in report) for name in Report.model_fields}
    counts.pop("lines")
    await record(tx, principal.id, "purchases_imported", "purchases", counts)
    return Report(**counts, lines=report)


@router.get("/devices/known", dependencies=DESK)
async def find_device(
    tx: ReadTx, principal: Caller, serial: Serial, on: date | None = None, cause: Code | None = None
) -> DeviceView:
    """A product by its serial number, with its coverage on a day (today) for a fault's cause (R76, R77)."""
    each = await _visible(tx, serial, principal)
    [covered] = await store.covered(tx, [each], on or _today(), cause)
    return DeviceView(
        **{name: getattr(each, name) for name in DeviceView.model_fields if name != "coverage"},
        coverage=CoverageView.model_validate(covered, from_attributes=True),
    )


async def _visible(tx: Tx, serial: str, viewer: Principal) -> Any:
    each = (await store.load_by_serial(tx, [serial])).get(serial)
    if each is None or not await _sees(tx, each.customer_id, each.product_line, viewer):
        raise NoSuchDevice
    return each


async def _sees(tx: Tx, customer_id: UUID | None, product_line: str | None, viewer: Principal) -> bool:
    if viewer.regions is None and viewer.customer_levels is None:
        return viewer.product_lines is None or product_line in viewer.product_lines
    if customer_id is None:
        return False
    owner = await file.load_file(tx, customer_id)
    return sees(viewer, owner.level, owner.regions, {product_line})


@router.get("/devices/{id}/label.svg", dependencies=DESK)
async def read_label(id: UUID, tx: ReadTx, request: Request, principal: Caller) -> Response:
    """The code on the product: it opens the form with model, serial number and warranty filled in."""
    import segno  # only whoever prints labels needs it

    each = await store.load(tx, id)
    if not await _sees(tx, each.customer_id, each.product_line, principal):
        raise NoSuchDevice
    settings = settings_of(request)
    target = f"{settings.public_url.rstrip('/')}/intake/form?device={links.token_of(each.id, settings)}"
    drawn = io.BytesIO()
    segno.make(target, error="m", micro=False).save(drawn, kind="svg", scale=4)
    return Response(drawn.getvalue(), media_type="image/svg+xml")


@router.put("/contracts/{number}", status_code=204, dependencies=CARE)
async def put_contract(number: Code, tx: WriteTx, terms: ContractTerms, principal: Caller) -> Response:
    """Keep a contract under its number, or renew it (R105)."""
    if terms.ends_on < terms.starts_on:
        raise invalid("body", ["ends_on"], N_("A contract ends after it begins"), "ends_before_start")
    found = await file.load_file(tx, terms.customer_id, lock=True)
    if found.erased or not sees(principal, found.level, found.regions, found.product_lines):
        raise NoSuchCustomer
    each = await _visible(tx, terms.serial, principal) if terms.serial else None
    days = {"starts_on": terms.starts_on, "ends_on": terms.ends_on}
    row = {"id": uuid7(), "number": number, "customer_id": terms.customer_id, **days, "by": principal.id}
    await store.save_contract(tx, {**row, "device_id": each.id if each else None})
    await record(tx, principal.id, "contract_kept", number, {"customer": str(terms.customer_id)})
    return Response(status_code=204)


@router.get("/contracts", dependencies=DESK)
async def read_ending(
    tx: ReadTx, principal: Caller, within: Annotated[Literal["30", "60", "90"], Query()] = "90"
) -> list[ContractView]:
    """Contracts that end within so many days, the next first."""
    return await ending(tx, int(within), principal)


async def ending(tx: Tx, within: int, viewer: Principal) -> list[ContractView]:
    """Those of customers whom `viewer` may see."""
    today = _today()
    return [
        ContractView(
            **{name: getattr(each, name) for name in ContractView.model_fields if name != "days_left"},
            days_left=(each.ends_on - today).days,
        )
        for each in await store.load_ending(tx, today, today + timedelta(days=within))
        if await _owner_seen(tx, each.customer_id, viewer)
    ]


async def _owner_seen(tx: Tx, customer_id: UUID, viewer: Principal) -> bool:
    if viewer.regions is None and viewer.customer_levels is None and viewer.product_lines is None:
        return True
    owner = await file.load_file(tx, customer_id)
    return sees(viewer, owner.level, owner.regions, owner.product_lines)


@router.get("/devices", dependencies=DESK, include_in_schema=False)
async def show_devices(
    request: Request, tx: ReadTx, caller: Caller, serial: Annotated[str, Query(max_length=100)] = ""
) -> HTMLResponse:
    """Products by serial number, with what covers them."""
    found = (await store.load_by_serial(tx, [serial.strip()])).get(serial.strip()) if serial else None
    if found and not await _sees(tx, found.customer_id, found.product_line, caller):
        found = None
    covered = (await store.covered(tx, [found], _today()))[0] if found else None
    return page(request, "devices.html", serial=serial, found=found, covered=covered)


@router.get("/renewals", dependencies=DESK, include_in_schema=False)
async def show_renewals(
    request: Request, tx: ReadTx, caller: Caller, within: Literal["30", "60", "90"] = "90"
) -> HTMLResponse:
    """Contracts that end soon."""
    rows = await ending(tx, int(within), caller)
    return page(request, "renewals.html", rows=rows, within=within)


@router.post("/desk/{id}/product", dependencies=_AGENTS, include_in_schema=False)
async def say_about(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[ProductForm, Form()]
) -> RedirectResponse:
    """Say which product a request is about (R12), so that its coverage stands with it (R76)."""
    await access.lock(tx, caller, id)
    each = await _visible(tx, form.serial, caller)
    await store.save_about(tx, id, each.id)
    await record(tx, caller.id, "product_named", str(id), {"serial": form.serial})
    return RedirectResponse(f"/intake/desk/{id}", 303)


def _today() -> date:
    """The day it is where the house works."""
    return day_of(clock.now())
