"""Routes found by their address, not by trying one after the other.

FastAPI matches a request against every route of every included router in turn, twice per level of
inclusion: with 300 routes in a process that took 1.7 ms for the last of them, ten times the request itself.
Here the method, the length of the path and its first two segments lead to the few routes that can match.
Whatever is not found here (404, mounts, parameters that span segments) goes FastAPI's own way.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, HTTPException
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.types import Receive, Scope, Send

_Address = tuple[str, int, str, str]

_ANY: Final = "{"


class RouteIndex:
    """ASGI, in the place of a router: dispatches to its routes, all that were added before the first request.

    Among routes that match, one with a literal second segment wins, then the one that was added first.
    """

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._routes: dict[_Address, list[RouteContext]] | None = None
        self._methods: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if found is None:
            self._refuse_method(scope)
            return await self._router.app(scope, receive, send)
        route, parameters = found
        scope["path_params"] = parameters
        scope["endpoint"] = route.endpoint
        scope["route"] = route.original_route
        scope["router"] = self._router
        await route.app(scope, receive, send)

    def _refuse_method(self, scope: Scope) -> None:
        """405 with all methods of the address, where FastAPI names those of the first route only."""
        if scope["type"] != "http":
            return
        allowed = [method for method in sorted(self._methods) if self._find(method, scope["path"])]
        if allowed:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})

    def _find(self, method: str, path: str) -> tuple[RouteContext, dict[str, Any]] | None:
        if self._routes is None:
            self._routes = self._collect()
        length, first, second = _start(path)
        for place in (second, _ANY):
            for route in self._routes.get((method, length, first, place), ()):
                if match := route.path_regex.match(path):
                    convertors = route.param_convertors
                    return route, {
                        name: convertors[name].convert(text) for name, text in match.groupdict().items()
                    }
        return None

    def _collect(self) -> dict[_Address, list[RouteContext]]:
        routes: dict[_Address, list[RouteContext]] = {}
        for route in iter_route_contexts(self._router.routes):
            length, first, second = _start(route.path or "")
            if not isinstance(route.original_route, APIRoute) or ":path}" in str(route.path) or _ANY in first:
                continue
            place = _ANY if _ANY in second else second
            for method in route.methods or ():
                self._methods.add(method)
                routes.setdefault((method, length, first, place), []).append(route)
        return routes


def _start(path: str) -> tuple[int, str, str]:
    """How many segments a path has, and the first two."""
    segments = path.split("/", 3)
    return path.count("/"), segments[1] if len(segments) > 1 else "", segments[2] if len(segments) > 2 else ""
