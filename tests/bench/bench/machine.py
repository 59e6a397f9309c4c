"""On what it was measured."""

from __future__ import annotations

import asyncio
import os
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

import asyncpg

from bench.load import wrk_version
from bench.stage import Stage, broker_version
from chaos import result

LOOK, QUICK_LOOK = 5.0, 0.1  # seconds
BUSY: Final = 0.3  # cores; with more, what is measured is also what others leave over


async def facts(look: float) -> dict[str, str]:
    """Processor, memory, system, and how many cores are busy while this process waits `look` seconds."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "cores busy before": f"{await _busy_cores(look):.2f}",
    }


def is_busy(facts: Mapping[str, str]) -> bool:
    """Whether other work was running."""
    return float(facts["cores busy before"]) >= BUSY


async def _busy_cores(seconds: float) -> float:
    """Not the load average: for a minute that also counts the figure before. Linux only."""
    before = _ticks()
    await asyncio.sleep(seconds)
    idle, all = (later - earlier for later, earlier in zip(_ticks(), before, strict=True))
    return (1 - idle / all) * (os.cpu_count() or 1)


def _ticks() -> tuple[int, int]:
    """Of all cores since the start: idle ones (waiting for a disk is idle too), and all."""
    first, _, _ = Path("/proc/stat").read_text().partition("\n")
    ticks = [int(each) for each in first.split()[1:9]]  # what guests took is within the first two
    return ticks[3] + ticks[4], sum(ticks)


def _processor() -> str:
    with suppress(OSError):
        if found := re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text()):
            return found[1]
    return platform.processor()


async def versions(stage: Stage) -> dict[str, str]:
    """Of the servers, the libraries and the load generator."""
    connection = await asyncpg.connect(stage.postgres_url)
    try:
        found = await result.versions(connection, await broker_version(stage.rabbit.url))
    finally:
        await connection.close()
    return found | {
        "uvloop": version("uvloop"),
        "httptools": version("httptools"),
        "wrk": await wrk_version(),
    }
