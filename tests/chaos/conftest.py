"""Servers that the proofs may kill, apart from those of all other tests; and their seed."""

import os
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from allinone import access
from localservers.postgres import PostgresServer
from localservers.rabbitmq import RabbitServer
from testbed.ground import Ground, fresh_ground
from testbed.installation import bare_ground

SEED_VARIABLE = "AFTERCARE_PROOF_SEED"
USUAL_SEED = 20261122


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What the environment says, to replay; else the same each time, and a new one for each long proof."""
    long = request.node.get_closest_marker("proof") is not None
    chosen = int(os.environ.get(SEED_VARIABLE) or (secrets.randbits(32) if long else USUAL_SEED))
    print(f"replay with {SEED_VARIABLE}={chosen}")
    return chosen


@pytest_asyncio.fixture(scope="session")
async def mortal_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("mortal") / "postgres")
    await server.start()
    yield server
    await server.remove()


@pytest_asyncio.fixture(scope="session")
async def mortal_rabbit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RabbitServer]:
    server = RabbitServer(
        tmp_path_factory.mktemp("mortal") / "rabbitmq", services=("maker", "keeper", *access.NAMES)
    )
    await server.start()
    yield server
    await server.remove()


@pytest_asyncio.fixture
async def ground(mortal_postgres: PostgresServer, mortal_rabbit: RabbitServer) -> AsyncIterator[Ground]:
    async with fresh_ground(mortal_postgres, mortal_rabbit) as fresh:
        yield fresh


@pytest_asyncio.fixture
async def ground_without_broker(mortal_postgres: PostgresServer) -> AsyncIterator[Ground]:
    async with fresh_ground(mortal_postgres, None) as fresh:
        yield fresh


@pytest_asyncio.fixture
async def bare_servers(mortal_postgres: PostgresServer, mortal_rabbit: RabbitServer) -> AsyncIterator[Ground]:
    async with bare_ground(mortal_postgres, mortal_rabbit) as bare:
        yield bare


@pytest_asyncio.fixture
async def bare_postgres(mortal_postgres: PostgresServer) -> AsyncIterator[Ground]:
    async with bare_ground(mortal_postgres, None) as bare:
        yield bare
