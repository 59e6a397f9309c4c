"""Where proofs happen, and their seed."""

import os
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

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


@pytest_asyncio.fixture
async def ground(postgres: PostgresServer, rabbit: RabbitServer) -> AsyncIterator[Ground]:
    async with fresh_ground(postgres, rabbit) as fresh:
        yield fresh


@pytest_asyncio.fixture
async def ground_without_broker(postgres: PostgresServer) -> AsyncIterator[Ground]:
    async with fresh_ground(postgres, None) as fresh:
        yield fresh


@pytest_asyncio.fixture
async def bare_servers(postgres: PostgresServer, rabbit: RabbitServer) -> AsyncIterator[Ground]:
    async with bare_ground(postgres, rabbit) as bare:
        yield bare


@pytest_asyncio.fixture
async def bare_postgres(postgres: PostgresServer) -> AsyncIterator[Ground]:
    async with bare_ground(postgres, None) as bare:
        yield bare
