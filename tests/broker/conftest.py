"""One stage per test, on each bus in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from toy.stage import Broker, Stage, build, quicken, raised, tear_down


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch.setattr)


@pytest.fixture(params=["memory", "rabbitmq"])
def bus(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def broker(request: pytest.FixtureRequest, bus: str) -> Broker | None:
    """A virtual host of its own; None on the memory bus, which needs none."""
    if bus == "memory":
        return None
    return Broker(request.getfixturevalue("rabbit"), request.getfixturevalue("vhost"))


@pytest_asyncio.fixture(scope="session")
async def stage_urls(postgres_url: str) -> AsyncIterator[dict[str, str]]:
    """One database for all stages, emptied between them."""
    urls = await build(postgres_url)
    yield urls
    await tear_down(postgres_url, urls)


@pytest_asyncio.fixture
async def stage(postgres_url: str, stage_urls: dict[str, str], broker: Broker | None) -> AsyncIterator[Stage]:
    """Everything in place, nothing started."""
    async with raised(postgres_url, stage_urls, broker) as stage:
        yield stage
