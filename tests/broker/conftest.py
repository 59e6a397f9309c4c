"""One stage per test, on each bus in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from toy.stage import Broker, Stage, quicken, raised


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


@pytest_asyncio.fixture
async def stage(
    toy_urls: dict[str, str], postgres_url: str, broker: Broker | None
) -> AsyncIterator[Stage]:
    """Everything in place, nothing started."""
    async with raised(toy_urls, postgres_url, broker) as stage:
        yield stage
