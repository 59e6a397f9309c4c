"""The doors of the channels: each verifies its sender, normalises, and answers once it is committed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from intake.channels.input import Customer, Instant, NewRequest, NotBlank
from intake.channels.mail.arrival import LARGEST, Came, SetAside, take
from intake.places.rules import Words
from intake.requests.rules import (
    UNKNOWN,
    Identity,
    Normalised,
    email_identity,
    phone_identity,
    plausible,
    title_of,
)
from intake.requests.writer import Guard, writer_of
from shared.clock import clock, uuid7
from shared.errors import AftercareError
from shared.events.terms import Code
from shared.http.auth import Caller, NotAllowed, Principal, allow
from shared.http.body import StrictRequest, UnsupportedMediaType
from shared.http.idempotency import MandatoryKey, key_of
from shared.http.scope import service_of
from shared.http.transaction import ServiceRoute

router = APIRouter(route_class=ServiceRoute)

LARGEST_MAIL: Final = LARGEST
_MAIL: Final = "message/rfc822"
# The body is taken as it is, so that the framework cannot tell of it.
_MAIL_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "The mail as it came, headers and all (RFC 5322).",
        "content": {_MAIL: {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
    }
}


class EmptyMail(AftercareError):
    """There is nothing in the body; send the mail as it came, headers and all."""


class Accepted(BaseModel):
    """The request is stored and will not be lost; `fresh` is false when it was known already."""

    request_id: UUID
    fresh: bool


class MailCame(BaseModel):
    """What an adapter knows of a mail; a misspelt name is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[str, StringConstraints(min_length=1, max_length=254), NotBlank] = "default"
    region: Words = UNKNOWN
    city: Words = UNKNOWN
    product_line: Code | None = None
    occurred_at: Instant | None = None


class Aside(BaseModel):
    """The mail is kept but opens no request."""

    verdict: str = "set_aside"
    reason: str


_ADAPTERS = [Depends(allow("adapter", "care", "admin"))]


@router.post("/requests", status_code=202, dependencies=_ADAPTERS)
async def post_request(new: NewRequest, request: Request, principal: Caller, key: MandatoryKey) -> Accepted:
    """Register one request; needs an Idempotency-Key."""
    require_channel(principal, new.channel)
    assert isinstance(request, StrictRequest)
    guard = Guard(principal.id, key_of(request), await request.fingerprint())
    message = normalise(new, principal.id, await request.body(), clock.now())
    registered = await writer_of(service_of(request)).register(message, guard)
    return Accepted(request_id=registered.request_id, fresh=registered.fresh)


@router.post(
    "/channels/email",
    status_code=202,
    dependencies=_ADAPTERS,
    max_body_size=LARGEST_MAIL,
    openapi_extra=_MAIL_BODY,
)
async def post_email(
    request: Request, principal: Caller, came: Annotated[MailCame, Query()]
) -> Accepted | Aside:
    """Register one mail, its raw source the body. The same mail to the same mailbox is one request."""
    require_channel(principal, "email")
    received_at = plausible(came.occurred_at, clock.now(), "query")
    raw = await _mail(request)
    taken = await take(
        service_of(request), raw, Came(came.account, received_at, came.region, came.city, came.product_line)
    )
    if isinstance(taken, SetAside):
        return Aside(reason=taken.reason)
    return Accepted(request_id=taken.request_id, fresh=taken.fresh)


async def _mail(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MAIL:
        raise UnsupportedMediaType(expected=_MAIL)
    if not (raw := await request.body()):
        raise EmptyMail
    return raw


def require_channel(principal: Principal, channel: str) -> None:
    """An adapter writes to its one channel only."""
    if principal.channel is not None and principal.channel != channel:
        raise NotAllowed(roles=f"adapter of {channel}")


def normalise(new: NewRequest, account: str, raw: bytes, now: datetime) -> Normalised:
    """A form, chat or foreign request in our own shape."""
    return Normalised(
        channel=new.channel,
        account=account,
        external_id=new.external_id or str(uuid7()),
        identities=identities(new.customer, account),
        name=new.customer.name or "—",
        text=new.description,
        title=title_of(new.title, new.description),
        received_at=plausible(new.occurred_at, now),
        raw=raw,
        content_type="application/json",
        region=new.region,
        city=new.city,
        latitude=new.latitude,
        longitude=new.longitude,
        product_line=new.product_line,
        level=new.customer.level,
    )


def identities(customer: Customer, account: str) -> tuple[Identity, ...]:
    """What the customer can be recognised by; a `Customer` has at least one."""
    found: list[Identity | None] = []
    if customer.email:
        found.append(email_identity(customer.email))
    if customer.phone:
        found.append(phone_identity(customer.phone))
    if customer.external_id:
        found.append(Identity("external", f"{account}:{customer.external_id}"))
    return tuple(each for each in found if each is not None)
