"""One address in front of five processes: `/sla/…` goes to sla-monitor, what all share to the first of them.

For one machine. In a larger installation any reverse proxy does the same; the paths never differ.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shared.http.limits import SLOWEST_BODY, BodyTooSlow
from shared.http.problem import problem_of
from shared.http.refusal import Protocol

# Between two hops only (RFC 9110, 7.6.1); what the other end said to us is not what we say.
_HOP_BY_HOP: Final = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
NO_ANSWER: Final = "does not answer"
WHOLE: Final = 1 << 20
"""Bytes of an answer up to which nothing is passed on before all of it has arrived."""
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Gateway:
    """Passes requests on, bodies and event streams as they come."""

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports
        self._first = next(iter(ports))
        self._client = httpx.AsyncClient(
            trust_env=False,
            timeout=httpx.Timeout(30.0, read=None),  # an event stream may be quiet for long
            limits=httpx.Limits(max_connections=1000, max_keepalive_connections=100),
        )

    async def ready(self, request: Request) -> Response:
        """All of them, or none."""
        services: dict[str, object] = {}
        for name, port in self._ports.items():
            try:
                answer = await self._client.get(f"http://127.0.0.1:{port}/health/ready", timeout=2.0)
                services |= answer.json()["services"]
            except (httpx.HTTPError, ValueError, KeyError):
                services[name] = NO_ANSWER
        is_ready = not any(services.values())
        return JSONResponse({"ready": is_ready, "services": services}, 200 if is_ready else 503)

    async def flow(self, request: Request) -> Response:
        """What the processes tell, put together; each sentence and task under the name of its service."""
        told = await asyncio.gather(*(self._flow_of(name) for name in self._ports))
        stuck = [sentence for each in told for sentence in each["stuck"]]
        merged = {
            "bus": "; ".join(sorted({each["bus"] for each in told if each["bus"]})) or None,
            "services": {name: state for each in told for name, state in each["services"].items()},
            "tasks": {name: state for each in told for name, state in each["tasks"].items()},
            "stuck": stuck,
        }
        return JSONResponse(merged, 503 if stuck else 200)

    async def _flow_of(self, name: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._ports[name]}/health/flow"
        try:
            told: dict[str, Any] = (await self._client.get(url, timeout=3.0)).json()
        except (httpx.HTTPError, ValueError):
            told = {"stuck": [NO_ANSWER]}
        return {
            "bus": told.get("bus"),
            "services": told.get("services", {}),
            "tasks": {_named(name, task): state for task, state in told.get("tasks", {}).items()},
            "stuck": [_named(name, sentence) for sentence in told["stuck"]],
        }

    async def forward(self, request: Request) -> Response:
        name = request.url.path.split("/", 2)[1]
        port = self._ports.get(name, self._ports[self._first])
        path = request.scope["raw_path"] + (b"?" + query if (query := request.scope["query_string"]) else b"")
        sent = self._client.build_request(
            request.method,
            httpx.URL(scheme="http", host="127.0.0.1", port=port, raw_path=path),
            headers=[pair for pair in request.headers.raw if pair[0] not in _HOP_BY_HOP],
            content=_arriving(request) if _has_body(request) else None,
        )
        try:
            answer = await self._client.send(sent, stream=True)
            response = await _passed_on(answer)
        except TimeoutError:
            return problem_of(BodyTooSlow()).response()
        except httpx.TransportError:
            return _unavailable(name if name in self._ports else self._first)
        except ClientDisconnect:  # in the middle of its body: nobody is there to read an answer
            return Response(status_code=499)
        response.raw_headers = [
            (key.lower(), value) for key, value in answer.headers.raw if key.lower() not in _HOP_BY_HOP
        ]
        return response

    async def close(self) -> None:
        await self._client.aclose()


def _named(service: str, told: str) -> str:
    return told if told.startswith(service) else f"{service}: {told}"


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


async def _arriving(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; `TimeoutError` when it stays away for as long as the services would wait.

    They cannot say so themselves: who sends a body hears no answer before its end.
    """
    pieces = request.stream()
    while True:
        async with asyncio.timeout(SLOWEST_BODY):
            piece = await anext(pieces, None)
        if piece is None:
            return
        yield piece


async def _passed_on(answer: httpx.Response) -> Response:
    """A short answer whole, so that a service that dies in the middle of it can still be said to restart."""
    if int(answer.headers.get("content-length", WHOLE + 1)) > WHOLE:
        closing = BackgroundTask(answer.aclose)
        return StreamingResponse(_flowing(answer), status_code=answer.status_code, background=closing)
    body = b"".join([piece async for piece in answer.aiter_raw()])
    return Response(body, status_code=answer.status_code)


async def _flowing(answer: httpx.Response) -> AsyncIterator[bytes]:
    """A long answer as it comes. Where a service dies, its event streams end, and readers come back."""
    try:
        async for piece in answer.aiter_raw():
            yield piece
    except httpx.TransportError:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise  # cut off, so that nobody takes what arrived for the whole


def _unavailable(service: str) -> Response:
    problem = {
        "type": "/problems/service-restarting",
        "title": "Service restarting",
        "status": 503,
        "detail": f"{service} does not answer just now; the same request succeeds in a moment.",
    }
    return JSONResponse(problem, 503, {"retry-after": "1"}, media_type="application/problem+json")


def build(ports: dict[str, int]) -> Starlette:
    """The application; `ports` by service, the first also serves what all share."""
    gateway = Gateway(ports)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await gateway.close()

    return Starlette(
        routes=[
            Route("/health/ready", gateway.ready),
            Route("/health/flow", gateway.flow),
            Route("/{path:path}", gateway.forward, methods=_METHODS),
        ],
        lifespan=lifespan,
    )


def main() -> None:
    named = (each.partition("=") for each in os.environ["AFTERCARE_GATEWAY"].split(","))
    ports = {name: int(port) for name, _, port in named}
    uvicorn.run(
        build(ports),
        host="127.0.0.1",
        port=int(os.environ["AFTERCARE_PORT"]),
        http=Protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
