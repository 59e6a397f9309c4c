"""The HTTP side of a process: the routers of one to five services behind one row of doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from shared.context import ServiceContext
from shared.http.auth import access_of
from shared.http.head import Head
from shared.http.headers import SecurityHeaders
from shared.http.health import Reports, health_router
from shared.http.index import RouteIndex
from shared.http.limits import LARGEST_BODY, SLOWEST_BODY, Limits
from shared.http.metrics import Measured
from shared.http.problem import MEDIA_TYPE, Faults, answer
from shared.http.scope import ServiceOfPath
from shared.http.tracing import Traced


class Undeclared(Exception):
    """Routes that do not say who may use them; the process does not start with them."""


class ProblemDetails(BaseModel):
    """RFC 9457; some problems have further members, such as `errors` or `current`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/ticket-already-closed"])
    title: str = Field(examples=["Ticket already closed"])
    status: int = Field(examples=[409])
    detail: str = Field(examples=["The ticket was closed before; reopen it first."])
    trace_id: str | None = Field(examples=["4bf92f3577b34da6a3ce929d0e0e4736"])


_PROBLEM: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "A problem.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }
}


def build_app(
    contexts: Mapping[str, ServiceContext], routers: Mapping[str, APIRouter], reports: Reports
) -> FastAPI:
    """One application for the services of a process, each under `/<name>`.

    Every route must declare who may use it. Nothing is answered across origins: there is no CORS here, so
    browsers deny it. `install_pages` adds the pages afterwards.
    """
    settings = next(iter(contexts.values())).settings
    app = FastAPI(
        title="Aftercare",
        version="1",
        description=f"Every error is a problem (RFC 9457). A body has at most {LARGEST_BODY} bytes unless "
        f"its route takes more, and never stays away for {SLOWEST_BODY:g} s, or the answer is 408.",
        openapi_url="/openapi.json" if settings.environment == "development" else None,
        docs_url=None,  # they would load scripts from foreign hosts
        redoc_url=None,
        redirect_slashes=False,  # a redirected POST would lose its body
        generate_unique_id_function=_operation_id,
        # Its spans and logs hold messages and values.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        exception_handlers={RequestValidationError: answer, HTTPException: answer},
    )
    # From the outside in; each wants what stands before it.
    app.user_middleware = [
        Middleware(Head),
        Middleware(ServiceOfPath, contexts=contexts, settings=settings),
        Middleware(Traced),
        Middleware(Measured, routes=app.routes),
        Middleware(SecurityHeaders, secure=settings.public_url.startswith("https:")),
        Middleware(Faults),
        Middleware(Limits),
    ]
    app.router.middleware_stack = RouteIndex(app.router)
    app.include_router(health_router(reports))
    for name, router in routers.items():
        app.include_router(router, prefix=f"/{name}", tags=[name], responses=_PROBLEM)
    refuse_undeclared(app)
    _describe_problems(app)
    return app


def _operation_id(route: APIRoute) -> str:
    """What generated clients call an operation: `parts_read_stock`, whatever its path becomes."""
    return "_".join([*map(str, route.tags), route.name])


def refuse_undeclared(app: FastAPI) -> None:
    """Raise unless every route says who may use it (`allow`, `public`): nothing is open by omission."""
    silent = [
        str(route.path)
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and not access_of(route)
    ]
    if silent:
        raise Undeclared(f"add dependencies=[Depends(allow(…))] or Depends(public()) to {', '.join(silent)}")


def _describe_problems(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
