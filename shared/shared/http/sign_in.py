"""Signing in with a token, signing out, the language switch, and the first page.

The command line mints the tokens in the embedded mode. A link may carry one behind `#`, where neither a
server nor a log ever sees it. An identity provider (OpenID Connect) will bring its own way in beside the
form: `/sign-in/oidc` and its return address, ending in the same `start_session`.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form
from fastapi.requests import HTTPConnection, Request
from fastapi.responses import RedirectResponse, Response

from shared.errors import AftercareError
from shared.http.auth import InvalidToken, public, read_token
from shared.http.pages import LANGUAGE_COOKIE, page
from shared.http.scope import settings_of
from shared.http.sessions import end_session, require_csrf, require_same_origin, session_of, start_session
from shared.i18n import LANGUAGES

BURST: Final = 10  # wrong tokens in a row from one address
SECONDS_EACH: Final = 6.0
MOST_ADDRESSES: Final = 10_000


class TooManyAttempts(AftercareError):
    """Too many attempts to sign in from your address; wait {seconds} s and try again."""

    kind = "too_many"

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds=seconds)
        self.headers = {"Retry-After": str(seconds)}


@dataclass
class Throttle:
    """A leaky bucket of wrong attempts per address, in this process."""

    _filled: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def attempt(self, address: str, at: float) -> None:
        """Count an attempt at `at` seconds; `TooManyAttempts` when the bucket is full."""
        level, since = self._filled.pop(address, (0.0, at))
        level = max(0.0, level - (at - since) / SECONDS_EACH)
        refused = level + 1 > BURST
        self._filled[address] = (level if refused else level + 1, at)
        if len(self._filled) > MOST_ADDRESSES:
            self._filled.popitem(last=False)
        if refused:
            raise TooManyAttempts(int((level + 1 - BURST) * SECONDS_EACH) + 1)

    def forgive(self, address: str) -> None:
        """The attempt was right: it does not count."""
        self._filled.pop(address, None)


def address_of(request: HTTPConnection) -> str:
    """Where a request comes from; of IPv6 the /64, which is what one subscriber has."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))


def local_path(target: str) -> str:
    """`target` when it leads to a page of ours, else the first page: no link may carry people elsewhere."""
    if not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isprintable():
        return "/"
    return target


def sign_in_router() -> APIRouter:
    """`/`, `/sign-in`, `/sign-out`, `/language`."""
    router = APIRouter(dependencies=[Depends(public())], include_in_schema=False)
    throttle = Throttle()

    @router.get("/")
    async def home(request: Request) -> Response:
        if session_of(request, settings_of(request)) is None:
            return RedirectResponse("/sign-in", 303)
        return page(request, "home.html")

    @router.get("/sign-in")
    async def form(request: Request, next: str = "/") -> Response:
        return page(request, "sign_in.html", next=local_path(next), refused=False)

    @router.post("/sign-in")
    async def sign_in(
        request: Request, token: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/"
    ) -> Response:
        settings, address = settings_of(request), address_of(request)
        require_same_origin(request, settings)
        throttle.attempt(address, time.monotonic())
        try:
            principal = read_token(token.strip(), settings)
        except InvalidToken:
            return page(request, "sign_in.html", status_code=422, next=local_path(next), refused=True)
        throttle.forgive(address)
        response = RedirectResponse(local_path(next), 303)
        start_session(response, principal, settings)
        return response

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        settings = settings_of(request)
        if session_of(request, settings) is not None:
            await require_csrf(request, settings)
        response = RedirectResponse("/sign-in", 303)
        end_session(response, settings)
        return response

    @router.post("/language")
    async def choose_language(
        request: Request, tag: Annotated[str, Form()], next: Annotated[str, Form()] = "/"
    ) -> Response:
        require_same_origin(request, settings_of(request))
        response = RedirectResponse(local_path(next), 303)
        if tag in LANGUAGES:
            response.set_cookie(LANGUAGE_COOKIE, tag, max_age=31_536_000, samesite="lax", httponly=True)
        return response

    return router
