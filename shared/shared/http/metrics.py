"""What can be counted, for Prometheus at `/metrics`; labels come from fixed sets, never from input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from time import perf_counter
from typing import Final

from fastapi.responses import Response
from fastapi.routing import iter_route_contexts
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

registry: Final = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)

_LABELS: Final = ("service", "route", "method", "status")
_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

requests: Final = Counter(
    "aftercare_http_requests", "Requests answered, by class of status.", _LABELS, registry=registry
)
seconds: Final = Histogram(
    "aftercare_http_request_seconds",
    "From the head of the request to the end of the answer.",
    ("service", "route", "method"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=registry,
)
outbox_age: Final = Gauge(
    "aftercare_outbox_oldest_seconds", "Age of the oldest unsent event.", ("service",), registry=registry
)
parked: Final = Gauge(
    "aftercare_parked_events", "Events waiting for another attempt.", ("service",), registry=registry
)
dead_letters: Final = Gauge(
    "aftercare_dead_letters", "Events given up, waiting for a person.", ("service",), registry=registry
)
consumers: Final = Gauge(
    "aftercare_consumers", "Queues this process is consuming.", ("service",), registry=registry
)
loop_lag: Final = Gauge(
    "aftercare_event_loop_lag_seconds", "How late the event loop last woke up.", registry=registry
)

UNMATCHED: Final = "unmatched"


class Measured:
    """Pure ASGI: counts and times every request by its service and the template of its route."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self._routes = routes
        self._templates: dict[object, str] = {None: UNMATCHED}

    def template(self, endpoint: object) -> str:
        """The path template of an endpoint, as it is served."""
        if endpoint not in self._templates:  # routes may be added after this was made
            for route in iter_route_contexts(self._routes):
                self._templates[route.endpoint] = route.path or UNMATCHED
        return self._templates.setdefault(endpoint, UNMATCHED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun = perf_counter()
        status = 500

        async def noticing(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noticing)
        finally:
            template = self.template(scope.get("endpoint"))
            service = scope["state"]["service"]
            method = scope["method"] if scope["method"] in _METHODS else "other"
            count, time = _children(service.name if service else "", template, method, status // 100)
            count.inc()
            time.observe(perf_counter() - begun)


@lru_cache(maxsize=8192)
def _children(service: str, route: str, method: str, status_class: int) -> tuple[Counter, Histogram]:
    count = requests.labels(service, route, method, f"{status_class}xx")
    return count, seconds.labels(service, route, method)


async def exposition() -> Response:
    """All of it, in the text format."""
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
