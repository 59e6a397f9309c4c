"""The process that opens a suite and ends: what it is told, and what it answers.

It hears two lines on its standard input, the address of the database server and, once the services are
started, an empty one; and it writes two to a pipe, the environment that the services get and, once their
schemas are there, an empty one. All it has to say to people goes where ours goes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from allinone.faults import AlreadyTold, OutOfReach
from localservers.keeper import LEASH, end


class Opener:
    """`aftercare open`, as it runs; each call raises `AlreadyTold` or `OutOfReach` when it failed."""

    def __init__(self, process: asyncio.subprocess.Process, answers: IO[str]) -> None:
        self._process = process
        self._answers = answers

    async def environment(self, postgres_url: str) -> dict[str, str]:
        """What the services of a suite on that server are told."""
        self._tell(postgres_url)
        variables: dict[str, str] = json.loads(await self._answer())
        return variables

    async def prepared(self) -> None:
        """Returns once roles and schemas are as new as the code."""
        await self._answer()

    def welcome(self) -> None:
        """Have it say where everything is, and play the sample day; both go on by themselves."""
        self._tell("")

    @property
    def pid(self) -> int:
        return self._process.pid

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def _answer(self) -> str:
        line = await asyncio.to_thread(self._answers.readline)
        if not line:
            raise await self._failure()
        return line

    async def _failure(self) -> AlreadyTold | OutOfReach:
        code = await self._process.wait()
        if code > 0:
            return AlreadyTold(code)
        return OutOfReach(f"What prepares the database ended too early ({code}); start again, it goes on.")


@asynccontextmanager
async def opener(port: int) -> AsyncIterator[Opener]:
    """Start it; where it still runs at the end of the block, it is ended."""
    reading, writing = os.pipe()
    leash = (os.getpid(), int(signal.SIGKILL), os.geteuid(), os.getegid())
    command = (sys.executable, "-m", "allinone.cli", "open", str(writing))
    with os.fdopen(reading) as answers:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", LEASH), *map(str, leash), *command,
            stdin=subprocess.PIPE, pass_fds=(writing,), env={**os.environ, "PORT": str(port)},
        )  # fmt: skip
        os.close(writing)
        try:
            yield Opener(process, answers)
        finally:
            await end(process)
