"""T5: how late promises are found missed, and how fast, beside the bare loop that any engine could be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from statistics import quantiles
from typing import Final
from uuid import UUID

import asyncpg

from bench import engine
from bench.figure import Figure, Limit, Numbers, Ratio, Side
from bench.filling import CLOCK, fill_tickets, key_of
from bench.stage import Stage, sync_clock
from shared.clock import clock
from sla_monitor.app import service as sla
from toy.services import maker

AT_ONCE: Final = 500
LEAD: Final = timedelta(seconds=2)  # between arming and the first that is due
MILLISECOND: Final = timedelta(milliseconds=1)
BARE: Final = "bare loop: UPDATE … SKIP LOCKED, sleep until the next"
ENGINE: Final = "sla-monitor: judged by watermarks, clock, alert and event committed"

_TABLE: Final = """
    CREATE TABLE maker.timer (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        due_at timestamptz NOT NULL,
        fired_at timestamptz
    );
    CREATE INDEX timer_due ON maker.timer (due_at) WHERE fired_at IS NULL;
    GRANT SELECT, UPDATE ON maker.timer TO maker;
"""
_ARM_BARE: Final = """
    INSERT INTO maker.timer (due_at)
    SELECT $1::timestamptz + n * $2::interval FROM generate_series(0, $3 - 1) AS n
"""
# The instant is a parameter: no index is searched for what clock_timestamp() says, row by row anew.
_FIRE: Final = f"""
    UPDATE timer SET fired_at = $1::timestamptz WHERE id IN (
        SELECT id FROM timer WHERE fired_at IS NULL AND due_at <= $1::timestamptz
        ORDER BY due_at LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED)
    RETURNING due_at
"""
_NEXT: Final = "SELECT min(due_at) FROM timer WHERE fired_at IS NULL"
_ARM: Final = """
    WITH armed AS (
        SELECT id, $3::timestamptz + (row_number() OVER (ORDER BY id) - 1) * $4::interval AS due_at
        FROM sla.clock WHERE id BETWEEN $1 AND $2
    ), waiting AS (
        UPDATE sla.timer SET due_at = armed.due_at FROM armed WHERE clock_id = id
    )
    UPDATE sla.clock SET deadline = due_at, started_at = due_at - allowance FROM armed
    WHERE clock.id = armed.id RETURNING clock.id, deadline
"""


@dataclass(slots=True)
class Fired:
    """When the effect of each timer was committed, until all of them have been."""

    awaited: int
    fired: list[tuple[datetime, datetime]] = field(default_factory=list)
    """(due, committed)"""
    all: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, dues: Sequence[datetime]) -> None:
        now = clock.now()
        self.fired += [(due, now) for due in dues]
        if len(self.fired) >= self.awaited:
            self.all.set()

    def numbers(self, began: datetime, allowed: Callable[[datetime], datetime]) -> Numbers:
        """The pace from `began` on, and how late each was after the instant from which it was allowed."""
        took = max(at for _, at in self.fired) - began
        late = _late([(at - allowed(due)) / MILLISECOND for due, at in self.fired], "")
        return {"fired/s": len(self.fired) / took.total_seconds(), **late}


def _late(milliseconds: Sequence[float], what: str) -> Numbers:
    shares = quantiles(milliseconds, n=100)
    return {f"{what}p50 ms": shares[49], f"{what}p99 ms": shares[98], f"{what}max ms": max(milliseconds)}


@dataclass(slots=True)
class Bare:
    """One connection, two prepared statements, no transaction but the statement's own."""

    url: str
    admin: asyncpg.Connection
    late: float = 0.0
    """p99 of the last round, in milliseconds."""

    async def fire(self, timers: int, lead: timedelta, step: timedelta) -> Numbers:
        """Arm timers, the first of them due `lead` from now and the others at an even pace, and fire them."""
        fired, first = Fired(timers), clock.now() + lead
        await self.admin.execute(_ARM_BARE, first, step, timers)
        began = max(first, clock.now())
        async with asyncio.TaskGroup() as tasks:
            firing = tasks.create_task(self._run(fired))
            await fired.all.wait()
            firing.cancel()
        numbers = fired.numbers(began, lambda due: max(due, began))
        self.late = numbers["p99 ms"]
        return numbers

    async def _run(self, fired: Fired) -> None:
        connection = await asyncpg.connect(self.url, server_settings={"search_path": "maker"})
        try:
            fire, find = [await connection.prepare(each) for each in (_FIRE, _NEXT)]
            while True:
                rows = await fire.fetch(clock.now())
                fired.note([row[0] for row in rows])
                if len(rows) < AT_ONCE:
                    due = await find.fetchval()
                    await asyncio.sleep(max(0.0, (due - clock.now()).total_seconds()))
        finally:
            await connection.close()


