"""Loops and supervised tasks: repeated, re-created, visible, and ended when told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from shared.clock import clock
from shared.db import Database, Tx
from shared.errors import Outage
from shared.process.loops import Loop
from shared.process.supervise import Supervisor
from toy.stage import until

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.process.supervise.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("shared.process.supervise.LONGEST_PAUSE", 0.05)
    monkeypatch.setattr("shared.process.supervise.ASK_AGAIN", 0.05)


@pytest_asyncio.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    supervisor = Supervisor()
    yield supervisor
    await supervisor.stop()


@pytest_asyncio.fixture(scope="module")
async def database(database_of: Callable[[str], Awaitable[Database]]) -> Database:
    return await database_of("toy")


class Ticks:
    """A loop's body that counts, and says when it is due next."""

    def __init__(self, due: timedelta | None) -> None:
        self.due = due
        self.times: list[datetime] = []

    async def __call__(self, tx: Tx, now: datetime) -> datetime | None:
        self.times.append(now)
        return None if self.due is None else now + self.due

    async def reach(self, times: int) -> None:
        async def look() -> None:
            assert len(self.times) >= times

        await until(look, within=10)


@pytest.mark.parametrize(
    ("due", "every"),
    [(timedelta(0), HOUR), (timedelta(milliseconds=20), HOUR), (None, timedelta(milliseconds=20)),
     (HOUR, timedelta(milliseconds=20)), (-HOUR, HOUR)],
    ids=["due at once", "due soon", "nothing known", "due later than it looks again", "overdue"],
)  # fmt: skip
async def test_a_loop_is_run_again_when_it_is_due_and_at_the_latest_after_its_period(
    database: Database, supervisor: Supervisor, due: timedelta | None, every: timedelta
) -> None:
    ticks = Ticks(due)
    loop = Loop("ticks", ticks, every)
    supervisor.start("ticks", lambda: loop.run(database))
    await ticks.reach(3)
    assert supervisor.states["ticks"].restarts == 0


async def test_a_loop_waits_until_it_is_due(database: Database, supervisor: Supervisor) -> None:
    ticks = Ticks(HOUR)
    loop = Loop("ticks", ticks, HOUR)
    supervisor.start("ticks", lambda: loop.run(database))
    await ticks.reach(1)
    await database.time()
    assert len(ticks.times) == 1
    assert abs(ticks.times[0] - clock.now()) < timedelta(seconds=5)


async def test_an_error_in_a_loop_goes_to_who_supervises_it(database: Database) -> None:
    async def fail(tx: Tx, now: datetime) -> None:
        raise LookupError("in the body")

    with pytest.raises(LookupError, match="in the body"):
        await Loop("fails", fail, HOUR).run(database)


async def test_a_task_is_created_anew_whenever_it_ends(supervisor: Supervisor) -> None:
    runs: list[int] = []

    async def end_somehow() -> None:
        runs.append(len(runs))
        if len(runs) == 1:
            raise LookupError("somebody's name")
        if len(runs) == 2:
            raise Outage(what="The broker")
        if len(runs) == 4:
            await asyncio.Event().wait()

    async def ended_three_times() -> None:
        assert supervisor.states["task"].restarts == 3
        assert supervisor.states["task"].running

    supervisor.start("task", end_somehow)
    await until(ended_three_times, within=5)
    assert runs == [0, 1, 2, 3]
    assert supervisor.states["task"].last_error.startswith("The broker cannot be reached")


async def test_what_went_wrong_is_told_without_values(supervisor: Supervisor) -> None:
    async def fail() -> None:
        raise LookupError("somebody's name")

    async def told() -> None:
        assert supervisor.states["task"].last_error.startswith("LookupError at fail:")

    supervisor.start("task", fail)
    await until(told, within=5)


async def test_its_pauses_grow_up_to_a_limit(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    async def fail() -> None:
        raise LookupError

    monkeypatch.setattr("shared.process.supervise.random.uniform", lambda low, high: high)
    monkeypatch.setattr("shared.process.supervise.asyncio.sleep", note)
    supervisor.start("task", fail)
    while len(pauses) < 5:
        await sleep(0)
    await supervisor.stop()
    assert pauses[:5] == [0.02, 0.04, 0.05, 0.05, 0.05]


async def test_a_cancellation_that_nobody_asked_for_is_a_failure_like_any_other(
    supervisor: Supervisor,
) -> None:
    """As when a library cancels what one task waits for because another closed the connection."""
    runs = 0

    async def wait_for_what_is_cancelled() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        await asyncio.Event().wait()

    async def works_again() -> None:
        assert runs == 2

    supervisor.start("task", wait_for_what_is_cancelled)
    await until(works_again, within=5)
    assert supervisor.states["task"].last_error.startswith("CancelledError")


async def test_stopping_waits_for_what_was_under_way_to_be_undone(supervisor: Supervisor) -> None:
    undone: list[str] = []
    begun = asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            undone.append("undone")

    supervisor.start("task", work)
    supervisor.start("other", asyncio.Event().wait)  # type: ignore[arg-type]
    await begun.wait()
    await supervisor.stop("task")
    assert undone == ["undone"]
    assert not supervisor.states["task"].running
    assert supervisor.states["other"].running


async def test_stopping_insists_when_a_library_swallows_the_cancellation(supervisor: Supervisor) -> None:
    swallowed = 0
    begun = asyncio.Event()

    async def work() -> None:
        nonlocal swallowed
        while True:
            try:
                begun.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    supervisor.start("task", work)
    await begun.wait()
    await asyncio.wait_for(supervisor.stop(), 5)
    assert swallowed == 3
