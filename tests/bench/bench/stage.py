"""What a figure plays on: fresh databases, fresh virtual hosts, services as processes of their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import aio_pika
import asyncpg

import bench
import chaos
import toy
from allinone.access import NAMES
from chaos.processes import Replica, free_port
from localservers.postgres import PostgresServer
from localservers.rabbitmq import RabbitServer
from shared.bus.declare import declare
from shared.bus.topology import Topology
from shared.clock import clock, uuid7
from shared.db.provision import PasswordOf, provision, role_url
from shared.process.service import Service

UrlOf = Callable[[str], str]
"""The URL by which a service, given by name, connects."""

SERVICES: Final = ("maker", "keeper", *NAMES)


@dataclass(frozen=True, slots=True)
class Stage:
    """One PostgreSQL and one RabbitMQ with default durability, and a folder for logs.

    quick        everything small, to see that it works: its figures say nothing
    password_of  of database roles: they belong to the whole server
    """

    postgres_url: str
    rabbit: RabbitServer
    folder: Path
    quick: bool
    password_of: PasswordOf

    async def database(self, *services: Service) -> UrlOf:
        """A new database with the migrated schemas of `services`."""
        name = f"bench_{uuid7().hex}"
        await provision(self.postgres_url, name, [each.name for each in services], self.password_of)

        def url_of(role: str) -> str:
            return role_url(self.postgres_url, role, self.password_of(role), name)

        for service in services:
            await service.history.upgrade(url_of(f"{service.name}_owner"))
        return url_of

    async def vhost(self, topology: Topology) -> UrlOf:
        """A new virtual host with the queues of `topology`."""
        name = f"bench_{uuid7().hex}"
        await self.rabbit.add_vhost(name)

        def url_of(user: str) -> str:
            return self.rabbit.url_of(user, name)

        await declare(url_of("admin"), topology)
        return url_of

    def replica(self, module: str, **environment: str) -> Replica:
        """`python -m module`, one process; start it with `chaos.processes.running`."""
        port = free_port()
        folders = [str(Path(package.__path__[0]).parent) for package in (bench, toy, chaos)]
        settings = {"AFTERCARE_PORT": str(port), "PYTHONPATH": os.pathsep.join(folders), **environment}
        return Replica(f"{module}-{port}", module, port, self.folder, environment=settings)

    async def admin(self, url: str) -> asyncpg.Connection:
        """An administrator's connection to the database that `url` names."""
        name = url.rpartition("/")[2]
        server = self.postgres_url.rpartition("/")[0]
        return await asyncpg.connect(f"{server}/{name}")


@asynccontextmanager
async def own_stage(quick: bool) -> AsyncIterator[Stage]:
    """Servers started for this, with nobody else on them; removed in the end."""
    with TemporaryDirectory(prefix="aftercare-bench-") as name:
        folder = Path(name)
        postgres, rabbit = PostgresServer(folder / "postgres"), RabbitServer(folder / "rabbitmq", SERVICES)
        try:
            await asyncio.gather(postgres.start(), rabbit.start())
            yield Stage(postgres.url, rabbit, folder, quick, lambda role: f"bench-{role}")
        finally:
            await asyncio.gather(postgres.remove(), rabbit.remove())


def pid_of(replica: Replica) -> int:
    """Of its latest start."""
    return next(
        int(str(moment.details["pid"]))
        for moment in reversed(replica.timeline.moments)
        if moment.what == "started"
    )


async def sync_clock(postgres_url: str) -> None:
    """Set this process's clock by the database's."""
    connection = await asyncpg.connect(postgres_url)
    try:
        await clock.sync(lambda: connection.fetchval("SELECT clock_timestamp()"))
    finally:
        await connection.close()


async def broker_version(url: str) -> str:
    """As the broker states it to whoever connects."""
    async with await aio_pika.connect(url) as connection:
        transport = connection.transport
        assert transport is not None
        return str(transport.connection.server_properties["version"])
