"""HTTP load by wrk (Debian: `apt-get install wrk`), which costs far less than what it measures."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Final

from bench.figure import Numbers
from shared.clock import uuid7

SCRIPT: Final = Path(__file__).with_name("post.lua")
PATIENCE: Final = "--timeout=20s"  # what is slower than wrk's own 2 s is slow, not failed


class WrkMissing(Exception):
    """The load generator wrk is not here; on Debian: apt-get install wrk."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class RequestsFailed(Exception):
    """Some requests were not answered with a success, so the figure would be of something else."""


async def post(
    url: str,
    clients: int,
    seconds: float,
    body: str,
    token: str = "-",
    *,
    scheme: str = "Bearer",
    content_type: str = "application/json",
) -> Numbers:
    """Let `clients` POST new things to `url`, each its next when it has its answer.

    In `body`, $key, $number and $digits (nine) stand for what differs from one to the next.
    """
    load = ("-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", PATIENCE)
    output = await _wrk(
        *load, "-s", str(SCRIPT), url, "--", uuid7().hex, f"{scheme} {token}", body, content_type
    )
    return _numbers(url, output)


async def post_signed(url: str, clients: int, seconds: float, header: str, file: Path) -> Numbers:
    """The same with bodies that are signed beforehand: each line of `file` a signature, a tab and a body."""
    load = ("-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", PATIENCE)
    script = SCRIPT.with_name("signed.lua")
    return _numbers(url, await _wrk(*load, "-s", str(script), url, "--", header, str(file)))


def _numbers(url: str, output: str) -> Numbers:
    told = json.loads(output.splitlines()[-1])
    if told["failed"] or not told["requests"]:
        raise RequestsFailed(f"{url}: {told['failed']} of {told['requests']} requests failed\n{output}")
    return {
        "requests/s": told["requests"] / told["microseconds"] * 1e6,
        "p50 ms": told["p50"] / 1000,
        "p99 ms": told["p99"] / 1000,
    }


def find_wrk() -> str:
    """The program; raises `WrkMissing`."""
    program = shutil.which("wrk")
    if program is None:
        raise WrkMissing
    return program


async def wrk_version() -> str:
    """`debian/4.1.0-3+b2`, as it says itself."""
    return (await _wrk("-v")).split()[1] if shutil.which("wrk") else "none"


async def _wrk(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        find_wrk(), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return output.decode()
