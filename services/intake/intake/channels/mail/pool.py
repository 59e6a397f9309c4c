"""Who reads mails: this process the small ones, a child process with limits all others.

A child is started for the first mail that needs one, and ends when none has come for a minute. One that runs
over its limits is gone, and the mail is kept with its first headers and its source.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from functools import partial
from typing import Any, Final

import structlog

from intake.channels.mail.child import ANSWERED, ASKED
from intake.channels.mail.parser import parse, skim
from intake.channels.mail.value import Mail, Part, Undelivered
from shared.context import ServiceContext

SMALL: Final = 32 * 1024  # bytes; what the worst of so many cost is in test_intake_mail_limits
CHILDREN: Final = 2
CPU_SECONDS: Final = 1.0
MEBIBYTES: Final = 64
PATIENCE: Final = 20.0  # seconds by the wall; a busy machine is not the mail's fault
IDLE: Final = 60.0

log = structlog.get_logger()


class _Gone(Exception):
    """The child ended before it answered."""


class _Child:
    """One process that reads mails, one after the other."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, seconds: float, mebibytes: int) -> _Child:
        arguments = ("-m", "intake.channels.mail.child", str(seconds), str(mebibytes))
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # and no secrets
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
            )
        )

    async def read(self, raw: bytes, host: str) -> Mail:
        """Raises `_Gone`."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        name = host.encode()
        try:
            async with asyncio.timeout(PATIENCE):
                asked.write(ASKED.pack(len(name), len(raw)) + name)
                asked.write(raw)
                await asked.drain()
                (length,) = ANSWERED.unpack(await answers.readexactly(ANSWERED.size))
                return _mail(json.loads(await answers.readexactly(length)))
        except (OSError, EOFError, TimeoutError) as error:
            raise _Gone from error

    def end(self) -> None:
        """At once; it holds nothing that anybody would miss."""
        with suppress(ProcessLookupError):
            self._process.kill()


def _mail(told: dict[str, Any]) -> Mail:
    undelivered = told.pop("undelivered")
    if undelivered is not None:
        undelivered["message_ids"] = tuple(undelivered["message_ids"])
    parts = tuple(Part(**each) for each in told.pop("parts"))
    told |= {name: tuple(told[name]) for name in ("recipients", "answers")}
    return Mail(**told, parts=parts, undelivered=undelivered and Undelivered(**undelivered))


class Reader:
    """Reads mails beside the event loop, whatever they cost."""

    def __init__(
        self, context: ServiceContext | None = None, seconds: float = CPU_SECONDS, mebibytes: int = MEBIBYTES
    ) -> None:
        self._limits = (seconds, mebibytes)
        self._places = asyncio.Semaphore(CHILDREN)
        self._idle: list[_Child] = []
        self._ending: asyncio.TimerHandle | None = None

    @property
    def children(self) -> int:
        """How many wait for work."""
        return len(self._idle)

    async def read(self, raw: bytes, host: str) -> Mail:
        """What it says, else who wrote it about what."""
        if len(raw) <= SMALL:
            return await asyncio.to_thread(partial(parse, raw, host))
        async with self._places:
            try:
                return await self._ask(raw, host)
            except _Gone:
                log.warning("mail_not_understood", bytes=len(raw))
                return await asyncio.to_thread(skim, raw)

    async def _ask(self, raw: bytes, host: str) -> Mail:
        try:
            child = self._idle.pop() if self._idle else await _Child.start(*self._limits)
        except OSError as error:  # no process to be had
            raise _Gone from error
        try:
            mail = await child.read(raw, host)
        except BaseException:  # cut off in the middle, it would answer the next one with this
            child.end()
            raise
        self._idle.append(child)
        self._end_later()
        return mail

    def _end_later(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._ending = asyncio.get_running_loop().call_later(IDLE, self.close)

    def close(self) -> None:
        """End the children that wait for work."""
        for child in self._idle:
            child.end()
        self._idle.clear()
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None


def reader_of(context: ServiceContext) -> Reader:
    """The one reader of this process."""
    return context.keep(Reader)
