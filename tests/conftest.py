"""Real servers for every test that needs one, started once; fresh databases and virtual hosts within them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from allinone.access import NAMES
from localservers.postgres import PostgresServer
from localservers.rabbitmq import RabbitServer
from shared.bus.declare import declare
from shared.bus.topology import Topology
from shared.clock import clock, uuid7
from shared.db import Database
from shared.db.migrate import Migrations
from shared.db.provision import provision, role_url
from shared.process.service import Service
from shared.settings import Settings
from toy.services import keeper, maker

DatabaseOf = Callable[[str], Awaitable[Database]]
SettingsOf = Callable[..., Awaitable[dict[str, Settings]]]


def password_of(role: str) -> str:
    """Roles belong to the whole cluster, so all databases of a run share them."""
    return f"test-{role}"


@pytest_asyncio.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    """A private PostgreSQL that tests may kill."""
    server = PostgresServer(tmp_path_factory.mktemp("servers") / "postgres")
    await server.start()
    yield server
    await server.remove()


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> str:
    """Of the server named in the environment, else of a private one."""
    named = os.environ.get("AFTERCARE_ADMIN_DATABASE_URL")
    url: str = named or request.getfixturevalue("postgres").url  # an async fixture: not from within one
    return url


@pytest_asyncio.fixture(scope="session")
async def postgres_url(server_url: str) -> str:
    """An administrator's DSN; the clock runs by that server from here on."""
    await clock.sync(lambda: _time(server_url))
    return server_url


async def _time(url: str) -> datetime:
    connection = await asyncpg.connect(url)
    try:
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="session")
async def rabbit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RabbitServer]:
    """A private RabbitMQ that tests may kill, freeze and alarm."""
    services = ("maker", "keeper", *NAMES)
    server = RabbitServer(tmp_path_factory.mktemp("servers") / "rabbitmq", services)
    await server.start()
    yield server
    await server.remove()


async def fresh_database(admin_url: str, services: tuple[Service, ...]) -> dict[str, str]:
    """A new database with the schemas of `services`, migrated; the URL of each service's role in it."""
    name = f"test_{uuid7().hex}"
    await provision(admin_url, name, [each.name for each in services], password_of)
    for service in services:
        owner = f"{service.name}_owner"
        await service.history.upgrade(role_url(admin_url, owner, password_of(owner), name))
    return {each.name: role_url(admin_url, each.name, password_of(each.name), name) for each in services}


async def drop_database(admin_url: str, urls: dict[str, str]) -> None:
    name = next(iter(urls.values())).rpartition("/")[2]
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="module")
async def database_of(postgres_url: str) -> AsyncIterator[DatabaseOf]:
    """`await database_of("toy")`: a schema with the core tables, in a database of this module."""
    opened: list[Database] = []
    urls: list[dict[str, str]] = []

    async def make(name: str) -> Database:
        service = Service(name, migrations=None)
        urls.append(await fresh_database(postgres_url, (service,)))
        opened.append(Database(name, urls[-1][name]))
        return opened[-1]

    yield make
    for database in opened:
        await database.close()
    for each in urls:
        await drop_database(postgres_url, each)


@pytest_asyncio.fixture
async def new_database(
    postgres_url: str,
) -> AsyncIterator[Callable[[tuple[Service, ...]], Awaitable[dict[str, str]]]]:
    """`await new_database(services)`: a database with their schemas; the URL of each one's role in it."""
    made: list[dict[str, str]] = []

    async def make(services: tuple[Service, ...]) -> dict[str, str]:
        made.append(await fresh_database(postgres_url, services))
        return made[-1]

    yield make
    for urls in made:
        await drop_database(postgres_url, urls)


@pytest_asyncio.fixture
async def toy_urls(postgres_url: str) -> AsyncIterator[dict[str, str]]:
    """A fresh database of the toy services: the URL of each one's role."""
    urls = await fresh_database(postgres_url, (maker, keeper))
    yield urls
    await drop_database(postgres_url, urls)


@pytest_asyncio.fixture
async def vhost(rabbit: RabbitServer) -> AsyncIterator[str]:
    """A fresh virtual host."""
    name = f"test_{uuid7().hex}"
    await rabbit.add_vhost(name)
    yield name
    await rabbit.remove_vhost(name)


async def declared(rabbit: RabbitServer, vhost: str, topology: Topology) -> None:
    await declare(rabbit.url_of("admin", vhost), topology)


__all__ = ["Migrations", "Path", "declared", "drop_database", "fresh_database", "password_of"]
