"""The Python processes that `aftercare run` and `aftercare up` keep alive."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from localservers.keeper import Command, Keeper


def child(title: str, module: str, port: int, environment: Mapping[str, str], folder: Path) -> Keeper:
    """`python -m module`, listening on `port`, restarted when it dies; its log is `folder/<title>.log`."""
    command = Command(
        title=title,
        arguments=(sys.executable, "-m", module),
        environment={**serving(environment), "AFTERCARE_PORT": str(port)},
        log=folder.resolve() / f"{title}.log",
    )
    return Keeper(command, folder.resolve() / f"{title}.pid", lambda: ready(port))


def serving(environment: Mapping[str, str]) -> dict[str, str]:
    """Without what only operators need: who serves must not be able to change schemas or rights."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("AFTERCARE_ADMIN_") and not name.endswith("_OWNER_DATABASE_URL")
    }


async def ready(port: int) -> bool:
    """Whether `/health/ready` on that port says so."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return (await reader.readline()).split()[1:2] == [b"200"]
    except OSError:
        return False
    finally:
        writer.close()
