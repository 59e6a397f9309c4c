"""Services as a process would serve them, on a database of their own, without their background work."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import uvicorn
from fastapi import FastAPI

from chaos.databases import fresh
from shared.clock import clock
from shared.context import ServiceContext
from shared.db import Database
from shared.http.app import build_app
from shared.http.auth import Principal, Role, mint
from shared.http.health import FlowReport
from shared.http.install import install_pages
from shared.http.sse import Streams
from shared.process.service import Service
from shared.settings import Settings


@contextmanager
def clock_kept() -> Iterator[None]:
    """Whoever sets the clock within the block: afterwards it goes on as if nobody had."""
    kept = dict(vars(clock))  # its last identifier too, which would otherwise drag the next ones along
    try:
        yield
    finally:
        vars(clock).update(kept)


class Quiet:
    """A process that has nothing to report."""

    draining = False

    async def readiness(self) -> dict[str, str | None]:
        return {}

    async def flow(self) -> FlowReport:
        return FlowReport(bus=None, services={}, tasks={})


@dataclass(frozen=True)
class Served:
    """An application and what stands behind it; `context` is the first service's, `others` by name."""

    app: FastAPI
    context: ServiceContext
    streams: Streams
    others: Mapping[str, ServiceContext] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.context.settings

    @property
    def database(self) -> Database:
        return self.context.database

    def token(self, *roles: Role, lifetime: timedelta = timedelta(hours=1)) -> str:
        return mint(Principal("desk.one", frozenset(roles)), self.settings, lifetime)

    def client(self) -> httpx.AsyncClient:
        """A browser without scripts: it keeps cookies, asks for pages and follows nothing by itself."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url=self.settings.public_url,
            headers={"accept": "text/html", "accept-language": "en"},
        )

    async def signed_in(self, *roles: Role) -> httpx.AsyncClient:
        client = self.client()
        answer = await client.post("/sign-in", data={"token": self.token(*roles)})
        assert answer.status_code == 303, answer.text
        return client


class Port:
    """A free port of this machine, taken before anybody serves there: pages say their own address."""

    def __init__(self) -> None:
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    @asynccontextmanager
    async def serve(self, served: Served) -> AsyncIterator[None]:
        """Let a browser in, in the tests' own loop, whose signals are left alone."""
        server = _Server(uvicorn.Config(served.app, lifespan="off", log_config=None, access_log=False))
        task = asyncio.create_task(server.serve([self._listening]))
        try:
            yield
        finally:
            served.streams.close()
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None: ...


@asynccontextmanager
async def serving(
    admin_url: str, *services: Service, public_url: str = "http://127.0.0.1:8000"
) -> AsyncIterator[Served]:
    """`services` on a fresh database of the server at `admin_url`."""
    made = await fresh(admin_url, services)
    contexts = {each.name: _context(each.name, made.url(each.name), public_url) for each in services}
    await clock.sync(contexts[services[0].name].database.time)
    app = build_app(contexts, {each.name: each.router for each in services}, Quiet())
    streams = install_pages(app, {each.name: each.site for each in services if each.site}, contexts)
    try:
        yield Served(app, contexts[services[0].name], streams, contexts)
    finally:
        for context in contexts.values():
            await context.database.close()
        await made.drop()


def _context(name: str, url: str, public_url: str) -> ServiceContext:
    settings = Settings(database_url=url, bus="memory", public_url=public_url)
    return ServiceContext(name, Database(name, url), settings)
