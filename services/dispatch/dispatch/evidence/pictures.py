"""Photos are read beside the event loop, each in a child process with limits that is gone afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from typing import ClassVar, Final

import structlog

from dispatch.evidence.rules import MOST_PIXELS, Picture
from shared.context import ServiceContext
from shared.errors import AftercareError, Outage

CHILDREN: Final = 2
"""At once: of this process, whatever arrives."""
CPU_SECONDS: Final = 15
MEBIBYTES: Final = 768
"""Beyond an empty process; 64 million pixels with transparency take 256."""
PATIENCE: Final = 60.0  # seconds by the wall; a busy machine is not the photo's fault

log = structlog.get_logger()


class NoPhoto(AftercareError):
    """This is no photo that is read here; send JPEG, PNG or WebP."""

    status: ClassVar = 415


class BrokenPhoto(AftercareError):
    """This photo is cut off or broken; send it again, or take another one."""


class TooManyPixels(AftercareError):
    """This photo has more than {limit} million pixels; send a smaller one."""

    kind = "too_large"


class Darkroom:
    """Makes of what was sent what is kept."""

    def __init__(
        self, context: ServiceContext | None = None, seconds: int = CPU_SECONDS, mebibytes: int = MEBIBYTES
    ) -> None:
        self._limits = (str(seconds), str(mebibytes))
        self._places = asyncio.Semaphore(CHILDREN)

    async def develop(self, raw: bytes) -> Picture:
        """Raises `NoPhoto`, `BrokenPhoto`, `TooManyPixels`; `Outage` where no process is to be had."""
        async with self._places:
            answer = await self._ask(raw)
        head, _, rest = answer.partition(b"\n")
        if not head:  # it ran over its limits
            log.warning("photo_not_understood", bytes=len(raw))
            raise BrokenPhoto
        told = json.loads(head)
        match told.get("problem"):
            case None:
                length = told["content"]
                return Picture(rest[:length], rest[length:], told["width"], told["height"])
            case "not_a_photo":
                raise NoPhoto
            case "too_many_pixels":
                raise TooManyPixels(limit=MOST_PIXELS // 1_000_000)
            case _:
                raise BrokenPhoto

    async def _ask(self, raw: bytes) -> bytes:
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # and no secrets
        arguments = ("-m", "dispatch.evidence.child", *self._limits)
        try:
            child = await asyncio.create_subprocess_exec(
                sys.executable, *arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
            )
        except OSError as error:
            raise Outage(what="a process to read the photo") from error
        try:
            async with asyncio.timeout(PATIENCE):
                answer, _ = await child.communicate(raw)
        except TimeoutError:
            return b""
        finally:
            with suppress(ProcessLookupError):
                child.kill()
        return answer if child.returncode == 0 else b""


def darkroom_of(context: ServiceContext) -> Darkroom:
    """The one of this process."""
    return context.keep(Darkroom)
