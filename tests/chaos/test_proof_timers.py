"""Promises are judged once, in time and truly, whatever happens to those who judge."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chaos.processes import Replica, running
from chaos.proxy import Direction, FaultProxy
from localservers.install import ProgramMissing, ensure_faketime
from localservers.postgres import PostgresServer
from localservers.rabbitmq import RabbitServer
from testbed.clock_verdict import ClockJudge
from testbed.clockwork import Producers, TimeOfDay, clock_ground, freeze_in_tick, replica
from testbed.ground import Ground
from testbed.matters import draw_matters
from testbed.proof import Proof
from testbed.suite import Ways

CLAIM = """Three replicas of sla-monitor judge promises of seconds. One is frozen in the middle of a tick,
clocks in its hands; one is killed (-9); all are stopped while promises fall due, and started again; the time
of day is put an hour forward and back; and what the producers send is held up around the deadlines. Each
clock ends as arithmetic on what was recorded says; each missed promise has exactly one alert for clock,
threshold and revision, none before its time by the database's clock; an alert that was wrong was marked as
unconfirmed and is taken back; what fell due while nobody was there is alerted within 10 s of the first being
ready again."""

SLOW = 0.1  # seconds for each answer of the database, so that a replica can be met in a tick


@dataclass(frozen=True)
class Form:
    """How many tickets and requests begin each second, and how long each fault lasts, in seconds.

    caught_up  how soon after the start what fell due before has to be alerted
    """

    per_second: float
    frozen: float
    held_up: float
    stopped: float
    calm: float
    caught_up: float
    rest_within: float


# The short one runs beside other tests, on a machine that is busy.
SHORT = Form(per_second=8, frozen=2.5, held_up=5.5, stopped=0.5, calm=0.5, caught_up=30, rest_within=60)
LONG = Form(per_second=20, frozen=30, held_up=60, stopped=20, calm=10, caught_up=10, rest_within=120)


@dataclass(frozen=True)
class Faults:
    """Everything that goes wrong, one after the other; transport is held up meanwhile."""

    form: Form
    admin: asyncpg.Connection
    replicas: list[Replica]
    transport: FaultProxy
    database: FaultProxy
    time_of_day: TimeOfDay
    counts: dict[str, Any]

    async def happen(self) -> tuple[datetime, datetime]:
        """When all replicas were gone, and when the first was ready again."""
        await self.time_of_day.step(+1, self.replicas[2])
        await asyncio.sleep(self.form.calm)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hold_up())
            await self._freeze()
            await asyncio.sleep(self.form.calm)
            await self.replicas[1].kill()
        await self.time_of_day.step(-1, self.replicas[2])
        await asyncio.sleep(self.form.calm)
        return await self._stop_all()

    async def _hold_up(self) -> None:
        self.transport.stall()
        await asyncio.sleep(self.form.held_up)
        self.transport.heal()

    async def _freeze(self) -> None:
        self.database.delay(SLOW, direction=Direction.DOWN)
        first, *others = self.replicas
        held = await freeze_in_tick(self.admin, first, others, self.database)
        self.counts["timers in the hands of the frozen one"] = held
        await asyncio.sleep(self.form.frozen)
        first.resume()
        self.database.heal()

    async def _stop_all(self) -> tuple[datetime, datetime]:
        await asyncio.gather(*(each.stop() for each in self.replicas))
        stopped: datetime = await self.admin.fetchval("SELECT clock_timestamp()")
        await asyncio.sleep(self.form.stopped)
        for each in self.replicas:
            each.start()
        ready = [asyncio.ensure_future(each.ready(60)) for each in self.replicas]
        await asyncio.wait(ready, return_when=asyncio.FIRST_COMPLETED)
        started: datetime = await self.admin.fetchval("SELECT clock_timestamp()")
        await asyncio.gather(*ready)
        return stopped, started


async def prove(form: Form, proof: Proof, ground: Ground) -> None:
    async with AsyncExitStack() as stack:
        transport, database = [
            await stack.enter_async_context(
                FaultProxy("127.0.0.1", port, proof.seed, name=name, timeline=proof.timeline)
            )
            for name, port in (("transport", ground.broker.port), ("database", ground.postgres.port))
        ]
        replicas = [
            replica(number, ground, proof.folder, proof.timeline, Ways(database=way))
            for number, way in ((1, database.port), (2, None), (3, None))
        ]
        admin = await asyncpg.connect(ground.database_url("postgres"))
        stack.push_async_callback(admin.close)
        producers = await stack.enter_async_context(Producers(ground, transport))
        await stack.enter_async_context(running(*replicas))
        faults = Faults(form, admin, replicas, transport, database, TimeOfDay(proof.folder), proof.counts)
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(producers.play(draw_matters(proof.seed), form.per_second, over))
            stopped, started = await faults.happen()
            over.set()
        judge = ClockJudge(admin, producers.matters, timedelta(seconds=form.caught_up))
        reports = await judge.verdict(stopped, started, form.rest_within)
        proof.counts |= await judge.counts()
        await proof.conclude(ground, reports)


@pytest.fixture(scope="module")
def faketime() -> Path:
    try:
        return ensure_faketime()
    except ProgramMissing as reason:
        pytest.skip(f"the time of day cannot be put forward and back here: {reason}")


async def test_each_missed_promise_is_alerted_once_whatever_happens(
    postgres: PostgresServer, rabbit: RabbitServer, faketime: Path, seed: int, tmp_path: Path
) -> None:
    async with clock_ground(postgres, rabbit) as ground:
        await prove(SHORT, Proof("timers", CLAIM, seed, tmp_path), ground)


@pytest.mark.proof
async def test_each_of_thousands_of_missed_promises_is_alerted_once_whatever_happens(
    postgres: PostgresServer, rabbit: RabbitServer, faketime: Path, seed: int, tmp_path: Path
) -> None:
    async with clock_ground(postgres, rabbit) as ground:
        await prove(LONG, Proof("timers", CLAIM, seed, tmp_path, published=True), ground)
