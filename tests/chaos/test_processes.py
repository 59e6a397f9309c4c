"""Replicas die as planned, come back, and leave nothing behind."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from chaos.nursery import Nursery
from chaos.processes import (
    CrashPointNotReached,
    Replica,
    ReplicaDidNotStop,
    ReplicaDied,
    ReplicaNotReady,
    free_port,
    running,
)
from chaos.timeline import Timeline

HERE = Path(__file__).parent
MakeReplica = Callable[..., Replica]


@pytest.fixture(scope="session")
def nursery() -> Nursery:
    return Nursery("http.server")


@pytest.fixture(params=["executed", "forked"])
def born_in(request: pytest.FixtureRequest) -> Nursery | None:
    return None if request.param == "executed" else request.getfixturevalue("nursery")


@pytest.fixture
def replica_of(tmp_path: Path, born_in: Nursery | None) -> MakeReplica:
    """A toy replica with these things in its environment."""

    def make(**environment: str) -> Replica:
        port = free_port()
        environment |= {"PORT": str(port), "PYTHONPATH": str(HERE)}
        return Replica(
            *("toy-1", "toy_replica", port, tmp_path),
            environment=environment, timeline=Timeline(), nursery=born_in,
        )  # fmt: skip

    return make


async def work(replica: Replica, *, within: float = 10) -> int:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=within) as client:
        return (await client.post(f"http://127.0.0.1:{replica.port}/work")).status_code


async def has_ended(pid: int) -> None:
    """Wait until a process that is not our child is gone."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(10):
            await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def test_a_killed_replica_comes_back(replica_of: MakeReplica) -> None:
    replica = replica_of()
    async with running(replica):
        assert 0 < await replica.ready() < 30
        await replica.kill()
        await replica.ready()
        assert replica.exits == [-signal.SIGKILL]
        assert await work(replica) == 204
    assert replica.exits == [-signal.SIGKILL, -signal.SIGKILL]
    assert replica.log.read_text().count("toy replica begins\n") == 2


async def test_a_crash_point_ends_one_life_only(replica_of: MakeReplica) -> None:
    replica = replica_of()
    replica.arm("work:2")
    async with running(replica):
        assert await work(replica) == 204
        with pytest.raises(httpx.TransportError):
            await work(replica)
        await replica.crashed()
        await replica.ready()
        assert [await work(replica) for _ in range(3)] == [204, 204, 204]
        assert replica.exits == [86]


async def test_a_crash_point_never_reached_is_an_error(replica_of: MakeReplica) -> None:
    replica = replica_of()
    replica.arm("work:99")
    async with running(replica):
        with pytest.raises(CrashPointNotReached, match="toy replica begins"):
            await replica.crashed(within=0.1)


async def test_a_replica_that_dies_by_itself_is_not_restarted_but_reported(replica_of: MakeReplica) -> None:
    replica = replica_of(BREAKS="1")
    with pytest.raises(ReplicaDied, match="exit code 1\nno configuration, no service"):
        async with running(replica):
            pytest.fail("it was never ready")
    assert replica.exits == [1]


async def test_a_death_nobody_waited_for_is_reported_at_the_end(replica_of: MakeReplica) -> None:
    replica = replica_of()
    with pytest.raises(ReplicaDied, match="exit code 0"):  # noqa: PT012, the end of the block is what raises
        async with running(replica):
            started = replica.timeline.moments[0]
            os.kill(int(str(started.details["pid"])), signal.SIGTERM)
            with pytest.raises(ReplicaDied):
                await replica.crashed()


async def test_a_suspended_replica_keeps_its_connections_and_answers_later(replica_of: MakeReplica) -> None:
    replica = replica_of()
    async with running(replica):
        replica.suspend()
        with pytest.raises(httpx.ReadTimeout):
            await work(replica, within=0.3)
        replica.resume()
        assert await work(replica) == 204


async def test_a_stopped_replica_stays_down_until_it_is_started(replica_of: MakeReplica) -> None:
    replica = replica_of()
    async with running(replica):
        assert await replica.stop() == 0
        with pytest.raises(ReplicaNotReady, match="was stopped"):
            await replica.ready()
        replica.start()
        await replica.ready()
        assert await work(replica) == 204


async def test_a_suspended_replica_can_be_stopped(replica_of: MakeReplica) -> None:
    replica = replica_of()
    async with running(replica):
        replica.suspend()
        assert await replica.stop() == 0


async def test_a_replica_that_does_not_stop_is_killed_and_reported(replica_of: MakeReplica) -> None:
    replica = replica_of(STUBBORN="1")
    async with running(replica):
        with pytest.raises(ReplicaDidNotStop, match=r"within 0\.1 s"):
            await replica.stop(within=0.1)
        assert replica.exits == [-signal.SIGKILL]


async def test_a_replica_that_never_gets_ready_is_reported(replica_of: MakeReplica) -> None:
    replica = replica_of()
    replica.port = free_port()  # where nobody listens
    replica.start()
    with pytest.raises(ReplicaNotReady, match=r"within 0\.3 s"):
        await replica.ready(within=0.3)
    await replica.close()


@pytest.mark.parametrize("nursery", ["None", "Nursery()"])
async def test_no_replica_outlives_a_proof_that_was_killed(tmp_path: Path, nursery: str) -> None:
    proof = f"""
import asyncio, os, pathlib, signal
from chaos.nursery import Nursery
from chaos.processes import Replica, free_port, running

async def main():
    port, logs = free_port(), pathlib.Path({str(tmp_path)!r})
    environment = {{"PORT": str(port)}}
    replica = Replica("toy-1", "toy_replica", port, logs, environment=environment, nursery={nursery})
    async with running(replica):
        print(replica.timeline.moments[0].details["pid"], flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", proof,
        env=os.environ | {"PYTHONPATH": str(HERE)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(10):
        orphan = int(await process.stdout.readline())
    process.kill()
    await process.wait()
    await has_ended(orphan)
