"""How late durable timers fire: the bare loop that any engine could be, and our runner of loops beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from statistics import quantiles
from typing import Any, Final

import asyncpg
from sqlalchemy import text

from bench.figure import Figure, Numbers, Ratio, Side
from bench.stage import Stage, sync_clock
from shared.clock import clock
from shared.db import Database, Tx
from shared.process.loops import Loop
from toy.services import maker

PER_SECOND: Final = 500
AT_ONCE: Final = 500
LEAD: Final = timedelta(seconds=0.5)  # between arming and the first that is due
MEASURES: Final = ("p50 ms", "p99 ms", "max ms")
BARE, LOOP = "bare loop: UPDATE … SKIP LOCKED, sleep until the next", "shared.process.loops.Loop"

_TABLE: Final = """
    CREATE TABLE maker.timer (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        due_at timestamptz NOT NULL,
        fired_at timestamptz
    );
    CREATE INDEX timer_due ON maker.timer (due_at) WHERE fired_at IS NULL;
    GRANT SELECT, UPDATE ON maker.timer TO maker;
"""
_ARM: Final = """
    INSERT INTO maker.timer (due_at)
    SELECT clock_timestamp() + $1::interval + n * $2::interval FROM generate_series(1, $3) AS n
"""
# The instant is a parameter: no index is searched for what clock_timestamp() says, row by row anew.
_FIRE: Final = """
    UPDATE timer SET fired_at = {now} WHERE id IN (
        SELECT id FROM timer WHERE fired_at IS NULL AND due_at <= {now}
        ORDER BY due_at LIMIT {most} FOR UPDATE SKIP LOCKED)
    RETURNING due_at
"""
_NEXT: Final = "SELECT min(due_at) FROM timer WHERE fired_at IS NULL"


@dataclass(slots=True)
class Fired:
    """How late each timer was when its effect had been committed, until all of them have been."""

    awaited: int
    late: list[float] = field(default_factory=list)
    """Milliseconds."""
    all: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, dues: Sequence[datetime]) -> None:
        now = clock.now()
        self.late += [(now - due) / timedelta(milliseconds=1) for due in dues]
        if len(self.late) >= self.awaited:
            self.all.set()

    def numbers(self) -> Numbers:
        percentiles = quantiles(self.late, n=100)
        return dict(zip(MEASURES, (percentiles[49], percentiles[98], max(self.late)), strict=True))


Runner = Callable[[str, Fired], Coroutine[Any, Any, None]]
"""Fires what is due in the database of this URL, for ever."""


async def bare(url: str, fired: Fired) -> None:
    """One connection, two prepared statements, no transaction but the statement's own."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "maker"})
    try:
        fire = await connection.prepare(_FIRE.format(now="$1::timestamptz", most=AT_ONCE))
        find = await connection.prepare(_NEXT)
        while True:
            rows = await fire.fetch(clock.now())
            fired.note([row[0] for row in rows])
            if len(rows) < AT_ONCE:
                due = await find.fetchval()
                await asyncio.sleep(max(0.0, (due - clock.now()).total_seconds()))
    finally:
        await connection.close()


class _Watched(Database):
    """Tells what its last transaction fired, once that is committed."""

    fired: Fired
    dues: Sequence[datetime] = ()

    async def transact(self, work: Callable[[Tx], Awaitable[Any]], *, lane: Any = "live") -> Any:
        result = await super().transact(work, lane=lane)
        self.fired.note(self.dues)
        return result


async def looped(url: str, fired: Fired) -> None:
    """The same work as a `tick` under our runner, which opens, retries and commits transactions."""
    database = _Watched("maker", url)
    database.fired = fired
    fire, find = text(_FIRE.format(now=":now", most=AT_ONCE)), text(_NEXT)

    async def tick(tx: Tx, now: datetime) -> datetime | None:
        database.dues = (await tx.execute(fire, {"now": now})).scalars().all()
        if len(database.dues) == AT_ONCE:
            return now
        due: datetime | None = (await tx.execute(find)).scalar()
        return due

    try:
        await Loop("timers", tick, every=timedelta(minutes=1)).run(database)
    finally:
        await database.close()


@dataclass(frozen=True, slots=True)
class Armed:
    """A table of timers, most of them far from due."""

    stage: Stage
    url: str
    admin: asyncpg.Connection

    async def arm(self, timers: int, first: timedelta, step: timedelta) -> None:
        await self.admin.execute(_ARM, first, step, timers)

    async def fire(self, timers: int, runner: Runner) -> Numbers:
        """Arm timers that fall due at an even pace, and see how late `runner` is with them."""
        await sync_clock(self.stage.postgres_url)
        await self.arm(timers, LEAD, timedelta(seconds=1) / PER_SECOND)
        fired = Fired(timers)
        async with asyncio.TaskGroup() as tasks:
            firing = tasks.create_task(runner(self.url, fired))
            await fired.all.wait()
            firing.cancel()
        return fired.numbers()


@asynccontextmanager
async def sides(stage: Stage, *, armed: int, due: int) -> AsyncIterator[Sequence[Side]]:
    if stage.quick:
        armed, due = armed // 100, due // 20
    database = await stage.database(maker)
    admin = await stage.admin(database("maker"))
    try:
        await admin.execute(_TABLE)
        timers = Armed(stage, database("maker"), admin)
        await timers.arm(armed - due, timedelta(days=1), timedelta(seconds=1))
        await admin.execute("VACUUM ANALYZE maker.timer")
        yield Side(BARE, partial(timers.fire, due, bare)), Side(LOOP, partial(timers.fire, due, looped))
    finally:
        await admin.close()


def figure(name: str, armed: int, due: int) -> Figure:
    return Figure(
        name,
        f"{armed:,} timers armed, {due:,} of them due within {due / PER_SECOND:g} s; "
        "lateness from the due time to the committed row. For now only the floor of what is to come, "
        "and the same work as a tick under our runner.",
        partial(sides, armed=armed, due=due),
        tuple(Ratio(f"{measure} of the runner", measure, LOOP, BARE) for measure in MEASURES),
    )


FIGURES: Final = (
    figure("timers", 10_000, due=5_000),
    figure("timers-of-a-million", 1_000_000, due=1_000),
)
