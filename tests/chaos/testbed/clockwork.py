"""Replicas of sla-monitor, and in here the relays and watermarks of those that tell them what happened."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from typing import Final, Self
from uuid import UUID

import asyncpg
import httpx

from allinone.services import topology
from chaos.databases import fresh
from chaos.processes import Replica, free_port
from chaos.proxy import FaultProxy
from chaos.timeline import Timeline
from localservers.postgres import PostgresServer
from localservers.rabbitmq import RabbitServer
from shared.bus.declare import declare
from shared.clock import clock
from shared.db import Tx
from shared.outbox.emit import emit
from shared.process.assembly import Process
from shared.process.service import Service
from shared.settings import Settings
from sla_monitor.app import service as sla
from testbed.ground import Ground, follow, remove_ground
from testbed.matters import POLICY, Act, Matter
from testbed.suite import DIRECT, PUBLIC_URL, SECRET, Ways, through

BEAT: Final = 0.05  # seconds
MET_WITHIN: Final = 30.0  # seconds
SHOWN_WITHIN: Final = 20.0  # seconds
PRODUCERS: Final = (Service("intake"), Service("dispatch"))
# Every alert with the instant at which PostgreSQL got it, by its own clock.
_WATCH: Final = """
    CREATE TABLE public.raised (alert_id uuid PRIMARY KEY, at timestamptz NOT NULL);
    CREATE FUNCTION public.note_raised() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN INSERT INTO public.raised VALUES (NEW.id, clock_timestamp()); RETURN NULL; END';
    CREATE TRIGGER raised AFTER INSERT ON sla.alert FOR EACH ROW EXECUTE FUNCTION public.note_raised();
"""
_PROMISE: Final = "UPDATE sla.policy_version SET body = $1, digest = 'proof'"
# Alerts are written in ticks only, and by then the clocks are held that they are about.
_IN_TICK: Final = """
    SELECT EXISTS (
        SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE relation = 'sla.alert'::regclass AND mode = 'RowExclusiveLock' AND client_port = ANY($1::int[]))
"""
_HELD: Final = """
    WITH free AS (SELECT FROM sla.timer FOR UPDATE SKIP LOCKED)
    SELECT (SELECT count(*) FROM sla.timer) - (SELECT count(*) FROM free)
"""


@asynccontextmanager
async def clock_ground(postgres: PostgresServer, rabbit: RabbitServer) -> AsyncIterator[Ground]:
    """sla-monitor's schema, with promises of seconds, and those of its producers, with nothing but events."""
    await follow(postgres)
    database = await fresh(postgres.url, (*PRODUCERS, sla))
    ground = Ground(postgres, rabbit, database.name)
    await rabbit.add_vhost(ground.name)
    await declare(ground.amqp_url("admin"), topology())
    admin = await asyncpg.connect(ground.database_url("postgres"))
    try:
        await admin.execute(_WATCH)
        await admin.execute(_PROMISE, json.dumps(POLICY))
    finally:
        await admin.close()
    try:
        yield ground
    finally:
        await remove_ground(ground)


def replica(number: int, ground: Ground, folder: Path, timeline: Timeline, ways: Ways = DIRECT) -> Replica:
    """One process of sla-monitor, whose time of day is what `TimeOfDay` says."""
    port = free_port()
    environment = {
        "AFTERCARE_PORT": str(port),
        "AFTERCARE_SECRET": SECRET,
        "AFTERCARE_PUBLIC_URL": PUBLIC_URL,
        "AFTERCARE_DATABASE_URL": through(ground.database_url("sla"), ways.database),
        "AFTERCARE_AMQP_URL": through(ground.amqp_url("sla"), ways.broker),
        **TimeOfDay(folder).environment,
    }
    return Replica(f"sla-{number}", "sla_monitor", port, folder, environment=environment, timeline=timeline)


