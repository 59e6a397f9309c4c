"""What a request is about: the service its path names, and the settings of the process."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.context import ServiceContext
from shared.logs import service_name
from shared.settings import Settings


class ServiceOfPath:
    """Pure ASGI: puts the context of the service named by the first path segment into the request's state."""

    def __init__(self, app: ASGIApp, contexts: Mapping[str, ServiceContext], settings: Settings) -> None:
        self.app = app
        self.contexts = contexts
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            segment = scope["path"].split("/", 2)[1:2]
            service = self.contexts.get(segment[0]) if segment else None
            scope["state"] = {
                **scope.get("state", {}),
                "service": service,
                "settings": service.settings if service else self.settings,
            }
            service_name.set(service.name if service else None)
        await self.app(scope, receive, send)


def service_of(connection: HTTPConnection) -> ServiceContext:
    """The service this request is for; only routes under a service's prefix may ask."""
    service: ServiceContext | None = connection.scope["state"]["service"]
    if service is None:
        raise LookupError(f"no service owns {connection.scope['path']}")
    return service


def settings_of(connection: HTTPConnection) -> Settings:
    """The settings that hold for this request: its service's, else the process's."""
    settings: Settings = connection.scope["state"]["settings"]
    return settings
