"""Keeps one server process alive: started, watched, started again with back-off when it dies, until stopped.

ServerFailed        it ended, or did not answer, while starting; the message shows the end of its log
"""

import asyncio
import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 60.0
START_WITHIN_S = 120.0
POLL_S = 0.05
LARGEST_LOG_BYTES = 20 * 1024 * 1024
LEASH = Path(__file__).with_name("leash.py")

logger = logging.getLogger(__name__)


class ServerFailed(RuntimeError):
    """A server did not start; the message carries the end of its log and the log's path."""

    def __init__(self, title: str, what: str, log: Path, tail: str) -> None:
        super().__init__(f"{title} {what}. The end of {log}:\n{tail or '(nothing was logged)'}")
        self.passing = re.search(r"in use|eaddrinuse", tail) is not None
        """A port or a memory segment was still taken: another try may do."""


@dataclass(frozen=True)
class Account:
    """The system user a server runs as."""

    uid: int
    gid: int


def own_account() -> Account:
    return Account(os.geteuid(), os.getegid())


@dataclass(frozen=True)
class Command:
    """A program, and all it needs to be run as a server."""

    title: str
    arguments: Sequence[str | Path]
    environment: Mapping[str, str]
    log: Path
    orphan_signal: signal.Signals = signal.SIGKILL
    account: Account = field(default_factory=own_account)

    async def spawn(self) -> asyncio.subprocess.Process:
        """Start it without waiting for anything; it dies with this process, on Linux even of `kill -9`."""
        leash = (os.getpid(), int(self.orphan_signal), self.account.uid, self.account.gid)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG_BYTES:
            self.log.rename(self.log.with_suffix(".old"))
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", LEASH),
                *map(str, leash),
                *self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.environment),
                cwd="/",
            )

    async def run(self) -> None:
        """Run it to its end. Raises `ServerFailed` unless it exits with 0."""
        logged = log_size(self.log)
        process = await self.spawn()
        try:
            code = await process.wait()
        except BaseException:
            await end(process)
            raise
        if code != 0:
            raise ServerFailed(self.title, f"failed (exit {code})", self.log, log_tail(self.log, logged))


class Keeper:
    """One server process: alive from `start` to `stop`, whatever happens to it in between.

    `answers` says whether the server serves. `restarts` counts; `last_exit` is the latest exit status
    (negative: the signal that killed it), None while none ended.
    """

    def __init__(self, command: Command, pid_file: Path, answers: Callable[[], Awaitable[bool]]) -> None:
        self.command = command
        self.restarts = 0
        self.last_exit: int | None = None
        self._pid_file = pid_file
        self._answers = answers
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the running process, None when there is none."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self, within_s: float = START_WITHIN_S) -> None:
        """Return when the server answers. Ends what an earlier, killed parent left. Raises `ServerFailed`."""
        if self._watch is not None:
            return
        await end_leftover(self._pid_file)
        logged = log_size(self.command.log)
        process = await self._spawn()
        try:
            await self._until_started(process, within_s, logged)
        except BaseException:
            await end(process)
            raise
        self._watch = asyncio.create_task(self._keep())

    async def stop(self, how: signal.Signals = signal.SIGTERM, within_s: float = 30.0) -> None:
        """End the server by signal `how`, after `within_s` seconds by SIGKILL; it is not started again."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None
        if self._process is not None:
            await end(self._process, how, within_s)
        self._pid_file.unlink(missing_ok=True)

    async def kill(self) -> None:
        """SIGKILL; returns when the process is gone and before its successor is there."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            await self._process.wait()

    def signal(self, what: signal.Signals) -> None:
        if self.pid is not None:
            os.kill(self.pid, what)

    async def until_ready(self, within_s: float = START_WITHIN_S) -> None:
        """Wait until the server answers, for instance after `kill`. Raises `ServerFailed`."""
        logged = log_size(self.command.log)
        try:
            async with asyncio.timeout(within_s):
                while not await self._answers():  # noqa: ASYNC110 (a server gives no signal to wait for)
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise self._failed(f"did not answer within {within_s:g} s", logged) from None

    async def _until_started(self, process: asyncio.subprocess.Process, within_s: float, logged: int) -> None:
        ended = asyncio.create_task(process.wait())
        ready = asyncio.create_task(self.until_ready(within_s))
        try:
            await asyncio.wait([ended, ready], return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise self._failed(f"did not start (exit {ended.result()})", logged)
            await ready
        finally:
            ended.cancel()
            ready.cancel()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY_S
        while self._process is not None:
            since = loop.time()
            self.last_exit = await self._process.wait()
            if loop.time() - since >= HEALTHY_AFTER_S:
                delay = FIRST_DELAY_S
            logger.warning("%s ended (exit %d); again in %.1f s", self.command.title, self.last_exit, delay)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY_S)
            with contextlib.suppress(OSError):  # No memory or disk just now: the next turn tries again.
                await self._spawn()
                self.restarts += 1

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._process = await self.command.spawn()
        self._pid_file.write_text(f"{self._process.pid} {started_at(self._process.pid)}")
        return self._process

    def _failed(self, what: str, logged: int) -> ServerFailed:
        return ServerFailed(self.command.title, what, self.command.log, log_tail(self.command.log, logged))


async def end(
    process: asyncio.subprocess.Process, how: signal.Signals = signal.SIGKILL, within_s: float = 30.0
) -> None:
    """Signal a child and wait for its end, with SIGKILL once it has taken longer than `within_s` seconds."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)  # A suspended server could not obey.
            process.send_signal(how)
        try:
            await asyncio.wait_for(process.wait(), within_s)
        except TimeoutError:
            process.kill()
            await process.wait()


async def end_leftover(pid_file: Path) -> None:
    """Kill the server whose parent died without stopping it."""
    while (pid := leftover(pid_file)) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(POLL_S)


def leftover(pid_file: Path) -> int | None:
    """The process noted in the file, if it runs and is not a later one with the same number."""
    if not pid_file.exists():
        return None
    pid, _, began = pid_file.read_text().partition(" ")
    return int(pid) if pid.isdigit() and started_at(int(pid)) == began else None


def started_at(pid: int) -> str | None:
    """When a process began, in whatever unit the system has; None when it is not running."""
    if not Path("/proc/self").exists():
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
        return shown.stdout.strip() or None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, began = fields[0], fields[19]
    return None if state in "ZX" else began


def log_size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def log_tail(log: Path, start: int, lines: int = 25) -> str:
    """The last lines written after byte `start`."""
    with log.open("rb") as file:
        file.seek(start)
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
