"""The whole suite in this process, on either bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest_asyncio

from allinone.services import SERVICES, topology
from allinone.visitor import Visitor
from shared.http.app import build_app
from shared.http.install import install_pages
from shared.process.assembly import Process
from shared.process.service import Service
from shared.settings import Settings


@pytest_asyncio.fixture
async def suite(
    new_database: Callable[[tuple[Service, ...]], Awaitable[dict[str, str]]],
) -> AsyncIterator[tuple[Process, Visitor]]:
    """All five services on the memory bus, and a visitor at their doors."""
    urls = await new_database(SERVICES)
    settings = {name: Settings(database_url=url, bus="memory", database_pool=3) for name, url in urls.items()}
    process = Process(SERVICES, settings, topology())
    process.start()
    await process.begun()
    app = build_app(process.contexts, {each.name: each.router for each in SERVICES}, process)
    streams = install_pages(app, {each.name: each.site for each in SERVICES if each.site}, process.contexts)
    process.follow_commits(streams.wake)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield process, Visitor(client, settings["intake"])
    print((await process.flow()).model_dump_json(indent=1))  # pytest shows it when a test fails
    await process.stop()
