"""Page sessions: one signed cookie holds all there is to know, so every process accepts it and no table does.

A session lives for eight hours after its last page and seven days at most: nothing can call it back before,
so roles taken away are gone within that time at the latest. What a cookie authenticates must also prove
that one of our own pages sent it (`require_csrf`).
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi.requests import HTTPConnection, Request
from fastapi.responses import Response

from shared.clock import now
from shared.errors import AftercareError
from shared.http.auth import Principal
from shared.http.keys import keys_for
from shared.settings import Settings

LIFETIME: Final = timedelta(hours=8)
LONGEST: Final = timedelta(days=7)
# A new cookie on each response would change nothing that anybody can notice.
RENEW_AFTER: Final = timedelta(minutes=5)
SAFE_METHODS: Final = {"GET", "HEAD", "OPTIONS"}
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_PURPOSE: Final = "page session, form 1"  # a cookie of another form is simply not signed with this key
_LARGEST: Final = 3_800  # bytes; browsers drop a cookie of more than 4,096 with its name and attributes


class NotFromOurPages(AftercareError):
    """This was not sent by a page of this session; load the page again and repeat what you did."""

    kind = "forbidden"


class TooMuchForSession(AftercareError):
    """{who} has more regions, product lines and levels than a session can hold; give fewer, or all."""

    kind = "forbidden"


@dataclass(frozen=True, slots=True)
class Session:
    """A principal at a browser."""

    id: str
    principal: Principal
    begun: datetime
    expires: datetime


def cookie_name(settings: Settings) -> str:
    # The prefix makes browsers refuse the cookie from anyone but this very host, over TLS (RFC 6265bis).
    return "__Host-aftercare" if _secure(settings) else "aftercare"


def _secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https:")


def start_session(response: Response, principal: Principal, settings: Settings) -> Session:
    """Sign `principal` in: the cookie goes out with `response`."""
    begun = now()
    session = Session(secrets.token_urlsafe(16), principal, begun, begun + LIFETIME)
    _set_cookie(response, session, settings)
    return session


def end_session(response: Response, settings: Settings) -> None:
    response.delete_cookie(cookie_name(settings), secure=_secure(settings), httponly=True, samesite="lax")


def session_of(request: HTTPConnection, settings: Settings) -> Session | None:
    """The session of this browser; None without one, or when it was forged or has run out."""
    sealed = request.cookies.get(cookie_name(settings))
    session = _unseal(sealed, settings) if sealed else None
    return session if session and now() < session.expires else None


def principal_of_session(request: HTTPConnection, settings: Settings) -> Principal | None:
    """Who sits at this browser. A request that is not safe needs `require_csrf` as well."""
    session = session_of(request, settings)
    return session.principal if session else None


def renew(request: HTTPConnection, response: Response, settings: Settings) -> None:
    """Slide the end of the session forward; for pages and streams, which somebody looks at."""
    session = session_of(request, settings)
    if session is None:
        return
    expires = min(now() + LIFETIME, session.begun + LONGEST)
    if expires - session.expires > RENEW_AFTER:
        renewed = Session(session.id, session.principal, session.begun, expires)
        _set_cookie(response, renewed, settings)


def csrf_token(session: Session, settings: Settings) -> str:
    """What the pages of `session` send back with every change, as field `csrf` or header `X-CSRF-Token`."""
    return _base64(keys_for("csrf", settings)[0].sign(session.id.encode()))


async def require_csrf(request: Request, settings: Settings) -> None:
    """Refuse a change that a cookie authenticates unless one of the session's own pages sent it.

    Reads the body only if it is a form and the header is missing; what is read stays readable.
    """
    if request.method in SAFE_METHODS:
        return
    require_same_origin(request, settings)
    session = session_of(request, settings)
    given = request.headers.get("x-csrf-token")
    if given is None and request.headers.get("content-type", "").startswith(_FORMS):
        await request.body()  # kept by the request, so that the form and the route can both read it
        field = (await request.form()).get("csrf")
        given = field if isinstance(field, str) else None
    if session is None or given is None or not _proves(given, session, settings):
        raise NotFromOurPages


def _proves(given: str, session: Session, settings: Settings) -> bool:
    message = session.id.encode()
    expected = (_base64(key.sign(message)) for key in keys_for("csrf", settings))
    return any(hmac.compare_digest(given.encode(), token.encode()) for token in expected)


def require_same_origin(request: HTTPConnection, settings: Settings) -> None:
    """Refuse what a browser says another site sent. Browsers cannot be made to lie about it, others can."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site in ("same-origin", "none"):
            return
        raise NotFromOurPages
    origin = request.headers.get("origin")
    ours = {urlsplit(settings.public_url).netloc, request.headers.get("host", "")}
    if origin is not None and urlsplit(origin).netloc not in ours:
        raise NotFromOurPages


def _set_cookie(response: Response, session: Session, settings: Settings) -> None:
    sealed = _seal(session, settings)
    if len(sealed) > _LARGEST:
        raise TooMuchForSession(who=session.principal.id)
    response.set_cookie(
        cookie_name(settings),
        sealed,
        max_age=int((session.expires - now()).total_seconds()),
        httponly=True,
        samesite="lax",
        secure=_secure(settings),
    )


def _seal(session: Session, settings: Settings) -> str:
    principal = session.principal
    content = {
        "id": session.id,
        "who": principal.id,
        "roles": sorted(principal.roles),
        "channel": principal.channel,
        "regions": _sorted(principal.regions),
        "product_lines": _sorted(principal.product_lines),
        "customer_levels": _sorted(principal.customer_levels),
        "name": principal.name,
        "begun": int(session.begun.timestamp()),
        "expires": int(session.expires.timestamp()),
    }
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return f"{_base64(body)}.{_base64(keys_for(_PURPOSE, settings)[0].sign(body))}"


def _unseal(sealed: str, settings: Settings) -> Session | None:
    try:
        body, signature = (base64.urlsafe_b64decode(part + "==") for part in sealed.split("."))
    except ValueError:
        return None
    if not any(key.verifies(body, signature) for key in keys_for(_PURPOSE, settings)):
        return None
    content: dict[str, Any] = json.loads(body)  # signed by us: what it holds is what we wrote
    principal = Principal(
        id=content["who"],
        roles=frozenset(content["roles"]),
        channel=content["channel"],
        regions=_frozen(content["regions"]),
        product_lines=_frozen(content["product_lines"]),
        customer_levels=_frozen(content["customer_levels"]),
        name=content.get("name"),  # a process of the version before has not told one
    )
    begun, expires = (datetime.fromtimestamp(content[name], UTC) for name in ("begun", "expires"))
    return Session(content["id"], principal, begun, expires)


def _sorted(values: frozenset[str] | None) -> list[str] | None:
    return None if values is None else sorted(values)


def _frozen(values: list[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
