"""The doors of the channels: each verifies its sender, normalises, and answers once it is committed."""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from functools import partial
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from intake.channels import email
from intake.requests import store
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
from shared.events.terms import Channel, Code, Level
from shared.http import strict
from shared.http.auth import Caller, NotAllowed, Principal, allow, public
from shared.http.body import StrictRequest, UnsupportedMediaType
from shared.http.idempotency import MandatoryKey, key_of
from shared.http.keys import keys_for
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ServiceRoute

router = APIRouter(route_class=ServiceRoute)

LARGEST_MAIL: Final = 25 * 1024 * 1024  # bytes; with photos, as large as mail providers let one be
_MAIL: Final = "message/rfc822"


class NoSuchCustomer(AftercareError):
    """A customer needs a phone number, an e-mail address or an identifier of the channel that can be real."""


class NotSigned(AftercareError):
    """The signature does not fit; check the secret and the headers webhook-id, -timestamp and -signature."""

    kind = "unauthenticated"


class EmptyMail(AftercareError):
    """There is nothing in the body; send the mail as it came, headers and all."""


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Customer(_Input):
    """Who asks; at least one way to recognise them."""

    name: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] = ""
    phone: Annotated[str, StringConstraints(max_length=64)] | None = None
    email: Annotated[str, StringConstraints(max_length=254)] | None = None
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    level: Level = "standard"


class NewRequest(_Input):
    """A request as forms, chats and other systems send it (R03: who, which product, what is wrong, when)."""

    channel: Channel = "web_form"
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    customer: Customer
    region: Code = UNKNOWN
    city: Code = UNKNOWN
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    product_line: Code | None = None
    title: Annotated[str, StringConstraints(max_length=500)] = ""
    description: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    occurred_at: AwareDatetime | None = None

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "channel": "web_form",
                    "customer": {"name": "示例客户", "phone": "+8613800000000"},
                    "region": "east",
                    "city": "shanghai",
                    "product_line": "cooling",
                    "description": "空调漏水，不制冷。",
                }
            ]
        },
    )


class Accepted(BaseModel):
    """The request is stored and will not be lost; `fresh` is false when it was known already."""

    request_id: UUID
    fresh: bool


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


@router.post("/channels/email", status_code=202, dependencies=_ADAPTERS, max_body_size=LARGEST_MAIL)
async def post_email(
    request: Request,
    principal: Caller,
    account: Annotated[str, Query(min_length=1, max_length=254)] = "default",
    region: Annotated[Code, Query()] = UNKNOWN,
    city: Annotated[Code, Query()] = UNKNOWN,
    product_line: Annotated[Code | None, Query()] = None,
    occurred_at: Annotated[AwareDatetime | None, Query()] = None,
) -> Accepted | Aside:
    """Register one mail, its raw source the body. The same mail to the same mailbox is one request."""
    require_channel(principal, "email")
    received_at = plausible(occurred_at, clock.now())
    raw = await _mail(request)
    parse = partial(email.parse, region=region, city=city, product_line=product_line)
    mail = await asyncio.to_thread(parse, raw, account, received_at)  # some take a second
    context = service_of(request)
    if isinstance(mail, email.NotForPeople):
        row = {
            "id": uuid7(),
            "channel": "email",
            "account": account,
            "external_id": mail.external_id,
            "reason": mail.reason,
            "body": raw,
        }
        await context.database.transact(partial(store.put_aside, rows=[row]))
        return Aside(reason=mail.reason)
    registered = await writer_of(context).register(mail)
    return Accepted(request_id=registered.request_id, fresh=registered.fresh)


async def _mail(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MAIL:
        raise UnsupportedMediaType(expected=_MAIL)
    if not (raw := await request.body()):
        raise EmptyMail
    return raw


@router.post("/channels/webhook/{source}", status_code=202, dependencies=[Depends(public())])
async def post_webhook(source: Code, request: Request) -> Accepted:
    """Register a request of another system, signed by Standard Webhooks; its webhook-id makes it once."""
    body = await request.body()
    verify(source, body, request)
    webhook_id = request.headers["webhook-id"]
    try:
        new = NewRequest.model_validate(strict.parse(body))
    except ValidationError as error:
        faults = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(faults) from None
    new = new.model_copy(update={"channel": "webhook", "external_id": webhook_id, "occurred_at": None})
    message = normalise(new, source, body, clock.now())
    registered = await writer_of(service_of(request)).register(message)
    return Accepted(request_id=registered.request_id, fresh=registered.fresh)


class WebhookSecret(BaseModel):
    """What the other system signs with."""

    secret: str


@router.get("/channels/webhook/{source}/secret", dependencies=[Depends(allow("admin"))])
async def read_webhook_secret(source: Code, request: Request) -> WebhookSecret:
    """The signing secret of a source; it changes with the installation's own secret."""
    return WebhookSecret(secret=webhook_secrets(source, request)[0])


def webhook_secrets(source: str, request: Request) -> list[str]:
    """The present secret of a source and, while secrets are being changed, the previous one."""
    keys = keys_for("webhook", settings_of(request))
    return ["whsec_" + base64.b64encode(key.sign(source.encode())).decode() for key in keys]


def verify(source: str, body: bytes, request: Request) -> None:
    """Raise `NotSigned` unless the raw bytes are signed, and within five minutes of now."""
    headers = {
        name: request.headers.get(name, "")
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    if len(headers["webhook-signature"]) > 4096 or not 0 < len(headers["webhook-id"]) <= 200:
        raise NotSigned
    for secret in webhook_secrets(source, request):
        try:
            Webhook(secret).verify(body, headers, json_parse=False)
            return
        except (WebhookVerificationError, ValueError, TypeError):  # the others for what is no base64
            continue
    raise NotSigned


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
    """What the customer can be recognised by; raises `NoSuchCustomer` when there is nothing."""
    found: list[Identity | None] = []
    if customer.email:
        found.append(email_identity(customer.email))
    if customer.phone:
        found.append(phone_identity(customer.phone))
    if customer.external_id:
        found.append(Identity("external", f"{account}:{customer.external_id}"))
    known = tuple(each for each in found if each is not None)
    if not known or len(known) < len(found):
        raise NoSuchCustomer
    return known
