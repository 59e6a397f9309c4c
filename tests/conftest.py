"""Real servers for every test that needs one, started once; fresh databases and virtual hosts within them."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio
import structlog
from hypothesis import settings

from allinone.access import NAMES
from chaos.databases import Fresh, forget_models, fresh
from localservers.postgres import PostgresServer
from localservers.rabbitmq import RabbitServer
from shared.clock import clock, uuid7
from shared.db import Database
from shared.process.service import Service
from toy.services import keeper, maker

# A busy machine makes no example wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """What was imported and collected stays: to walk it again and again cost a tenth of a run's CPU time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


# A traceback with the values of all variables, drawn in boxes, takes a second each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

DatabaseOf = Callable[[str], Awaitable[Database]]
A_MOMENT = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _clock_left_alone() -> Iterator[None]:
    """Who moves the clock puts it back (`clock_kept`): the next test may stand in any file."""
    began = _clock_ahead()
    yield
    if began is not None:
        assert abs((_clock_ahead() or began) - began) < A_MOMENT, "the clock was moved and not put back"


def _clock_ahead() -> timedelta | None:
    """Of the machine's steady clock; None before a database told the time."""
    return clock.now() - datetime.fromtimestamp(time.monotonic(), UTC) if clock.synced else None


@pytest_asyncio.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    """A private PostgreSQL that tests may kill; what is off here only a power failure would miss."""
    careless = {"fsync": "off", "full_page_writes": "off", "jit": "off"}
    server = PostgresServer(tmp_path_factory.mktemp("servers") / "postgres", careless)
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
async def postgres_url(server_url: str) -> AsyncIterator[str]:
    """An administrator's DSN; the clock runs by that server from here on."""
    await clock.sync(lambda: _time(server_url))
    yield server_url
    await forget_models(server_url)


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


@pytest_asyncio.fixture(scope="module")
async def database_of(postgres_url: str) -> AsyncIterator[DatabaseOf]:
    """`await database_of("toy")`: a schema with the core tables, in a database of this module."""
    opened: list[Database] = []
    made: list[Fresh] = []

    async def make(name: str) -> Database:
        made.append(await fresh(postgres_url, (Service(name, migrations=None),)))
        opened.append(Database(name, made[-1].url(name)))
        return opened[-1]

    yield make
    for database in opened:
        await database.close()
    for each in made:
        await each.drop()


@pytest_asyncio.fixture
async def new_database(
    postgres_url: str,
) -> AsyncIterator[Callable[[tuple[Service, ...]], Awaitable[dict[str, str]]]]:
    """`await new_database(services)`: a database with their schemas; the URL of each one's role in it."""
    made: list[Fresh] = []

    async def make(services: tuple[Service, ...]) -> dict[str, str]:
        made.append(await fresh(postgres_url, services))
        return {each.name: made[-1].url(each.name) for each in services}

    yield make
    for each in made:
        await each.drop()


@pytest_asyncio.fixture
async def toy_urls(postgres_url: str) -> AsyncIterator[dict[str, str]]:
    """A fresh database of the toy services: the URL of each one's role."""
    made = await fresh(postgres_url, (maker, keeper))
    yield {each.name: made.url(each.name) for each in (maker, keeper)}
    await made.drop()


@pytest_asyncio.fixture
async def vhost(rabbit: RabbitServer) -> AsyncIterator[str]:
    """A fresh virtual host."""
    name = f"test_{uuid7().hex}"
    await rabbit.add_vhost(name)
    yield name
    await rabbit.remove_vhost(name)
