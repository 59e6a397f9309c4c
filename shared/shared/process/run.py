"""`run(*services)`: settings, database, bus, HTTP, background work; drains on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import uvicorn
import uvloop
from fastapi import APIRouter, Depends

from shared import logs
from shared.bus import Topology
from shared.http.app import build_app
from shared.http.auth import public
from shared.http.directory import Directory
from shared.http.install import install_pages
from shared.http.query import StrictRoute
from shared.http.refusal import Protocol
from shared.process.assembly import Process
from shared.process.describe import asyncapi
from shared.process.service import Service
from shared.settings import Settings, WrongSettings, load

EXIT_WRONG_SETTINGS = 78  # EX_CONFIG
EXIT_CUT_OFF = 75  # EX_TEMPFAIL: a supervisor should start us again


class _Server(uvicorn.Server):
    """Signals are ours to handle: uvicorn would raise them again before the rest has drained."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(*services: Service, topology: Topology | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return; ends the process when the settings are wrong."""
    settings = _settings(services)
    logs.configure(settings[services[0].name].log_level)
    code = uvloop.run(serve(services, settings, topology or Topology.load()))
    if code:
        sys.exit(code)


async def serve(services: tuple[Service, ...], settings: dict[str, Settings], topology: Topology) -> int:
    """One process, from start to drained; returns its exit code."""
    process = Process(services, settings, topology)
    first = settings[services[0].name]
    app = build_app(process.contexts, {each.name: each.router for each in services}, process)
    app.include_router(events_router(services, topology))
    sites = {each.name: each.site for each in services if each.site}
    streams = install_pages(app, sites, process.contexts, Directory.load())
    process.follow_commits(streams.wake)
    server = _Server(
        uvicorn.Config(
            app,
            host=first.host,
            port=first.port,
            http=Protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(first.drain_seconds),
        )
    )

    def drain() -> None:
        process.draining = True
        streams.close()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, drain)
    process.start()
    gc.collect()
    gc.freeze()  # what the imports made stays: to walk it again and again cost a fifth of a consumer's time
    gc.enable()
    watching = asyncio.create_task(_end_when_cut_off(process, drain))
    try:
        await server.serve()
    finally:
        watching.cancel()
        await process.stop()
    return EXIT_CUT_OFF if process.cut_off.is_set() else 0


def events_router(services: tuple[Service, ...], topology: Topology) -> APIRouter:
    """`/asyncapi.json`, beside FastAPI's `/openapi.json`: what these services tell and read."""
    router = APIRouter(route_class=StrictRoute, tags=["description"])
    described = cache(partial(asyncapi, services, topology))

    @router.get("/asyncapi.json", dependencies=[Depends(public())], include_in_schema=False)
    async def events() -> dict[str, Any]:
        return described()

    return router


async def _end_when_cut_off(process: Process, drain: object) -> None:
    await process.cut_off.wait()
    drain()  # type: ignore[operator]


def _settings(services: tuple[Service, ...]) -> dict[str, Settings]:
    settings: dict[str, Settings] = {}
    faults: dict[str, None] = {}
    for service in services:
        try:
            settings[service.name] = load(service.name)
        except WrongSettings as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        print(WrongSettings(list(faults)), file=sys.stderr)
        sys.exit(EXIT_WRONG_SETTINGS)
    return settings