@dataclass(frozen=True)
class TimeOfDay:
    """What the processes of a folder take for the time of day; their monotonic clock is left alone."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "time-of-day"

    @property
    def environment(self) -> dict[str, str]:
        library = subprocess.run(
            ["faketime", "-f", "+0s", "printenv", "LD_PRELOAD"], check=True, capture_output=True, text=True
        ).stdout.strip()
        self._write(0)
        return {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
        }

    async def step(self, hours: int, seen_by: Replica) -> None:
        """From now on it is so many hours ahead; returns when a replica shows it."""
        self._write(hours)
        async with asyncio.timeout(SHOWN_WITHIN), httpx.AsyncClient(trust_env=False) as http:
            while round(await _ahead(http, seen_by)) != hours:  # noqa: ASYNC110 - another process is at work
                await asyncio.sleep(0.05)

    def _write(self, hours: int) -> None:
        fresh = self.file.with_suffix(".next")
        fresh.write_text(f"{hours:+}h\n")
        fresh.replace(self.file)


async def _ahead(http: httpx.AsyncClient, shown_by: Replica) -> float:
    """Hours by which the time of day of its answers differs from the database's."""
    answer = await http.get(f"http://127.0.0.1:{shown_by.port}/health/live")
    shown = parsedate_to_datetime(answer.headers["date"])
    return (shown - clock.now()) / timedelta(hours=1)


@dataclass
class Producers:
    """intake and dispatch as far as clocks are concerned: what happens is recorded, and goes out by `proxy`.

    matters  all that have begun
    """

    ground: Ground
    proxy: FaultProxy
    matters: list[Matter] = field(default_factory=list)
    _versions: dict[UUID, int] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        settings = {each.name: self._settings(each.name) for each in PRODUCERS}
        self._process = Process(PRODUCERS, settings, topology())
        self._process.start()
        await self._process.begun()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._process.stop()

    async def play(self, matters: Iterator[Matter], per_second: float, until: asyncio.Event) -> None:
        """Begin matters at an even pace until told; what they are to bring happens when it does."""
        began, waiting = clock.now(), list[tuple[float, int, Act]]()
        while waiting or not until.is_set():
            await asyncio.sleep(BEAT)
            passed = (clock.now() - began).total_seconds()
            while not until.is_set() and len(self.matters) < passed * per_second:
                for act in (matter := next(matters)).acts:
                    heappush(waiting, (passed + act.at + act.later, len(self.matters), act))
                self.matters.append(matter)
            due = []
            while waiting and waiting[0][0] <= passed:
                _, number, act = heappop(waiting)
                due.append((self.matters[number], act))
            await self._record(due)

    async def _record(self, acts: Sequence[tuple[Matter, Act]]) -> None:
        for resident in self._process.residents:
            mine = [each for each in acts if each[0].producer == resident.service.name]
            if mine:
                await resident.database.transact(partial(self._tell, acts=mine))

    async def _tell(self, tx: Tx, acts: Sequence[tuple[Matter, Act]]) -> None:
        for matter, act in acts:
            at = tx.now - timedelta(seconds=act.later)
            version = self._versions[matter.id] = self._versions.get(matter.id, 0) + 1
            emit(tx, matter.payload(act.what), subject=matter.id, sequence=version, time=at)
            matter.happened[act.what] = at

    def _settings(self, name: str) -> Settings:
        return Settings.model_validate(
            {
                "database_url": self.ground.database_url(name),
                "amqp_url": through(self.ground.amqp_url(name), self.proxy.port),
            }
        )


async def freeze_in_tick(
    admin: asyncpg.Connection,
    frozen: Replica,
    others: Sequence[Replica],
    way: FaultProxy,
    within: float = 20.0,
) -> int:
    """Suspend it while it holds timers; how many it holds.

    `way` is its way to the database, and slow. The others are suspended for that moment, to leave it some.
    """
    for each in others:
        each.suspend()
    try:
        async with asyncio.timeout(MET_WITHIN):
            while not await admin.fetchval(_IN_TICK, way.ports):  # noqa: ASYNC110 - another process is at work
                await asyncio.sleep(0.005)
        frozen.suspend()
        held: int = await admin.fetchval(_HELD)
    finally:
        for each in others:
            each.resume()
    return held
