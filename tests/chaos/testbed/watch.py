"""Looks at the health doors of replicas, again and again, as a supervisor and a load balancer do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx

from chaos.processes import Replica

EVERY: Final = 0.2  # seconds


@dataclass(frozen=True)
class Look:
    """One look at one replica; 0 where it did not answer at all."""

    at: float
    replica: str
    ready: int
    flow: int


@dataclass
class Watch:
    """All looks so far, oldest first; `at` is the host's monotonic clock."""

    looks: list[Look] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, look: Look) -> None:
        self.looks.append(look)
        self.news.set()

    def during(self, begin: float, end: float) -> list[Look]:
        return [look for look in self.looks if begin <= look.at < end]

    def first(self, after: float, holds: Callable[[Look], bool]) -> float | None:
        """Seconds from `after` until it held at every replica at least once; None if it never did."""
        found: dict[str, float] = {}
        for look in self.looks:
            if look.at >= after and holds(look):
                found.setdefault(look.replica, look.at - after)
        everyone = {look.replica for look in self.looks}
        return max(found.values()) if found and found.keys() == everyone else None

    async def until(self, after: float, holds: Callable[[Look], bool], within: float) -> float:
        """As `first`, waiting for it. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while (seconds := self.first(after, holds)) is None:
                self.news.clear()
                await self.news.wait()
        return seconds


@asynccontextmanager
async def watching(replicas: Sequence[Replica]) -> AsyncIterator[Watch]:
    watch = Watch()
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=5.0) as http:
        tasks = [asyncio.create_task(_keep_looking(http, each, watch)) for each in replicas]
        try:
            yield watch
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_looking(http: httpx.AsyncClient, replica: Replica, watch: Watch) -> None:
    while True:
        at = time.monotonic()
        ready, flow = [await _status(http, replica.port, door) for door in ("ready", "flow")]
        watch.note(Look(at, replica.name, ready, flow))
        await asyncio.sleep(EVERY)


async def _status(http: httpx.AsyncClient, port: int, door: str) -> int:
    try:
        return (await http.get(f"http://127.0.0.1:{port}/health/{door}")).status_code
    except httpx.TransportError:
        return 0
