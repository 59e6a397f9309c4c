"""`make up` and `make down`: the real thing on one machine.

Five processes, each with its own database role and its own RabbitMQ user, one PostgreSQL, one RabbitMQ, and
one address in front of all. One keeper process in the background restarts whatever dies.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Final

from allinone import access, operations, schemas
from allinone.children import child, ready
from allinone.embedded import until_ended
from allinone.installation import FULL as FOLDER
from allinone.installation import recorded
from allinone.opening import DATABASE, common_environment
from allinone.packages import PACKAGES
from localservers import local_servers
from localservers.keeper import Keeper, leftover, started_at
from localservers.loopback import free_ports

PID_FILE: Final = FOLDER / "keeper.pid"
START_WITHIN_S: Final = 180.0
POLL_S: Final = 0.1


class NotStarted(Exception):
    """The suite did not come up; the end of its log says why."""


async def keep(port: int) -> None:
    """Start everything in order, keep it alive until SIGTERM, stop it in the opposite order."""
    ended = until_ended()
    FOLDER.mkdir(parents=True, exist_ok=True)
    PID_FILE.write_text(f"{os.getpid()} {started_at(os.getpid())}")
    async with AsyncExitStack() as stack:
        stack.callback(PID_FILE.unlink, missing_ok=True)
        servers = await stack.enter_async_context(local_servers(FOLDER, services=access.NAMES))
        kept = access.kept_secrets(FOLDER / "secrets")
        os.environ.update(access.database_environment(servers.postgres_url, DATABASE, kept))
        os.environ.update(common_environment(port, kept["secret"]))
        os.environ["AFTERCARE_ADMIN_AMQP_URL"] = servers.rabbitmq_url
        for name in access.NAMES:
            url = servers.rabbitmq.url_of(name) if servers.rabbitmq else servers.rabbitmq_url
            # On a broker that was there before each service may have a user of its own.
            os.environ.setdefault(f"AFTERCARE_{name.upper()}_AMQP_URL", url)
        await schemas.provision_all()
        async for _ in schemas.migrate_all():
            pass
        await operations.declare_topology()
        if servers.rabbitmq:
            await servers.rabbitmq.settle()
        ports = dict(zip(access.NAMES, free_ports(len(access.NAMES)), strict=True))
        os.environ["AFTERCARE_GATEWAY"] = ",".join(f"{name}={number}" for name, number in ports.items())
        stack.enter_context(recorded(FOLDER))
        services = [child(name, PACKAGES[name], ports[name], os.environ, FOLDER) for name in access.NAMES]
        await asyncio.gather(*(each.start() for each in services))
        stack.push_async_callback(stop, services)
        gateway = child("gateway", "allinone.gateway", port, os.environ, FOLDER)
        await gateway.start()
        stack.push_async_callback(gateway.stop, signal.SIGTERM)
        await ended.wait()


async def stop(services: Iterable[Keeper]) -> None:
    """All at once: each has its own work to finish."""
    await asyncio.gather(*(each.stop(signal.SIGTERM) for each in services))


def up(port: int) -> None:
    """Start the keeper in the background and return when every service is ready; raises `NotStarted`."""
    if leftover(PID_FILE) is not None:
        raise NotStarted("it is running already; `make down` stops it")
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / "keeper.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "allinone.cli", "keep"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PORT": str(port)},
            start_new_session=True,
        )
    waiting = time.monotonic() + START_WITHIN_S
    while not asyncio.run(ready(port)):
        if keeper.poll() is not None or time.monotonic() > waiting:
            raise NotStarted(f"it did not start; the end of {log}:\n{log.read_text()[-2000:]}")
        time.sleep(POLL_S)


def down() -> bool:
    """Stop what `up` started; whether there was anything."""
    pid = leftover(PID_FILE)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    while leftover(PID_FILE) is not None:
        time.sleep(POLL_S)
    return True
