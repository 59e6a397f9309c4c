"""Is this process alive, may it be sent requests, and does work flow through it?

`/health/live`   200 while the event loop runs
`/health/ready`  200 when HTTP can be served: each service's database answers and its migrations are at
                 head; 503 with the reasons otherwise, and while draining. The broker does not matter here.
`/health/flow`   200 when events flow; 503 when they are stuck somewhere
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from shared.http.auth import public
from shared.http.metrics import exposition
from shared.http.query import StrictRoute

PATIENCE: Final = 2.0  # seconds; probes give up after a few


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class TaskReport(_Value):
    """One supervised task."""

    running: bool
    restarts: int = 0
    last_error: str | None = Field(default=None, description="The class of the last error, never its text.")


class ServiceFlow(_Value):
    """How events flow through one service."""

    outbox_oldest_seconds: float | None = Field(
        description="Age of the oldest unsent event, if there is one."
    )
    parked: int
    dead_letters: int
    consumers: int = Field(description="Queues that are being consumed.")
    consumers_wanted: int = Field(description="Queues that should be.")


class FlowReport(_Value):
    """What of the process decides whether events flow; `stuck` names in plain words what does not."""

    bus: str | None = Field(description="None when the last probe of the bus came back, else what was wrong.")
    services: Mapping[str, ServiceFlow]
    tasks: Mapping[str, TaskReport]
    stuck: tuple[str, ...] = ()


class Readiness(_Value):
    """Why each service can or cannot serve; None is ready."""

    ready: bool
    services: Mapping[str, str | None]


class Reports(Protocol):
    """What a process can say about itself."""

    draining: bool

    async def readiness(self) -> dict[str, str | None]:
        """By service: None when its database answers and its migrations are at head, else the reason."""
        ...

    async def flow(self) -> FlowReport: ...


def health_router(reports: Reports) -> APIRouter:
    """The routes of the process itself, open to all: they tell no more than that something is wrong."""
    router = APIRouter(route_class=StrictRoute, tags=["health"], dependencies=[Depends(public())])
    router.add_api_route("/metrics", exposition, include_in_schema=False)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/health/ready", response_model=Readiness, responses={503: {"model": Readiness}})
    async def ready() -> JSONResponse:
        found = await _readiness(reports)
        return JSONResponse(found.model_dump(), 200 if found.ready else 503)

    @router.get("/health/flow", response_model=FlowReport, responses={503: {"model": FlowReport}})
    async def flow() -> JSONResponse:
        try:
            async with asyncio.timeout(PATIENCE):
                found = await reports.flow()
        except TimeoutError:
            return JSONResponse({"stuck": ["the report took too long"]}, 503)
        return JSONResponse(found.model_dump(), 503 if found.stuck else 200)

    return router


async def _readiness(reports: Reports) -> Readiness:
    if reports.draining:
        return Readiness(ready=False, services={"process": "draining"})
    try:
        async with asyncio.timeout(PATIENCE):
            services = await reports.readiness()
    except TimeoutError:
        services = {"process": f"no answer within {PATIENCE:g} s"}
    return Readiness(ready=not any(services.values()), services=services)
