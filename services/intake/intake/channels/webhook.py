"""The door of other systems, signed by Standard Webhooks (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from intake.channels.input import NewRequest, is_blank
from intake.channels.routes import Accepted, normalise
from intake.requests.writer import Guard, writer_of
from shared.clock import clock
from shared.errors import AftercareError
from shared.events.terms import Code
from shared.http import strict
from shared.http.auth import allow, public
from shared.http.body import StrictRequest
from shared.http.idempotency import IdempotencyKeyReused
from shared.http.keys import keys_for
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ServiceRoute

router = APIRouter(route_class=ServiceRoute)

TOLERANCE: Final = timedelta(minutes=5)
LONGEST_ID: Final = 200
_LONGEST_SIGNATURES: Final = 4096
_SECONDS: Final = re.compile(r"[0-9]{1,11}")


class NotSigned(AftercareError):
    """The signature does not fit; check the secret and the headers webhook-id, -timestamp and -signature."""

    kind = "unauthenticated"


class SignatureMissing(AftercareError):
    """A signed message has the headers webhook-id, webhook-timestamp and webhook-signature."""

    kind = "unauthenticated"


class TimestampMalformed(AftercareError):
    """webhook-timestamp is not a whole number of seconds since 1970."""

    kind = "unauthenticated"


class MessageTooOld(AftercareError):
    """webhook-timestamp lies more than five minutes back; sign each attempt anew, with the same id."""

    kind = "unauthenticated"


class MessageTooNew(AftercareError):
    """webhook-timestamp lies more than five minutes ahead; look at the sender's clock."""

    kind = "unauthenticated"


class WebhookIdTooLong(AftercareError):
    """A webhook-id has at most 200 characters."""

    status: ClassVar = 400


class NotUtf8(AftercareError):
    """The body is not UTF-8, which JSON has to be."""

    status: ClassVar = 400


class WebhookIdReused(AftercareError):
    """This webhook-id came with another body before; a new message takes a new one."""

    shown: ClassVar = ("errors",)

    def __init__(self) -> None:
        fault = {"source": "header", "pointer": "/webhook-id", "detail": "used before", "code": "reused"}
        super().__init__(errors=[fault])


def _header(name: str, says: str, **schema: Any) -> dict[str, Any]:
    described = {"type": "string", "minLength": 1, **schema}
    return {"name": name, "in": "header", "required": True, "description": says, "schema": described}


# The raw bytes are what is signed, so that the framework neither reads them nor can tell of them.
_SIGNED: Final = {
    "parameters": [
        _header(
            "webhook-id",
            "Identifies the message, also when it is sent again; with another body it is refused.",
            maxLength=LONGEST_ID,
        ),
        _header(
            "webhook-timestamp",
            "When this attempt was signed, in seconds since 1970; at most five minutes from now.",
            pattern="^[0-9]{1,11}$",
        ),
        _header(
            "webhook-signature",
            "`v1,` and the base64 of the HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>`; several "
            "are separated by spaces. The key is what follows `whsec_` in the secret, base64-decoded.",
            maxLength=_LONGEST_SIGNATURES,
        ),
    ],
    "requestBody": {
        "required": True,
        "description": "`channel`, `external_id` and `occurred_at` are not heeded here.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewRequest"}}},
    },
}


@router.post(
    "/channels/webhook/{source}", status_code=202, dependencies=[Depends(public())], openapi_extra=_SIGNED
)
async def post_webhook(source: Code, request: Request) -> Accepted:
    """Register a request of another system, signed by Standard Webhooks; its webhook-id makes it once."""
    assert isinstance(request, StrictRequest)
    body = await request.body()
    verify(source, body, request)
    webhook_id = request.headers["webhook-id"]
    await request.read(form=False)
    try:
        new = NewRequest.model_validate(await request.json() if body else strict.parse(body))
    except ValidationError as error:
        faults = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(faults) from None
    new = new.model_copy(update={"channel": "webhook", "external_id": webhook_id, "occurred_at": None})
    message = normalise(new, source, body, clock.now())
    guard = Guard(f"webhook:{source}", webhook_id, hashlib.sha256(body).digest())
    try:
        registered = await writer_of(service_of(request)).register(message, guard)
    except IdempotencyKeyReused:
        raise WebhookIdReused from None
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
    """Raise what is wrong unless the raw bytes are signed, and within five minutes of now.

    What is told before the signature is known to fit, the sender can see in their own message.
    """
    headers = {
        name: request.headers.get(name, "")
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    }
    if any(map(is_blank, headers.values())):
        raise SignatureMissing
    if len(headers["webhook-id"]) > LONGEST_ID:
        raise WebhookIdTooLong
    check_timestamp(headers["webhook-timestamp"], clock.now())
    try:
        body.decode()
    except UnicodeDecodeError:
        raise NotUtf8 from None
    if len(headers["webhook-signature"]) > _LONGEST_SIGNATURES:
        raise NotSigned
    for secret in webhook_secrets(source, request):
        try:
            Webhook(secret).verify(body, headers, json_parse=False)
            return
        except (WebhookVerificationError, ValueError, TypeError):  # the others for what is no base64
            continue
    raise NotSigned


def check_timestamp(written: str, now: datetime) -> None:
    """Raise unless it is seconds since 1970, within five minutes of `now`."""
    if not _SECONDS.fullmatch(written):
        raise TimestampMalformed
    away = int(written) - now.timestamp()
    if away < -TOLERANCE.total_seconds():
        raise MessageTooOld
    if away > TOLERANCE.total_seconds():
        raise MessageTooNew
