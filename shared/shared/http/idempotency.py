"""`Idempotency-Key`: the same request twice has one effect and one answer.

    @router.post("/tickets", dependencies=[Depends(allow("dispatcher")), Depends(idempotent())])

A key belongs to a caller and a route. Its row is inserted first and completed last, in the transaction of
what it guards: a second request with the key waits on that row, at most two seconds, then repeats the
answer of the first; still waiting, it is told 409. What was raised is not kept, because it changed nothing.
Source: draft-ietf-httpapi-idempotency-key-header.
"""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Final

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.db import Tx
from shared.db.engine import sqlstate
from shared.errors import AftercareError
from shared.http.auth import Caller
from shared.http.body import StrictRequest
from shared.http.problem import MISSING
from shared.http.scope import settings_of
from shared.http.transaction import Answered, WriteTx, transaction_of

NAME: Final = "Idempotency-Key"
PATIENCE: Final = "2s"
_LOCK_NOT_AVAILABLE: Final = "55P03"
# RFC 8941 string, or the bare text that many clients send: printable, without what would need quotes.
_KEY: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"|([!#-+\--:<-\[\]-~]+)')
LONGEST_KEY: Final = 255
_KEPT_HEADERS: Final = {b"content-type", b"content-language", b"location", b"etag", b"link"}


class IdempotencyKeyMissing(AftercareError):
    """This request needs an Idempotency-Key header: a text of your choice, the same when you repeat it."""

    status: ClassVar = 400


MISSING["header", NAME] = IdempotencyKeyMissing


class IdempotencyKeyMalformed(AftercareError):
    """The Idempotency-Key must stand once, as a quoted string of 1 to 255 printable ASCII characters."""

    status: ClassVar = 400


class IdempotencyKeyReused(AftercareError):
    """The Idempotency-Key was used for another request; take a new key for a new request."""


class RequestInProgress(AftercareError):
    """The first request with this Idempotency-Key is still under way; repeat it later."""

    kind = "conflict"


_RESERVE: Final = text(
    """
    WITH patience AS (
        SELECT current_setting('lock_timeout') AS usual, set_config('lock_timeout', :patience, true)
    )
    INSERT INTO idempotency (principal, route, key, body_hash, created_at)
    SELECT :principal, :route, :key, :hash, :now FROM patience
    ON CONFLICT (principal, route, key) DO NOTHING
    RETURNING set_config('lock_timeout', (SELECT usual FROM patience), true)
    """
)
_FIND: Final = text(
    """
    SELECT body_hash, status, headers, body, created_at FROM idempotency
    WHERE principal = :principal AND route = :route AND key = :key
    """
)
_FORGET: Final = text(
    "DELETE FROM idempotency WHERE principal = :principal AND route = :route AND key = :key"
)
_COMPLETE: Final = text(
    """
    UPDATE idempotency SET status = :status, headers = CAST(:headers AS jsonb), body = :body
    WHERE principal = :principal AND route = :route AND key = :key
    """
)
_EXPIRE: Final = text(
    """
    DELETE FROM idempotency WHERE ctid IN (
        SELECT ctid FROM idempotency WHERE created_at < :before LIMIT :batch FOR UPDATE SKIP LOCKED
    )
    """
)


_HEADER: Final = Header(alias=NAME, description="The same text when the same request is repeated.")
OptionalKey = Annotated[str | None, _HEADER]
MandatoryKey = Annotated[str, _HEADER]
"""As the description shows it; what counts is `key_of`, which sees every line of the header."""


def idempotent(*, required: bool = False) -> Callable[..., Awaitable[None]]:
    """Let callers repeat a request safely: `Depends(idempotent(required=True))`, after `allow(…)`.

    `required` where they must send a key.
    """
    return _with_key if required else _perhaps_with_key


async def _with_key(request: Request, caller: Caller, tx: WriteTx, sent: MandatoryKey) -> None:
    assert isinstance(request, StrictRequest)
    place = {"principal": caller.id, "route": _route(request), "key": key_of(request)}
    await _reserve(tx, place, await request.fingerprint(), settings_of(request).idempotency_days)

    async def complete(response: Response) -> None:
        await tx.execute(_COMPLETE, {**place, **_kept(response)})

    transaction_of(request).guard = complete


async def _perhaps_with_key(request: Request, caller: Caller, tx: WriteTx, sent: OptionalKey = None) -> None:
    if sent is not None:
        await _with_key(request, caller, tx, sent)


async def forget_answers(tx: Tx, before: datetime, batch: int = 1000) -> int:
    """Delete at most `batch` answers given before an instant; how many there were."""
    return (await tx.execute(_EXPIRE, {"before": before, "batch": batch})).rowcount


def key_of(request: Request) -> str:
    sent = request.headers.getlist("idempotency-key")
    match = _KEY.fullmatch(sent[0].strip()) if len(sent) == 1 else None
    key = re.sub(r"\\(.)", r"\1", match[1]) if match and match[1] else match[2] if match else ""
    if not key.strip() or len(key) > LONGEST_KEY:
        raise IdempotencyKeyMalformed
    return key


def _route(request: Request) -> str:
    route: APIRoute = request.scope["route"]
    return f"{request.method} {route.path}"


async def _reserve(tx: Tx, place: dict[str, str], fingerprint: bytes, days: int) -> None:
    """Insert the row of this key, or answer from the row that is there."""
    for _ in range(2):
        try:
            fresh = await tx.execute(
                _RESERVE, {**place, "hash": fingerprint, "now": tx.now, "patience": PATIENCE}
            )
        except DBAPIError as error:
            if sqlstate(error) == _LOCK_NOT_AVAILABLE:
                raise RequestInProgress from None
            raise
        if fresh.first() is not None:
            return
        row = (await tx.execute(_FIND, place)).first()
        if row is not None and row.created_at > tx.now - timedelta(days=days):
            if row.body_hash != fingerprint:
                raise IdempotencyKeyReused
            raise Answered(_repeated(row))
        await tx.execute(_FORGET, place)  # past its time, but not swept yet
    raise RequestInProgress


def _kept(response: Response) -> dict[str, Any]:
    headers = [
        [name.decode(), value.decode("latin-1")]
        for name, value in response.raw_headers
        if name in _KEPT_HEADERS
    ]
    return {"status": response.status_code, "headers": json.dumps(headers), "body": bytes(response.body)}


def _repeated(row: Any) -> Response:
    response = Response(row.body, row.status)
    response.raw_headers += [(name.encode(), value.encode("latin-1")) for name, value in row.headers]
    response.headers["Idempotent-Replayed"] = "true"
    return response
