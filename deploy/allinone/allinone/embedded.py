"""`make run`: the whole suite on one port with a private PostgreSQL, for a first look and for small shops.

This process only keeps two children alive, the database and the services; kill either and it comes back.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Final

from allinone import access, operations
from allinone.children import child
from localservers import local_servers

FOLDER: Final = Path(".aftercare")
DATABASE: Final = "aftercare"


async def run(port: int) -> None:
    """Serve until SIGINT or SIGTERM; the data stay in `.aftercare/` for the next time."""
    ended = until_ended()
    async with local_servers(FOLDER, rabbitmq=False) as servers:
        kept = access.kept_secrets(FOLDER / "secrets")
        os.environ.update(access.database_environment(servers.postgres_url, DATABASE, kept))
        os.environ.update(common_environment(port, kept["secret"]) | {"AFTERCARE_BUS": "memory"})
        await operations.provision_all()
        async for _ in operations.migrate_all():
            pass
        services = child("aftercare", "allinone", port, os.environ, FOLDER)
        await services.start()
        try:
            print(f"Aftercare is at http://127.0.0.1:{port}/ (Ctrl-C stops it)", flush=True)
            await ended.wait()
        finally:
            await services.stop(signal.SIGTERM)


def common_environment(port: int, secret: str) -> dict[str, str]:
    """What every process of a suite on this machine is told, whichever way it runs."""
    return {
        "AFTERCARE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "AFTERCARE_SECRET": secret,
        "AFTERCARE_LOG_LEVEL": os.environ.get("AFTERCARE_LOG_LEVEL", "warning"),
    }


def until_ended() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended
