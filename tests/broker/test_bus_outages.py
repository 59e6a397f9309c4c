"""A database out of reach, a process stopped or dead: nothing is decided, nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import get_args

import pytest

from shared import crash
from shared.inbox.failure import is_outage
from toy.stage import Stage, until

KEEPER_GONE = ("ALTER ROLE keeper CONNECTION LIMIT 0", "ALTER ROLE keeper CONNECTION LIMIT -1")
KEEPER_REFUSED = ("ALTER ROLE keeper NOLOGIN", "ALTER ROLE keeper LOGIN")
DROP = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"


@pytest.mark.parametrize("outage", [KEEPER_GONE, KEEPER_REFUSED], ids=["gone", "refused"])
async def test_while_its_database_is_away_a_consumer_waits(
    stage: Stage, outage: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, end = outage
    judged: list[bool] = []

    def judge(error: BaseException) -> bool:
        judged.append(is_outage(error))
        return judged[-1]

    async def was_tried() -> None:
        assert len(judged) > 3

    monkeypatch.setattr("shared.inbox.failure.is_outage", judge)
    await stage.start()
    await stage.make(50)
    await stage.settled()
    try:
        await stage.admin.execute(begin)
        await stage.admin.execute(f"{DROP} AND usename = 'keeper'")
        await stage.make(150)
        await stage.holds("maker.outbox", 0)
        await stage.holds("witness.inbox", 200)
        await until(was_tried)
    finally:
        await stage.admin.execute(end)
    await stage.settled()
    assert await stage.count("keeper.dead_letter") == 0
    assert all(judged)
    if stage.broker is not None:  # it keeps its deliveries: neither cancels nor closes
        assert stage.process.supervisor.states["keeper.live"].restarts == 0


async def test_connections_that_break_at_any_moment_cost_nothing(stage: Stage) -> None:
    await stage.start()
    for _ in range(25):
        await stage.make(20)
        await stage.admin.execute(
            f"{DROP} AND application_name LIKE 'aftercare-%' AND application_name <> 'aftercare-maker-work'"
        )
    await stage.settled()
    assert await stage.count("keeper.effect") == 500
    assert await stage.count("keeper.dead_letter") == 0


async def test_a_process_stopped_and_started_in_the_middle_goes_on_where_it_was(stage: Stage) -> None:
    for _ in range(4):
        await stage.make(120)
        await stage.start()
        await stage.make(30)
        await stage.stop()
    assert await stage.count("keeper.effect") < 600 or await stage.count("maker.outbox") == 0
    await stage.start()
    await stage.settled()
    assert await stage.count("keeper.effect") == 600


async def test_stopping_sends_what_is_waiting(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.outbox.relay.POLL_SECONDS", 3600.0)
    await stage.start()
    await stage.holds("maker.outbox", 0)
    await stage.make(30)
    await stage.stop()
    assert await stage.count("maker.outbox") == 0


@asynccontextmanager
async def dying_replicas(stage: Stage, crashes: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Processes of the stage's services that end, as of `kill -9`, at `crashes`; none outlives the block."""
    environment = os.environ | {
        "TOY_CRASHES": " ".join(crashes),
        "TOY_SETTINGS": json.dumps(stage.settings()),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    replicas = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "toy.mortal", env=environment, stdout=DEVNULL, start_new_session=True
    )
    try:
        yield replicas
    finally:
        with suppress(ProcessLookupError):
            os.killpg(replicas.pid, signal.SIGKILL)
        await replicas.wait()


async def test_replicas_that_die_at_every_point_leave_nothing_half_done(stage: Stage) -> None:
    crashes = [f"{point}:2" for point in get_args(crash.Point)]
    async with dying_replicas(stage, crashes) as replicas:

        async def all_died() -> None:
            await stage.make(10)
            assert replicas.returncode is not None

        await until(all_died, within=60)
        assert replicas.returncode == 0
    await stage.start()
    await stage.settled()
