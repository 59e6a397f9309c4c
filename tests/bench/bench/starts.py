"""T8 and T7: how long until the first request is answered, and what the process weighs then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from compileall import compile_dir
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

import allinone
import localservers
import shared
from allinone.packages import PACKAGES
from allinone.services import topology
from bench.doors import floors
from bench.embedded import embedded, forget, serving
from bench.figure import Figure, Limit, Numbers, Ratio, Side
from bench.memory import RSS, weigh
from bench.stage import Stage, pid_of
from chaos.processes import Replica
from intake.app import service as intake
from localservers.postgres import PostgresServer
from shared.clock import uuid7

CLUSTER: Final = "PostgreSQL alone, from an empty folder"
ALL: Final = "all-in-one from an empty folder: database made, migrated, served"
BARE, RESTART = "process with one FastAPI route", "restart of one service (intake, RabbitMQ)"
_MEASURE: Final = "s"


@dataclass(frozen=True, slots=True)
class Starts:
    """Processes and folders are new in each round: memory never shrinks back."""

    stage: Stage
    bare: Replica
    service: Replica
    settle: float

    async def cluster(self) -> Numbers:
        server, begun = PostgresServer(self._new_folder("cluster")), time.perf_counter()
        await server.start()
        took = time.perf_counter() - begun
        await server.remove()
        return {_MEASURE: took}

    async def suite(self) -> Numbers:
        folder = self._new_folder("embedded")
        try:
            return await timed(embedded(self.stage, folder), self.settle)
        finally:
            await forget(folder)

    async def process(self) -> Numbers:
        return await timed(self.bare, self.settle)

    async def restart(self) -> Numbers:
        return await timed(self.service, self.settle)

    def _new_folder(self, name: str) -> Path:
        return self.stage.folder / f"{name}-{uuid7()}"


def prepare() -> None:
    """Compile what is ours, as `make setup` does: an environment may keep Python from doing it by itself."""
    packages = (shared, localservers, allinone, *(import_module(each) for each in PACKAGES.values()))
    for package in packages:
        compile_dir(package.__path__[0], quiet=1)


async def timed(replica: Replica, settle: float) -> Numbers:
    """From the birth of the process to 200 from /health/ready; its memory once its loops have come up."""
    async with serving(replica) as seconds:
        await asyncio.sleep(settle)
        return {_MEASURE: seconds, **weigh(pid_of(replica))}


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    prepare()
    database, broker = await stage.database(intake), await stage.vhost(topology())
    service = stage.replica(
        "intake", AFTERCARE_DATABASE_URL=database("intake"), AFTERCARE_AMQP_URL=broker("intake")
    )
    starts = Starts(stage, floors(stage, database, "intake"), service, settle=0 if stage.quick else 3)
    yield (
        Side(BARE, starts.process),
        Side(RESTART, starts.restart),
        Side(CLUSTER, starts.cluster),
        Side(ALL, starts.suite),
    )


FIGURE: Final = Figure(
    "starts",
    "From the birth of the process to the first 200 of /health/ready, the environment prepared and compiled. "
    "The all-in-one's includes its PostgreSQL, provisioning and migrations. Memory after 3 s of waiting, "
    "PostgreSQL's aside; PSS counts shared pages once.",
    sides,
    (
        Ratio("one service over a process with one route", _MEASURE, RESTART, BARE),
        Ratio("memory of one service over a process with one route", RSS, RESTART, BARE),
        Ratio("all-in-one over PostgreSQL alone", _MEASURE, ALL, CLUSTER),
    ),
    (
        Limit("T8", _MEASURE, ALL, 8),
        Limit("T8, restart of one service", _MEASURE, RESTART, 3),
        Limit("T7, one idle service", RSS, RESTART, 110),
    ),
)
