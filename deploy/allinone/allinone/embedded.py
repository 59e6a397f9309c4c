"""`make run`: the whole suite on one port with a private PostgreSQL, for a first look and for small shops.

This process only keeps two children alive, the database and the services; kill either and it comes back. What
is done once, at the start, is done by a third that ends: its code would take as much memory as the services'.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from allinone.children import child
from allinone.installation import EMBEDDED as FOLDER
from allinone.installation import recorded
from allinone.opener import Opener, opener
from localservers import local_servers

if TYPE_CHECKING:
    from allinone.fronting import Prepared


async def run(port: int, *, phones: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; the data stay for the next time.

    phones  by TLS on the local network too
    """
    ended = until_ended()
    front = None
    if phones:
        from allinone import fronting  # nobody else pays for what makes certificates

        front = fronting.prepared(port, FOLDER)
        os.environ.update(front.told)  # before others are started, who have to know the address
    # Our own code takes as long to load as PostgreSQL to start: both at once.
    async with opener(port) as opening, local_servers(FOLDER, rabbitmq=False) as servers:
        os.environ.update(await opening.environment(servers.postgres_url))
        await serve(port, opening, ended, front)
    server = servers.postgres
    kept = f"{FOLDER}/ and {server.home}" if server and server.home != server.folder else f"{FOLDER}/"
    print(f"\nStopped; your data is kept in {kept} and is there again at the next start.", flush=True)


async def serve(port: int, opening: Opener, ended: asyncio.Event, front: Prepared | None = None) -> None:
    """All five services as one process, until `ended`; `front` is what lets telephones in."""
    services = child("aftercare", "allinone", port, os.environ, FOLDER)
    with recorded(FOLDER):
        try:
            # The services load their code meanwhile, and wait for their schemas.
            await asyncio.gather(services.start(), opening.prepared())
            opening.welcome()
            if front:
                await front.keeper.start()
                print(front.shown(), flush=True)
            await ended.wait()
        finally:
            if front:
                await front.keeper.stop(signal.SIGTERM)
            await services.stop(signal.SIGTERM)


def until_ended() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended
