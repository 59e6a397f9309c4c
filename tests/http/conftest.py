"""The toy service of `doors`, behind the real doors, on a real database."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
import structlog
from sqlalchemy.engine import make_url

from chaos.databases import empty
from doors import TABLES, Health, Moments, Toy, moments, router
from shared import logs
from shared.context import ServiceContext
from shared.db import Database
from shared.http.app import build_app
from shared.settings import Settings


@pytest.fixture(autouse=True)
def lines() -> Iterator[io.StringIO]:
    """Everything the test logs, as the process would write it."""
    root, out = logging.getLogger(), io.StringIO()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    logs.configure("debug", out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)
    logging.captureWarnings(False)
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks


@pytest.fixture(scope="module")
def toy_settings(postgres_url: str) -> Settings:
    """Settings of a service; with them comes a clock that runs."""
    return Settings(database_url="postgresql://toy@127.0.0.1/unused", bus="memory")


@pytest_asyncio.fixture(scope="module")
async def toy_module(
    database_of: Callable[[str], Any], postgres_url: str, toy_settings: Settings
) -> AsyncIterator[Toy]:
    database: Database = await database_of("toy")
    url = make_url(postgres_url).set(database=database.engine.url.database)
    admin = await asyncpg.connect(url.render_as_string(hide_password=False))
    await admin.execute(TABLES)
    health = Health()
    app = build_app(
        {"toy": ServiceContext("toy", database, toy_settings)},
        {"toy": router},
        health,
    )
    yield Toy(app, database, toy_settings, health, admin, moments)
    await admin.close()


@pytest_asyncio.fixture
async def toy(toy_module: Toy) -> AsyncIterator[Toy]:
    """The toy service, empty."""
    await empty(toy_module.admin, "toy.thing, toy.late, toy.idempotency, toy.event_log, toy.outbox")
    vars(moments).update(vars(Moments()))
    vars(toy_module.health).update(vars(Health()))
    yield toy_module
    assert toy_module.free_connections(), "a connection leaked"
