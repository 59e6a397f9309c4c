"""Every error as RFC 9457 `application/problem+json`, from one place.

``type`` is `/problems/` and the class name, so that clients branch on the situation and not on a text;
``detail`` is the error's message in the reader's language; members beside those come from the error's data
only where its class names them in `shown`. Nothing of what was sent is repeated, nothing of our insides is
told; `trace_id` leads us to the log.

An error's kind decides its status; a class may fix another with ``status: ClassVar = 428``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar, Final

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.db.engine import is_database_outage, retryable, sqlstate
from shared.errors import AftercareError, Kind, Outage
from shared.http.strict import pointer
from shared.http.wording import wording
from shared.i18n.language import current_language, explain, gettext
from shared.trace import trace_id

MEDIA_TYPE: Final = "application/problem+json"
MOST_ERRORS: Final = 50  # of one request; nobody reads more, and 20,000 would make a large answer
RETRY_AFTER: Final = "2"  # seconds; a pool or a server that is away comes back in seconds or in minutes

_STATUS: Final[Mapping[Kind, int]] = {
    "invalid": 422,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "precondition": 412,
    "too_large": 413,
    "too_many": 429,
    "unavailable": 503,
}

log: Final = structlog.get_logger(__name__)


class InvalidInput(AftercareError):
    """What was sent cannot be accepted; `errors` says what is wrong with which part."""

    shown: ClassVar = ("errors",)


def invalid(
    source: str, path: Sequence[str | int], detail: str, code: str, /, **named: object
) -> InvalidInput:
    """One thing wrong with one part: `source` is body, query, path, header or cookie.

    `detail` is told in the reader's language where it is marked with `N_`; it may name parts in braces.
    """
    return InvalidInput(errors=[fault(source, path, gettext(detail).format(**named), code)])


def fault(source: str, path: Sequence[str | int], detail: str, code: str) -> dict[str, str]:
    """One of the `errors` of `InvalidInput`; `detail` is told as it is."""
    return {"source": source, "pointer": pointer(path), "detail": detail, "code": code}


MISSING: Final[dict[tuple[str, str], type[AftercareError]]] = {}
"""Parts of a request, as (source, name), whose absence has an error of its own."""


class Busy(AftercareError):
    """Others are changing the same things at this moment; try again."""

    kind = "unavailable"


class InternalError(AftercareError):
    """Something is broken on our side; the trace identifier leads to it."""

    status: ClassVar = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """One error as it is told to a client."""

    status: int
    slug: str
    title: str
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        content = {
            **self.members,
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "trace_id": trace_id(),
        }
        return Response(
            json.dumps(content, ensure_ascii=False, default=str),
            self.status,
            {"Content-Language": current_language().tag, "Cache-Control": "no-store", **self.headers},
            MEDIA_TYPE,
        )


def problem_of(error: Exception) -> Problem:
    """What to tell a client about any exception."""
    if isinstance(error, RequestValidationError):
        error = _of_input(error.errors(), error.body)
    elif isinstance(error, HTTPException):
        return _of_framework(error)
    elif not isinstance(error, AftercareError):
        error = _named(error)
    return _of_ours(error)


def _of_input(faults: Sequence[Mapping[str, Any]], body: object) -> AftercareError:
    missing = (MISSING.get(tuple(fault["loc"])) for fault in faults if fault["type"] == "missing")
    named = next(filter(None, missing), None)
    return named() if named else InvalidInput(errors=describe(faults, body))


def _named(error: Exception) -> AftercareError:
    if retryable(error):
        return Busy()
    if is_database_outage(error):
        return Outage(what="The database")
    return InternalError()


def _of_ours(error: AftercareError) -> Problem:
    kind = type(error)
    status: int = getattr(kind, "status", _STATUS[kind.kind])
    headers: dict[str, str] = dict(getattr(error, "headers", {}))
    if kind.kind == "unauthenticated":
        headers["WWW-Authenticate"] = getattr(kind, "challenge", "Bearer")
    if status in (429, 503):
        headers.setdefault("Retry-After", RETRY_AFTER)
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", kind.__name__).lower()
    members = {name: error.data[name] for name in getattr(kind, "shown", ())}
    return Problem(status, words.replace(" ", "-"), words.capitalize(), explain(error), members, headers)


def _of_framework(error: HTTPException) -> Problem:
    """What routing and parsing raise; their texts are fixed, ours are told through classes."""
    phrase = HTTPStatus(error.status_code).phrase
    slug = phrase.lower().replace(" ", "-").replace("'", "")
    return Problem(error.status_code, slug, phrase, f"{phrase}.", headers=dict(error.headers or {}))


def describe(faults: Sequence[Mapping[str, Any]], body: object = None) -> list[dict[str, str]]:
    """Pydantic's errors as `{source, pointer, detail, code}`, without the values they are about.

    `source` is body, query, path, header or cookie; `pointer` is RFC 6901 within it: in `body` as sent.
    """
    return [
        fault(str(each["loc"][0]), _sent(each["loc"][1:], body), wording(each), each["type"])
        for each in _causes(faults)[:MOST_ERRORS]
    ]


def _causes(faults: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without lists that are called too short only because what is wrong in them was not counted."""
    within = {fault["loc"][:depth] for fault in faults for depth in range(len(fault["loc"]))}
    return [fault for fault in faults if fault["type"] != "too_short" or fault["loc"] not in within]


def _sent(path: Sequence[str | int], body: object) -> list[str | int]:
    """`path` without the kind of an object, which pydantic puts after its place where there are several."""
    kept: list[str | int] = []
    for depth, name in enumerate(path, 1):
        if isinstance(body, Mapping) and name not in body and depth < len(path) and name in body.values():
            continue
        kept.append(name)
        try:
            body = body[name]  # type: ignore[index]
        except (LookupError, TypeError):
            body = None
    return kept


async def answer(_: Request, error: Exception) -> Response:
    """The handler of what FastAPI would otherwise answer in its own form."""
    return problem_of(error).response()


class Faults:
    """Pure ASGI: turns every exception below into its problem, and logs those that are ours to mend."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def noticing(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noticing)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            problem = problem_of(error)
            _note(error, problem)
            if started:
                raise  # the server cuts the connection, which is the only way left to say so
            await problem.response()(scope, receive, send)


def _note(error: Exception, problem: Problem) -> None:
    """A line for an outage, since every request of a minute may meet it; a bug with its place in the code."""
    if problem.status == 503:
        log.warning(
            "request turned away", problem=problem.slug, error=type(error).__name__, sqlstate=sqlstate(error)
        )
    elif problem.status >= 500:
        log.error("request failed", status=problem.status, exc_info=error)
