"""Replicas as child processes: killed, suspended, restarted after a planned death, never orphaned."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

from chaos.nursery import Newborn, Nursery
from chaos.timeline import Timeline

CRASHED: Final = 86  # the exit code of a crash point
PLANNED_DEATHS: Final = frozenset({CRASHED, -signal.SIGKILL})
_POLL: Final = 0.02  # seconds between two looks at /health/ready
# The kernel kills the replica when the proof dies, of whatever: 1 is PR_SET_PDEATHSIG, which exec keeps.
LEASH: Final = (
    "import ctypes, os, signal, sys\n"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"
    "os.execv(sys.executable, [sys.executable, '-m', *sys.argv[1:]])"
)


class ReplicaFailed(Exception):
    """A replica did not do what was asked of it; what it logged last is below."""

    def __init__(self, replica: "Replica", situation: str) -> None:
        super().__init__(f"{replica.name} {situation}\n{replica.log_tail()}")


class ReplicaDied(ReplicaFailed):
    """It ended by itself, and not at a crash point."""


class ReplicaNotReady(ReplicaFailed):
    """/health/ready did not answer 200 in time."""


class ReplicaDidNotStop(ReplicaFailed):
    """SIGTERM did not end it in time; it was killed."""


class CrashPointNotReached(ReplicaFailed):
    """Nothing it did led through the crash point, so the run has shown nothing."""


class Replica:
    """One process, `python -m module`, restarted when it is killed or dies at a crash point.

    `environment` is added to this process's own. Born in a `nursery` it is there sooner. `exits` are its exit
    codes so far, a signal as its negative number. Everything it prints goes to `<logs>/<name>.log`.
    """

    def __init__(
        self,
        name: str,
        module: str,
        port: int,
        logs: Path,
        *,
        environment: Mapping[str, str] | None = None,
        timeline: Timeline | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        self.name, self.port = name, port
        self.log = logs / f"{name}.log"
        self.exits: list[int] = []
        self._module, self._environment = module, dict(environment or {})
        self.timeline = timeline or Timeline()
        self._nursery = nursery
        self._crash_at: str | None = None
        self._crashed = False
        self._wanted = False
        self._born = 0.0
        self._process: asyncio.subprocess.Process | Newborn | None = None
        self._supervisor: asyncio.Task[None] | None = None

    def arm(self, crash_at: str) -> None:
        """Let the next start, and only that one, end at this crash point: `"relay.published:3"`."""
        self._crash_at = crash_at
        self._crashed = False

    def start(self) -> None:
        self._wanted = True
        self._supervisor = asyncio.create_task(self._keep_running())

    async def ready(self, within: float = 30.0) -> float:
        """Wait for 200 from /health/ready; returns the seconds it took since the process was started."""
        try:
            async with asyncio.timeout(within), _http() as client:
                while not await self._is_ready(client):
                    await self._pause()
        except TimeoutError:
            raise ReplicaNotReady(self, f"was not ready within {within} s") from None
        return asyncio.get_running_loop().time() - self._born

    async def crashed(self, within: float = 30.0) -> None:
        """Wait until the crash point it was armed with has ended it."""
        try:
            async with asyncio.timeout(within):
                while not self._crashed:
                    await self._pause()
        except TimeoutError:
            raise CrashPointNotReached(self, f"did not crash within {within} s") from None

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone. The supervisor starts it again."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    def suspend(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    async def stop(self, within: float = 10.0) -> int:
        """SIGTERM, and no restart; returns the exit code. `start` begins anew."""
        self._wanted = False
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within):
                await self._ended()
        except TimeoutError:
            await self.close()
            raise ReplicaDidNotStop(self, f"did not stop within {within} s") from None
        return self.exits[-1]

    async def close(self) -> None:
        """SIGKILL, and no restart. Raises ReplicaDied if it had ended by itself."""
        self._wanted = False
        self._signal(signal.SIGKILL)
        await self._ended()

    def log_tail(self, lines: int = 20) -> str:
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    async def _keep_running(self) -> None:
        while self._wanted:
            self._process = await self._spawn()
            if not self._wanted:  # closed while it was being born
                self._signal(signal.SIGKILL)
            code = await self._process.wait()
            self.exits.append(code)
            self.timeline.note(self.name, "ended", exit_code=code)
            self._crashed |= code == CRASHED
            if self._wanted and code not in PLANNED_DEATHS:
                raise ReplicaDied(self, f"ended by itself with exit code {code}")

    async def _spawn(self) -> asyncio.subprocess.Process | Newborn:
        environment = os.environ | self._environment
        if self._crash_at is not None:
            environment["AFTERCARE_CRASH_AT"], self._crash_at = self._crash_at, None
        self._born = asyncio.get_running_loop().time()
        if self._nursery is not None:
            process: asyncio.subprocess.Process | Newborn
            process = await self._nursery.bear(self._module, environment, self.log)
        else:
            process = await self._execute(environment)
        self.timeline.note(self.name, "started", pid=process.pid)
        return process

    async def _execute(self, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-c", LEASH, self._module,
                env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _signal(self, number: signal.Signals) -> None:
        """To the process and all it started: it leads a session of its own."""
        if self._process is not None and self._process.returncode is None:
            self.timeline.note(self.name, number.name)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        try:
            answer = await client.get(f"http://127.0.0.1:{self.port}/health/ready")
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    async def _pause(self) -> None:
        if self._supervisor is None:
            raise ReplicaNotReady(self, "was never started")
        if (await asyncio.wait({self._supervisor}, timeout=_POLL))[0]:
            self._supervisor.result()
            raise ReplicaNotReady(self, "was stopped")

    async def _ended(self) -> None:
        if self._supervisor is not None:
            await asyncio.shield(self._supervisor)


@asynccontextmanager
async def running(*replicas: Replica) -> AsyncIterator[None]:
    """Start all, wait until all are ready; at the end kill all, and raise if one had died by itself."""
    try:
        for replica in replicas:
            replica.start()
        await asyncio.gather(*(replica.ready() for replica in replicas))
        yield
    finally:
        endings = await asyncio.gather(*(replica.close() for replica in replicas), return_exceptions=True)
    for ending in endings:
        if ending is not None:
            raise ending


def _http() -> httpx.AsyncClient:
    # To load certificates that nothing here uses would take longer than a replica takes to start.
    return httpx.AsyncClient(trust_env=False, verify=False, timeout=1.0)


def free_port() -> int:
    """A loopback port that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
