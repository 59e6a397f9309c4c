"""For people: the language of the request, and problems as pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from fastapi.requests import HTTPConnection, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.pages import Pages, page, target_of
from shared.i18n import speaking

PROBLEM: Final = "application/problem+json"
_KEPT: Final = ("retry-after", "www-authenticate", "allow")


class ForReaders:
    """Pure ASGI: all below speaks the reader's language, and a browser gets a problem as a page.

    Stands outside of everything that answers with problems.
    """

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self.app = app
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        with speaking(self.pages.language(request)):
            answer = _AsPage(request, send) if wants_page(request) else None
            await self.app(scope, receive, answer.take if answer else send)
            if answer and answer.problem:
                await answer.page()(scope, receive, send)


class _AsPage:
    """Passes an answer on as it comes, unless it is a problem: that is held back to be shown."""

    def __init__(self, request: Request, send: Send) -> None:
        self.request = request
        self.send = send
        self.problem = False
        self.headers = Headers()
        self.body = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.headers = Headers(raw=message["headers"])
            self.problem = self.headers.get("content-type", "").startswith(PROBLEM)
        if not self.problem:
            await self.send(message)
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def page(self) -> Response:
        response = problem_page(self.request, json.loads(self.body))
        for name in _KEPT:
            if name in self.headers:
                response.headers[name] = self.headers[name]
        return response


def wants_page(request: HTTPConnection) -> bool:
    """Whether this is a browser that will show what it gets, not a program and not a part of a page."""
    return "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers


def problem_page(request: Request, problem: Mapping[str, Any]) -> Response:
    """A problem (RFC 9457) for people. Who is not signed in is asked to, and comes back here."""
    status = int(problem["status"])
    if status == 401 and request.method == "GET":
        return RedirectResponse(f"/sign-in?{urlencode({'next': target_of(request)})}", 303)
    return page(request, "problem.html", status_code=status, status=status, problem=problem)
