"""A kept process comes back with growing patience, fails plainly, and is never confused with a stranger."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localservers import ServerFailed, keeper
from localservers.keeper import Command, Keeper

SLEEPS = (sys.executable, "-c", "import signal; signal.pause()")


async def always() -> bool:
    return True


async def never() -> bool:
    return False


def command(folder: Path, *arguments: str) -> Command:
    return Command("Sleeper", arguments or SLEEPS, environment={}, log=folder / "sleeper.log")


@contextlib.asynccontextmanager
async def kept(folder: Path, *arguments: str) -> AsyncIterator[Keeper]:
    process = Keeper(command(folder, *arguments), folder / "sleeper.pid", always)
    await process.start()
    try:
        yield process
    finally:
        await process.stop(signal.SIGKILL)


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[float]:
    """The waits that a keeper announces when its process ends."""
    announced: asyncio.Queue[float] = asyncio.Queue()

    def warning(_message: str, _title: str, _exit: int, delay: float) -> None:
        announced.put_nowait(delay)

    monkeypatch.setattr(keeper.logger, "warning", warning)
    return announced


async def test_it_waits_longer_after_each_death_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delays: asyncio.Queue[float]
) -> None:
    monkeypatch.setattr(keeper, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(keeper, "LONGEST_DELAY_S", 0.04)
    async with kept(tmp_path, sys.executable, "-c", "raise SystemExit(3)") as process:
        assert [await delays.get() for _ in range(5)] == [0.01, 0.02, 0.04, 0.04, 0.04]
        assert process.restarts >= 4
        assert process.last_exit == 3


async def test_it_forgets_deaths_after_a_time_of_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delays: asyncio.Queue[float]
) -> None:
    monkeypatch.setattr(keeper, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(keeper, "HEALTHY_AFTER_S", 0.0)
    async with kept(tmp_path, sys.executable, "-c", "raise SystemExit(3)"):
        assert [await delays.get() for _ in range(3)] == [0.01, 0.01, 0.01]


async def test_a_failed_start_shows_the_log_and_where_it_is(tmp_path: Path) -> None:
    failing = command(tmp_path, sys.executable, "-c", "raise SystemExit('no room for me')")
    with pytest.raises(ServerFailed, match=r"Sleeper did not start \(exit 1\)") as failed:
        await Keeper(failing, tmp_path / "sleeper.pid", never).start()
    assert str(tmp_path / "sleeper.log") in str(failed.value)
    assert "no room for me" in str(failed.value)


async def test_a_start_without_an_answer_ends_the_process(tmp_path: Path) -> None:
    silent = Keeper(command(tmp_path), tmp_path / "sleeper.pid", never)
    with pytest.raises(ServerFailed, match=r"did not answer within 0\.2 s"):
        await silent.start(within_s=0.2)
    assert silent.pid is None


async def test_what_an_earlier_parent_left_is_ended_first(tmp_path: Path) -> None:
    left = await asyncio.create_subprocess_exec(*SLEEPS)
    (tmp_path / "sleeper.pid").write_text(f"{left.pid} {keeper.started_at(left.pid)}")
    async with kept(tmp_path) as process:
        assert await left.wait() == -signal.SIGKILL
        assert process.pid not in (left.pid, None)


async def test_a_stranger_with_the_number_of_the_dead_is_left_alone(tmp_path: Path) -> None:
    stranger = await asyncio.create_subprocess_exec(*SLEEPS)
    (tmp_path / "sleeper.pid").write_text(f"{stranger.pid} 1")
    async with kept(tmp_path):
        assert keeper.started_at(stranger.pid) is not None
    stranger.kill()
    await stranger.wait()


async def test_stop_ends_even_a_suspended_process_in_order(tmp_path: Path) -> None:
    async with kept(tmp_path) as process:
        pid = process.pid
        process.signal(signal.SIGSTOP)
        await process.stop(signal.SIGTERM)
        assert pid is not None
        assert keeper.started_at(pid) is None
        assert not (tmp_path / "sleeper.pid").exists()
