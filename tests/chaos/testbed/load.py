"""Work that goes on while things break: posts by a client, writes in bulk, and the echo of both."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.journal import Journal
from testbed.client import Client
from testbed.echo import SHARE, Echo
from testbed.ground import Ground
from testbed.suite import token
from testbed.things import Things
from testbed.writer import Writer

REPEATED: Final = 0.2  # of the things posted are posted more than once
LARGEST_WRITE: Final = 60
FINAL_WRITE: Final = 400


@dataclass(frozen=True)
class Pace:
    """How hard: parallel posters and the seconds each rests, at most; the same for bulk writes."""

    posters: int = 4
    rest: float = 0.2
    write_rest: float = 0.6


@dataclass(frozen=True)
class Load:
    """Makes `things` in several ways at once."""

    things: Things
    client: Client
    writer: Writer
    echo: Echo
    seed: int
    pace: Pace

    async def flow(self, until: asyncio.Event) -> None:
        """Work until told; every thing begun is finished first."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.pace.posters):
                group.create_task(self._post(until, random.Random(f"{self.seed}/poster/{number}")))
            group.create_task(self._write(until, random.Random(f"{self.seed}/writer")))
            group.create_task(self._double(until))

    async def finish(self, events: int) -> None:
        """Make what is missing to so many events, and double what is missing to every tenth."""
        while (missing := events - self.things.drawn) > 0:
            await self.writer.write(self.things.draw_shuffled(min(missing, FINAL_WRITE)), "bulk")
        await self.echo.reach(SHARE, self.things.drawn)

    async def _post(self, until: asyncio.Event, chance: random.Random) -> None:
        while not until.is_set():
            thing = self.things.draw()
            if chance.random() < REPEATED:
                await self.client.make_repeatedly(thing)
            else:
                await self.client.make(thing)
            await _rest(until, chance.uniform(0, self.pace.rest))

    async def _write(self, until: asyncio.Event, chance: random.Random) -> None:
        while not until.is_set():
            things = self.things.draw_shuffled(chance.randint(1, LARGEST_WRITE))
            await self.writer.write(things, "bulk" if chance.random() < 0.5 else "live")
            await _rest(until, chance.uniform(0, self.pace.write_rest))

    async def _double(self, until: asyncio.Event) -> None:
        while not until.is_set():
            await self.echo.round()
            await _rest(until, self.pace.write_rest)


@asynccontextmanager
async def load_on(
    ground: Ground, ports: list[int], journal: Path, seed: int, pace: Pace
) -> AsyncIterator[Load]:
    """`ports` are the doors of maker's replicas; the client's journal goes to that file."""
    async with AsyncExitStack() as stack:
        client = Client(ports, token(), stack.enter_context(Journal(journal)), seed)
        yield Load(
            things=Things(seed),
            client=await stack.enter_async_context(client),
            writer=await stack.enter_async_context(Writer(ground)),
            echo=await stack.enter_async_context(Echo(ground, seed)),
            seed=seed,
            pace=pace,
        )


async def _rest(until: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except TimeoutError:
        return
