"""T7: whether the all-in-one grows under steady load for half an hour."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from statistics import median
from typing import Any, Final

import httpx

from bench.chain import CLIENTS, post_one
from bench.embedded import embedded, forget, serving, settings_of
from bench.figure import Figure, Limit, Numbers, Ratio, Side
from bench.memory import RSS, weigh
from bench.stage import Stage, pid_of
from bench.suite import REQUEST, adapter_token, organise

PER_SECOND: Final = 20
PATIENCE: Final = 120.0  # seconds: other work beside it may slow it down, which is not what is measured
EACH: Final = 0.5  # minutes between two weighings
FIRST, BETWEEN, LAST = "minutes 5 to 8", "minutes 8 to 27", "minutes 27 to 30"
QUICK_MINUTE: Final = 0.2  # seconds
# Connections that rest are closed here before the server hangs up on a request that has just set out.
_HTTP: Final[dict[str, Any]] = {
    "trust_env": False,
    "timeout": PATIENCE,
    "limits": httpx.Limits(keepalive_expiry=2.0),
}


@dataclass(slots=True)
class Load:
    """Requests at an even pace, fewer where answers do not come as fast; how many were accepted."""

    client: httpx.AsyncClient
    door: str
    token: str
    accepted: int = 0

    async def run(self) -> None:
        """For ever; ends only when one is refused."""
        places = asyncio.Semaphore(CLIENTS)
        async with asyncio.TaskGroup() as tasks:
            begun = time.perf_counter()
            for number in count(1):
                await places.acquire()
                tasks.create_task(self._post(places))
                await asyncio.sleep(begun + number / PER_SECOND - time.perf_counter())

    async def _post(self, places: asyncio.Semaphore) -> None:
        await post_one(self.client, self.door, REQUEST, self.token)
        self.accepted += 1
        places.release()


@dataclass(frozen=True, slots=True)
class Soak:
    """A process under load since `begun`; `minute` is how many seconds one takes."""

    pid: int
    address: str
    load: Load
    posting: asyncio.Task[None]
    begun: float
    minute: float

    async def weighed(self, first: int, last: int) -> Numbers:
        """The middle of the weighings between two minutes, both included, and what waits meanwhile."""
        found, before, began = [], self.load.accepted, time.perf_counter()
        for number in range(round((last - first) / EACH) + 1):
            await self._reach(first + number * EACH)
            found.append({**weigh(self.pid), "oldest event not yet handled, s": await self._oldest()})
        accepted = (self.load.accepted - before) / (time.perf_counter() - began)
        return {
            **{measure: median(each[measure] for each in found) for measure in found[0]},
            "requests/s": accepted,
        }

    async def _reach(self, minute: float) -> None:
        left = self.begun + minute * self.minute - time.perf_counter()
        if (await asyncio.wait({self.posting}, timeout=max(0.0, left)))[0]:
            self.posting.result()  # it only ends with an error

    async def _oldest(self) -> float:
        told: dict[str, Any] = {}
        while "services" not in told:  # who is too busy to say answers after 2 s without them
            told = (await self.load.client.get(f"{self.address}/health/flow")).json()
        return max(each["outbox_oldest_seconds"] or 0.0 for each in told["services"].values())


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    folder, minute = stage.folder / "soak", QUICK_MINUTE if stage.quick else 60.0
    suite = embedded(stage, folder)
    try:
        async with serving(suite), httpx.AsyncClient(**_HTTP) as client:
            settings = settings_of(suite, folder)
            await organise(settings.public_url, settings)
            load = Load(client, f"{settings.public_url}/intake/requests", adapter_token(settings))
            posting = asyncio.create_task(load.run())
            soak = Soak(pid_of(suite), settings.public_url, load, posting, time.perf_counter(), minute)
            try:
                yield (
                    Side(FIRST, partial(soak.weighed, 5, 8)),
                    Side(BETWEEN, partial(soak.weighed, 8, 27)),
                    Side(LAST, partial(soak.weighed, 27, 30)),
                )
            finally:
                posting.cancel()
                with suppress(asyncio.CancelledError):
                    await posting
    finally:
        await forget(folder)


FIGURE: Final = Figure(
    "soak",
    f"The all-in-one for 30 minutes under {PER_SECOND} requests a second, fewer where {CLIENTS} are not yet "
    "answered, all five services handling them to ticket and clocks. Its two Python processes together are "
    "weighed each half minute, PostgreSQL's aside; five minutes to settle are not counted. Beside it, how "
    "long the oldest event had been waiting then.",
    sides,
    (Ratio("T7, growth over a soak of 30 minutes", RSS, LAST, FIRST, targets=(1.05,), at_most=True),),
    (Limit("T7, all-in-one without PostgreSQL, after it", RSS, LAST, 260),),
    rounds=1,
)
