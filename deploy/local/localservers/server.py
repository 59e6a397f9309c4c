"""What the private PostgreSQL and the private RabbitMQ share: a folder, a process to keep alive, a life."""

import asyncio
import shutil
import signal
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from localservers.folders import FolderLock
from localservers.keeper import Keeper, ServerFailed, end_leftover

TRIES = 3
RETRY_AFTER_S = 0.5


class LocalServer(ABC):
    """A server in `folder`, which this process has to itself; its data outlive stop, kill and restart.

    `restarts` counts the deaths it was brought back from since `start`; `last_exit` is the exit status of the
    latest (negative: the signal), None if there was none; `pid` is None while it is down.
    """

    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._folders = [self.folder]
        self._lock = FolderLock(self.folder)
        self._keeper: Keeper | None = None
        self._companions: list[Keeper] = []
        self._ports_known = False
        self._choose_ports()

    @property
    def pid(self) -> int | None:
        return self._keeper.pid if self._keeper else None

    @property
    def restarts(self) -> int:
        return self._keeper.restarts if self._keeper else 0

    @property
    def last_exit(self) -> int | None:
        return self._keeper.last_exit if self._keeper else None

    async def start(self) -> None:
        """Return when the server serves. Raises `ProgramMissing`, `FolderInUse`, `ServerFailed`."""
        if self._keeper is not None:
            return
        self._lock.acquire()
        try:
            self._keeper = await self._start_trying()
            self._ports_known = True
        except BaseException:
            await self._clear()
            raise

    async def stop(self) -> None:
        """End it in order; the data stay, and a later `start` has the same address."""
        if self._keeper is not None:
            await self._keeper.stop(self.stop_signal)
        await self._clear()

    async def kill(self) -> None:
        """SIGKILL. Returns when the process is gone; it is restarted at the same address within seconds."""
        if self._keeper is not None:
            await self._keeper.kill()

    async def until_ready(self) -> None:
        """Wait until the server serves, for instance after `kill`. Raises `ServerFailed` if it does not."""
        if self._keeper is not None:
            await self._keeper.until_ready()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def remove(self) -> None:
        """Stop it and delete its data, logs and secrets. Raises `FolderInUse`."""
        await self.stop()
        self._lock.acquire()
        try:
            for pid_file in self.folder.glob("*.pid"):
                await end_leftover(pid_file)
            for folder in self._folders:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        finally:
            self._lock.release()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @abstractmethod
    def _choose_ports(self) -> None:
        """Take other ports: those of before were lost to another process."""

    @abstractmethod
    async def _start(self) -> Keeper:
        """Make the folder ready and start the server, once."""

    async def _clear(self) -> None:
        """After the end of the server, or of a start that failed."""
        await self._end_companions()
        self._keeper = None
        self._lock.release()

    async def _end_companions(self) -> None:
        while self._companions:
            await self._companions.pop().stop()

    async def _start_trying(self) -> Keeper:
        for _ in range(TRIES - 1):
            try:
                return await self._start()
            except ServerFailed as failure:
                if not failure.passing:
                    raise
            await self._end_companions()
            if not self._ports_known:
                self._choose_ports()
            await asyncio.sleep(RETRY_AFTER_S)
        return await self._start()
