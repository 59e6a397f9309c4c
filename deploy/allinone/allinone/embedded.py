"""`make run`: the whole suite on one port with a private PostgreSQL, for a first look and for small shops.

This process only keeps two children alive, the database and the services; kill either and it comes back.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

from allinone import access, operations
from localservers import local_servers
from localservers.keeper import Command, Keeper

FOLDER: Final = Path(".aftercare")
DATABASE: Final = "aftercare"


async def run(port: int) -> None:
    """Serve until SIGINT or SIGTERM; the data stay in `.aftercare/` for the next time."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with local_servers(FOLDER, rabbitmq=False) as servers:
        environment = _environment(servers.postgres_url, port)
        os.environ.update(environment)
        await operations.provision_all()
        async for _ in operations.migrate_all():
            pass
        services = _keeper(port)
        await services.start()
        try:
            print(f"Aftercare is at http://127.0.0.1:{port}/ (Ctrl-C stops it)", flush=True)
            await ended.wait()
        finally:
            await services.stop(signal.SIGTERM)


def _environment(admin_url: str, port: int) -> dict[str, str]:
    kept = access.kept_secrets(FOLDER / "secrets")
    return access.database_environment(admin_url, DATABASE, kept) | {
        "AFTERCARE_BUS": "memory",
        "AFTERCARE_PORT": str(port),
        "AFTERCARE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "AFTERCARE_SECRET": kept["secret"],
        "AFTERCARE_LOG_LEVEL": os.environ.get("AFTERCARE_LOG_LEVEL", "warning"),
    }


def _keeper(port: int) -> Keeper:
    command = Command(
        title="Aftercare",
        arguments=(sys.executable, "-m", "allinone"),
        environment=dict(os.environ),
        log=FOLDER / "aftercare.log",
    )
    return Keeper(command, FOLDER / "aftercare.pid", lambda: _ready(port))


async def _ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return (await reader.readline()).split()[1:2] == [b"200"]
    finally:
        writer.close()
