"""The sample as a process would serve it, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import httpx
from contracts.sample import service, site
from fastapi import FastAPI

from shared.clock import clock, uuid7
from shared.context import ServiceContext
from shared.db import Database
from shared.db.provision import provision, role_url
from shared.http.app import build_app
from shared.http.auth import Principal, Role, mint
from shared.http.health import FlowReport
from shared.http.install import install_pages
from shared.http.sse import Streams
from shared.settings import Settings


class _Quiet:
    """A process that has nothing to report."""

    draining = False

    async def readiness(self) -> dict[str, str | None]:
        return {"sample": None}

    async def flow(self) -> FlowReport:
        return FlowReport(bus=None, services={}, tasks={})


@dataclass(frozen=True)
class Sample:
    """The application and what stands behind it."""

    app: FastAPI
    context: ServiceContext
    streams: Streams

    @property
    def settings(self) -> Settings:
        return self.context.settings

    @property
    def database(self) -> Database:
        return self.context.database

    def token(self, *roles: Role, who: str = "lin.mei", lifetime: timedelta = timedelta(hours=1)) -> str:
        return mint(Principal(who, frozenset(roles)), self.settings, lifetime)

    def client(self, **options: object) -> httpx.AsyncClient:
        """A browser without scripts: it keeps cookies, asks for pages and follows nothing by itself."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url=self.settings.public_url,
            headers={"accept": "text/html", "accept-language": "en"} | options.pop("headers", {}),  # type: ignore[operator]
        )

    async def signed_in(self, *roles: Role) -> httpx.AsyncClient:
        client = self.client()
        answer = await client.post("/sign-in", data={"token": self.token(*roles)})
        assert answer.status_code == 303, answer.text
        return client


@asynccontextmanager
async def sample_on(admin_url: str, public_url: str = "http://127.0.0.1:8000") -> AsyncIterator[Sample]:
    """The sample on a fresh database of the server at `admin_url`."""
    name = f"test_{uuid7().hex}"
    await provision(admin_url, name, ["sample"], str)
    await service.history.upgrade(role_url(admin_url, "sample_owner", "sample_owner", name))
    url = role_url(admin_url, "sample", "sample", name)
    settings = Settings(database_url=url, bus="memory", public_url=public_url)  # type: ignore[arg-type]
    database = Database("sample", url)
    await clock.sync(database.time)
    context = ServiceContext("sample", database, settings)
    app = build_app({"sample": context}, {"sample": service.router}, _Quiet())
    streams = install_pages(app, {"sample": site}, {"sample": context})
    try:
        yield Sample(app, context, streams)
    finally:
        await database.close()
        connection = await asyncpg.connect(admin_url)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()