@dataclass(slots=True)
class Engine:
    """The service's own loops; each round takes clocks that have not been due before.

    started  the service at work; None to start it anew for each round
    """

    url: str
    admin: asyncpg.Connection
    floor: Bare
    started: engine.Running | None
    used: int = 0

    async def fire(self, timers: int, lead: timedelta, step: timedelta) -> Numbers:
        """The same; a verdict is allowed once everything before the deadline is said to have been sent."""
        first = clock.now() + lead
        ends = key_of(CLOCK, self.used + 1), key_of(CLOCK, self.used + timers)
        deadlines: dict[UUID, datetime] = dict(await self.admin.fetch(_ARM, *ends, first, step))
        self.used += timers
        fired, began = Fired(timers), max(first, clock.now())
        async with nullcontext(self.started) if self.started else engine.running(self.url) as running:
            running.database.told = lambda clocks: fired.note([deadlines[each] for each in clocks])
            await fired.all.wait()
        numbers = fired.numbers(began, lambda due: max(began, running.announcer.allowed(due)))
        whole = _late([(at - max(began, due)) / MILLISECOND for due, at in fired.fired], "whole ")
        return {**numbers, **whole, "p99 over the bare loop's, ms": numbers["p99 ms"] - self.floor.late}


@asynccontextmanager
async def sides(
    stage: Stage, *, armed: int, due: int, lead: timedelta, within: timedelta, anew: bool
) -> AsyncIterator[Sequence[Side]]:
    """`anew`: the service starts in each round; else it has been at work since the warm-up, as it would."""
    if stage.quick:
        armed, due, within = armed // 500, due // 50, within / 50
    database, other = await stage.database(sla), await stage.database(maker)
    ours, bare = await stage.admin(database("sla")), await stage.admin(other("maker"))
    try:
        await sync_clock(stage.postgres_url)
        await bare.execute(_TABLE)
        await bare.execute(_ARM_BARE, clock.now() + timedelta(days=1), timedelta(seconds=1), armed - due)
        await bare.execute("VACUUM ANALYZE maker.timer")
        await fill_tickets(ours, armed)
        floor = Bare(other("maker"), bare)

        def run(side: Bare | Engine) -> Callable[[], Awaitable[Numbers]]:
            return partial(side.fire, due, lead, within / due)

        async with nullcontext() if anew else engine.running(database("sla")) as started:
            whole = Engine(database("sla"), ours, floor, started)
            yield Side(BARE, run(floor)), Side(ENGINE, run(whole))
    finally:
        await ours.close()
        await bare.close()


MINUTE: Final = Figure(
    "timers",
    "1,000,000 clocks armed, 10,000 of them due within one minute. The bare loop marks a row. sla-monitor "
    "judges clocks by what the producers say has been sent, which they say every 250 ms and 250 ms behind; "
    "it stores verdict, alert and event, and has been at work since the warm-up, with nothing due while the "
    "bare loop fires. Lateness from the instant from which the verdict was allowed to the commit; the whole "
    "lateness from the deadline.",
    partial(sides, armed=1_000_000, due=10_000, lead=LEAD, within=timedelta(minutes=1), anew=False),
    (
        Ratio("T5, firing", "fired/s", ENGINE, BARE, targets=(0.5,)),
        Ratio("p50 over the bare loop's", "p50 ms", ENGINE, BARE),
        Ratio("p99 over the bare loop's", "p99 ms", ENGINE, BARE),
    ),
    (
        Limit("T5, p99 beyond the bare loop's", "p99 over the bare loop's, ms", ENGINE, 50),
        Limit("T5, p99", "p99 ms", ENGINE, 1000),
        Limit("whole lateness, p99", "whole p99 ms", ENGINE, 1000),
    ),
    rounds=3,
)
BACKLOG: Final = Figure(
    "timers-overdue",
    "1,000,000 clocks armed; 10,000 have fallen due while nobody was there. From the start of the loops, "
    "connections and all, to the last commit.",
    partial(
        sides,
        armed=1_000_000,
        due=10_000,
        lead=timedelta(minutes=-1),
        within=timedelta(seconds=50),
        anew=True,
    ),
    (Ratio("firing, as fast as it can", "fired/s", ENGINE, BARE),),
    (Limit("caught up", "max ms", ENGINE, 10_000),),
)
FIGURES: Final = (MINUTE, BACKLOG)
