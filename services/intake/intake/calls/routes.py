"""The telephone system's door."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from intake.calls import actions, rules, store
from intake.channels.input import Customer, Instant, NotBlank, Phone
from intake.channels.routes import identities as identities_of
from intake.channels.routes import require_channel
from intake.places.rules import Words, place
from intake.places.store import load_catalogue
from intake.requests import access
from intake.requests.access import Limits
from intake.requests.actions import register
from intake.requests.rules import UNKNOWN, Normalised, plausible, title_of
from shared.db import Tx
from shared.db.audit import record
from shared.events.terms import Code
from shared.http.auth import Caller, Principal, Role, allow
from shared.http.idempotency import MandatoryKey, idempotent
from shared.http.pages import page
from shared.http.scope import service_of
from shared.http.transaction import Answered, ReadTx, ServiceRoute, WriteTx
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)


class Noted(Sent):
    """What the caller wanted, as the agent wrote it down: this makes the call a request."""

    customer: Customer
    city: Words = UNKNOWN
    product_line: Code | None = None
    title: Annotated[str, StringConstraints(max_length=500)] = ""
    description: Annotated[str, StringConstraints(min_length=1, max_length=20_000), NotBlank]


def _said(sent: Any) -> Any:
    """To a literal, 1 is as good as true."""
    return sent if isinstance(sent, bool) else None


class Recording(Sent):
    """Where a recording lies (R137): only with the consent of whoever is heard, and when they gave it."""

    reference: Annotated[str, StringConstraints(min_length=1, max_length=2000), NotBlank]
    consent: Annotated[Literal[True], BeforeValidator(_said)]
    consent_at: Instant


class CallTold(Sent):
    """One event of one call of the telephone system `account`; `occurred_at` at most 7 days back."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"call_id": "pbx-2026-001", "event": "rang", "region": "east"}],
        },
    )

    account: Annotated[str, StringConstraints(min_length=1, max_length=200), NotBlank] = "default"
    call_id: Annotated[str, StringConstraints(min_length=1, max_length=200), NotBlank]
    event: rules.Event
    region: Words = UNKNOWN
    by: UUID | None = None
    occurred_at: Instant | None = None
    caller: Annotated[str, StringConstraints(max_length=64), Phone] | None = None
    recording: Recording | None = None
    request: Noted | None = None


class CallKnown(BaseModel):
    """The call, and the request it became; `fresh` is false when this event of it was known already."""

    call_id: UUID
    fresh: bool
    request_id: UUID | None = None


_once = idempotent(required=True)


async def _once_fresh(request: Request, caller: Caller, tx: WriteTx, sent: MandatoryKey) -> None:
    """The first answer again under the same key, except that the event is no news any more."""
    try:
        await _once(request, caller, tx, sent)
    except Answered as repeated:
        first = repeated.response
        known = CallKnown.model_validate_json(bytes(first.body)).model_copy(update={"fresh": False})
        again = Response(known.model_dump_json(), first.status_code)
        again.raw_headers += [each for each in first.raw_headers if each[0] != b"content-length"]
        raise Answered(again) from None


_DOOR = [Depends(allow("adapter", "care", "admin")), Depends(_once_fresh)]


@router.post("/channels/phone", status_code=202, dependencies=_DOOR)
async def post_call(tx: WriteTx, told: CallTold, principal: Caller, request: Request) -> CallKnown:
    """Remember one event of a call: rang, answered, busy, missed, ended or returned (R50, R51)."""
    require_channel(principal, "phone")
    at = plausible(told.occurred_at, tx.now)
    city = told.request.city if told.request else UNKNOWN
    region = place(told.region, city, await load_catalogue(tx)).region
    call = await actions.find(tx, told.account, told.call_id, told.event, at, region)
    request_id = await actions.joined(tx, call, told.caller)
    if told.request is not None:
        message = taken_down(told, told.request, call.id, at, await request.body())
        [registered] = await register(tx, [message])
        request_id = registered.request_id
    fresh = await actions.note_event(tx, call, told.event, at, region, told.by, request_id)
    if told.recording is not None:
        await store.keep_recording(tx, call.id, told.recording.reference, told.recording.consent_at)
    return CallKnown(call_id=call.id, fresh=fresh, request_id=request_id)


class CallView(BaseModel):
    """One call about a request; who called is contact data and stands with the customer."""

    id: UUID
    state: str
    rang_at: datetime
    recorded: bool


class RecordingView(BaseModel):
    """Where a recording lies, and when it was agreed to."""

    reference: str
    consent_at: datetime


_DESK = [Depends(allow("care", "dispatcher", "operations", "admin"))]
LISTENERS: Final[frozenset[Role]] = frozenset({"care", "operations", "admin"})
_LISTENERS = [Depends(allow(*LISTENERS))]


@router.get("/requests/{id}/calls", dependencies=_DESK)
async def read_calls(id: UUID, tx: ReadTx, principal: Caller) -> list[CallView]:
    """The calls about a request, in their order."""
    asked = await access.load(tx, principal, id)
    found = await store.load_of_request(tx, asked.id)
    return [CallView.model_validate(each, from_attributes=True) for each in found]


@router.get("/calls/{id}/recordings", dependencies=_LISTENERS)
async def read_recordings(id: UUID, request: Request, principal: Caller) -> list[RecordingView]:
    """Where the recordings of a call lie (R137), for care and quality; looking is recorded."""
    return await service_of(request).database.transact(partial(_recordings, id=id, viewer=principal))


@router.get("/desk/calls/{id}/recordings", dependencies=_LISTENERS, include_in_schema=False)
async def show_recordings(id: UUID, request: Request, principal: Caller) -> HTMLResponse:
    """The same for the page of a request, when somebody asks for it there."""
    look = partial(_recordings, id=id, viewer=principal)
    return page(request, "recordings.html", recordings=await service_of(request).database.transact(look))


async def _recordings(tx: Tx, id: UUID, viewer: Principal) -> list[RecordingView]:
    call = await store.load(tx, id)
    if not await _hears(tx, viewer, call):
        raise store.NoSuchCall
    await record(tx, viewer.id, "recording_read", str(id), {})
    found = await store.load_recordings(tx, id)
    return [RecordingView.model_validate(each, from_attributes=True) for each in found]


async def _hears(tx: Tx, viewer: Principal, call: Any) -> bool:
    """Whether a call is for these ears (R125): as its request is, or by its region if it became none."""
    if call.request_id is not None:
        return bool(await access.visible(tx, viewer, {call.request_id}))
    limits = Limits.of(viewer)
    return limits.customer_levels is None and limits.allow_work_in(call.region, None)


def taken_down(told: CallTold, noted: Noted, call_id: UUID, at: datetime, raw: bytes) -> Normalised:
    """The request that an agent noted, in the shape of all channels."""
    return Normalised(
        channel="phone",
        account=told.account,
        external_id=told.call_id,
        identities=identities_of(noted.customer, told.account),
        name=noted.customer.name or "—",
        text=noted.description,
        title=title_of(noted.title, noted.description),
        received_at=at,
        raw=raw,
        content_type="application/json",
        region=told.region,
        city=noted.city,
        product_line=noted.product_line,
        level=noted.customer.level,
        call_id=call_id,
    )
