"""`make run`: the whole suite on one port with a private PostgreSQL, for a first look and for small shops.

This process only keeps two children alive, the database and the services; kill either and it comes back.
"""

from __future__ import annotations

import asyncio
import signal
from importlib import import_module

from allinone.installation import EMBEDDED as FOLDER
from localservers import local_servers


async def run(port: int) -> None:
    """Serve until SIGINT or SIGTERM; the data stay for the next time."""
    ended = until_ended()
    # Our own code takes as long to load as PostgreSQL to start: both at once.
    loading = asyncio.create_task(asyncio.to_thread(import_module, "allinone.opening"))
    async with local_servers(FOLDER, rabbitmq=False) as servers:
        opening = await loading
        await opening.serve(port, servers.postgres_url, ended)
    server = servers.postgres
    kept = f"{FOLDER}/ and {server.home}" if server and server.home != server.folder else f"{FOLDER}/"
    print(f"\nStopped; your data is kept in {kept} and is there again at the next start.", flush=True)


def until_ended() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended
