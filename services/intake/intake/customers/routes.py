"""The customer file over HTTP: who they are, consent, merges, and to be forgotten."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field, StringConstraints

from intake.channels.input import Instant, NotBlank
from intake.customers import actions, erasing, file, merging
from intake.customers.access import NoSuchCustomer
from intake.places.rules import Words
from intake.requests.rules import UNKNOWN, Identity, email_identity, phone_identity
from shared.db import Tx
from shared.events.terms import Channel, Level
from shared.http.auth import Caller, Principal, allow
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.scope import service_of
from shared.http.transaction import ServiceRoute, WriteTx
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

DESK = [Depends(allow("care", "dispatcher", "operations", "admin"))]
CARE = [Depends(allow("care", "admin"))]
Purpose = Literal["service", "survey", "marketing", "recording"]


class IdentityView(BaseModel):
    """One way to reach or recognise them: kind is phone, email or external."""

    kind: str
    value: str


class RequestLine(BaseModel):
    """One of their requests."""

    id: UUID
    title: str
    severity: str
    received_at: datetime
    ticket_id: UUID | None


class ConsentView(BaseModel):
    """What they agreed to or not, and where that is written."""

    purpose: str
    channel: str
    given: bool
    source: str
    at: datetime


class MergeView(BaseModel):
    """Somebody who was taken for the same person."""

    id: UUID
    gone_id: UUID
    at: datetime
    by: str
    undone_at: datetime | None


class CustomerFile(BaseModel):
    """All that is known of one customer; `consents` as they stand now."""

    id: UUID
    name: str
    level: str
    region: str | None
    city: str | None
    merged_into: UUID | None
    erased: bool
    identities: list[IdentityView]
    requests: list[RequestLine]
    consents: list[ConsentView]
    merges: list[MergeView]


class Known(BaseModel):
    """Whom an identity belongs to."""

    customer_id: UUID


class CustomerData(Sent):
    """What a person writes into the file; a place by any name."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), NotBlank]
    level: Level = "standard"
    region: Words = UNKNOWN
    city: Words = UNKNOWN


class ConsentSaid(Sent):
    """Consent given or withdrawn; `source` says where: a form, a call, a letter."""

    purpose: Purpose
    channel: Channel
    given: bool
    source: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), NotBlank]
    at: Instant | None = None


class Other(Sent):
    """Who is the same person and becomes part of this customer."""

    other_id: UUID


class Merged(BaseModel):
    """The merge, by which it is undone."""

    merge_id: UUID


class Restored(BaseModel):
    """Who is a customer of their own again."""

    customer_id: UUID


class Erased(BaseModel):
    """How many requests lost their words; 0 where the customer was erased before."""

    requests: int = Field(ge=0)


@router.get("/customers/known", dependencies=DESK)
async def find_customer(
    request: Request,
    principal: Caller,
    phone: Annotated[str, Query(max_length=64)] = "",
    email: Annotated[str, Query(max_length=254)] = "",
) -> Known:
    """The customer whom a phone number or a mail address belongs to; asking is recorded."""
    identity = phone_identity(phone) if phone else email_identity(email)
    look = partial(_known, identity=identity, viewer=principal)
    return Known(customer_id=await service_of(request).database.transact(look))


async def _known(tx: Tx, identity: Identity | None, viewer: Principal) -> UUID:
    id = await file.find(tx, identity) if identity else None
    if id is None:
        raise NoSuchCustomer
    return (await file.look(tx, id, viewer)).id


@router.get("/customers/{id}/file", dependencies=DESK)
async def read_file(id: UUID, request: Request, principal: Caller, response: Response) -> CustomerFile:
    """The whole file; looking is recorded."""
    found = await service_of(request).database.transact(partial(file.look, id=id, viewer=principal))
    show_version(response, found.version)
    return CustomerFile(
        **{name: getattr(found, name) for name in ("id", "name", "level", "region", "city", "merged_into")},
        erased=found.erased,
        identities=[IdentityView.model_validate(each, from_attributes=True) for each in found.identities],
        requests=[RequestLine.model_validate(each, from_attributes=True) for each in found.requests],
        consents=[ConsentView.model_validate(each, from_attributes=True) for each in found.standing],
        merges=[MergeView.model_validate(each, from_attributes=True) for each in found.merges],
    )


@router.put("/customers/{id}", status_code=204, dependencies=CARE)
async def put_customer(
    id: UUID, tx: WriteTx, seen: IfMatch, sent: CustomerData, principal: Caller
) -> Response:
    """Correct name, level (VIP, R36) and place."""
    found = await actions.held(tx, id, principal)
    seen.require(found.version)
    await actions.change(tx, found, sent.name, sent.level, sent.region, sent.city, principal.id)
    return Response(status_code=204)


@router.post("/customers/{id}/consents", status_code=204, dependencies=[*CARE, Depends(idempotent())])
async def post_consent(id: UUID, tx: WriteTx, said: ConsentSaid, principal: Caller) -> Response:
    """Note consent given or withdrawn, per purpose and channel (R127)."""
    found = await actions.held(tx, id, principal)
    await actions.note_consent(
        tx, found, said.purpose, said.channel, said.given, said.source, said.at or tx.now, principal.id
    )
    return Response(status_code=204)


@router.post("/customers/{id}/merges", status_code=201, dependencies=[*CARE, Depends(idempotent())])
async def post_merge(id: UUID, tx: WriteTx, other: Other, principal: Caller) -> Merged:
    """Two that are one person become this one; it can be undone."""
    for each in sorted({id, other.other_id}):
        await actions.held(tx, each, principal)
    return Merged(merge_id=await merging.merge(tx, id, other.other_id, principal.id))


@router.post("/customers/{id}/merges/{merge_id}/undo", dependencies=CARE)
async def post_undo(id: UUID, merge_id: UUID, tx: WriteTx, principal: Caller) -> Restored:
    """Everything that moved goes back."""
    await actions.held(tx, id, principal)
    return Restored(customer_id=await merging.undo(tx, id, merge_id, principal.id))


@router.post("/customers/{id}/erase", dependencies=CARE)
async def post_erase(id: UUID, tx: WriteTx, principal: Caller) -> Erased:
    """Forget the customer: contact data, words, sources. Counts stay; it cannot be undone (R127)."""
    await actions.held(tx, id, principal)
    return Erased(requests=await erasing.erase(tx, id, principal.id))
