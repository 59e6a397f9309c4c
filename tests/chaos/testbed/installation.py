"""The product itself, started as `make up` and `make run` start it, its processes within reach of kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self

from pydantic import SecretStr

from allinone import access
from allinone.children import ready
from allinone.opening import DATABASE
from chaos.processes import LEASH
from chaos.schedule import Actor
from chaos.timeline import Timeline
from localservers.keeper import end, leftover, log_tail
from localservers.loopback import free_ports
from localservers.postgres import PostgresServer
from localservers.rabbitmq import RabbitServer
from shared.settings import Settings
from testbed.faults import kill_broker, kill_database
from testbed.ground import Ground, follow, remove_ground

Kill = Callable[[], Awaitable[None]]

READY_WITHIN: Final = 120.0
GONE_WITHIN: Final = 45.0
POLL: Final = 0.05


class NotInstalled(Exception):
    """The suite did not come up, or did not stop in order; the end of its log follows."""


@asynccontextmanager
async def bare_ground(postgres: PostgresServer, rabbit: RabbitServer | None) -> AsyncIterator[Ground]:
    """Servers with nothing on them but a virtual host: the product sets up its own; gone at the end."""
    ground = Ground(postgres, rabbit, DATABASE)
    await follow(postgres)
    if rabbit is not None:
        await rabbit.add_vhost(ground.name)
    try:
        yield ground
    finally:
        await remove_ground(ground)


class Installation:
    """`aftercare keep`, which `make up` leaves running, or without a broker `aftercare run`.

    `processes` are those that its own keeper brings back when they die.
    """

    def __init__(self, ground: Ground, folder: Path, timeline: Timeline) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.ground = ground
        self.timeline = timeline
        five = ground.rabbit is not None
        self.processes: Sequence[str] = (*access.NAMES, "gateway") if five else ("aftercare",)
        self._command = "keep" if five else "run"
        self._folder = folder
        self._state = folder / ".aftercare" / "up" if five else folder / ".aftercare"
        self._log = folder / "keeper.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def logs(self) -> list[Path]:
        return [self._log, *sorted(self._state.glob("*.log"))]

    def settings(self) -> Settings:
        """What tokens of this installation are made with."""
        secret = (self._state / "secrets" / "secret.secret").read_text()
        unused = "postgresql://unused/unused"
        return Settings(database_url=unused, bus="memory", secret=SecretStr(secret), public_url=self.url)

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", LEASH, "allinone.cli", self._command),
                env={**os.environ, **self._environment()}, cwd=self._folder,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            await self.until_ready()
        except BaseException:
            await end(self._process)
            raise
        self.timeline.note("installation", "ready")
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        assert self._process is not None
        ended_before = self._process.returncode is not None
        await end(self._process, signal.SIGTERM, GONE_WITHIN)
        if kind is None and (ended_before or self._process.returncode != 0):
            raise self._failed(f"ended with exit code {self._process.returncode}")

    async def until_ready(self) -> None:
        """Wait until all of it serves."""
        assert self._process is not None
        try:
            async with asyncio.timeout(READY_WITHIN):
                while not await ready(self.port):
                    if self._process.returncode is not None:
                        raise self._failed("ended by itself")
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise self._failed(f"was not ready within {READY_WITHIN} s") from None

    async def kill(self, name: str) -> None:
        """SIGKILL one of `processes`; returns when it is gone."""
        file = self._state / f"{name}.pid"
        while (pid := leftover(file)) is None:  # noqa: ASYNC110 (the keeper gives us no signal)
            await asyncio.sleep(POLL)
        self.timeline.note(name, "SIGKILL", pid=pid)
        os.kill(pid, signal.SIGKILL)
        while leftover(file) == pid:  # noqa: ASYNC110
            await asyncio.sleep(POLL)

    def deaths(self, under_way: Callable[[int], Awaitable[None]]) -> Mapping[str, Actor]:
        """kill -9 of the servers and of each process, `after` so much is under way."""
        kills: dict[str, Kill] = {"database killed": partial(kill_database, self.ground)}
        if self.ground.rabbit is not None:
            kills["broker killed"] = partial(kill_broker, self.ground)
        kills |= {f"{name} killed": partial(self.kill, name) for name in self.processes}

        def later(kill: Kill) -> Actor:
            async def begin(after: int) -> None:
                await under_way(after)
                self.timeline.note("installation", "under way", accepted=after)
                await kill()

            return Actor(begin)

        return {name: later(kill) for name, kill in kills.items()}

    def _failed(self, situation: str) -> NotInstalled:
        return NotInstalled(f"aftercare {self._command} {situation}\n{log_tail(self._log, 0)}")

    def _environment(self) -> dict[str, str]:
        """The servers that the proof may kill; all else the product makes up itself."""
        told = {
            "PORT": str(self.port),
            "DEMO": "0",
            "AFTERCARE_ADMIN_DATABASE_URL": self.ground.postgres.url,
        }
        if self.ground.rabbit is None:
            return told
        users = {f"AFTERCARE_{name.upper()}_AMQP_URL": self.ground.amqp_url(name) for name in access.NAMES}
        return told | users | {"AFTERCARE_ADMIN_AMQP_URL": self.ground.amqp_url("admin")}
