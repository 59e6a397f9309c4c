"""On what it was measured."""

from __future__ import annotations

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

BUSY: Final = 1.0  # processes that want to run; with more, what is measured is also what they leave over


def facts() -> dict[str, str]:
    """Processor, memory, system, and how many processes wanted to run in the minute before."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def is_busy(facts: Mapping[str, str]) -> bool:
    """Whether other work was running."""
    return float(facts["load before"]) >= BUSY


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
