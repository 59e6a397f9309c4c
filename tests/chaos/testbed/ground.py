"""A fresh database and virtual host of the toy services, on servers that a proof may kill."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from chaos.databases import fresh, password_of
from localservers.postgres import PostgresServer
from localservers.rabbitmq import RabbitServer
from shared.bus.declare import declare
from shared.clock import clock
from shared.db.provision import role_url
from shared.process.service import Service
from toy.services import TOPOLOGY, keeper, maker

SERVICES = (maker, keeper)


@dataclass(frozen=True)
class Ground:
    """Where one proof happens; `rabbit` is None for the memory bus.

    `name` is that of the database and of the virtual host.
    """

    postgres: PostgresServer
    rabbit: RabbitServer | None
    name: str

    @property
    def broker(self) -> RabbitServer:
        assert self.rabbit is not None, "this proof runs without a broker"
        return self.rabbit

    def database_url(self, role: str) -> str:
        """As that role; "postgres" is the administrator, who may look into every schema."""
        if role == "postgres":
            return f"{self.postgres.url.rpartition('/')[0]}/{self.name}"
        return role_url(self.postgres.url, role, password_of(role), self.name)

    def amqp_url(self, user: str) -> str:
        return self.broker.url_of(user, self.name)


@asynccontextmanager
async def fresh_ground(
    postgres: PostgresServer, rabbit: RabbitServer | None, services: Sequence[Service] = SERVICES
) -> AsyncIterator[Ground]:
    """Provisioned, migrated and declared; gone at the end of the block."""
    await follow(postgres)
    database = await fresh(postgres.url, services)
    ground = Ground(postgres, rabbit, database.name)
    if rabbit is not None:
        await rabbit.add_vhost(ground.name)
        await declare(ground.amqp_url("admin"), TOPOLOGY)
        await rabbit.settle()
    try:
        yield ground
    finally:
        await remove_ground(ground)


async def follow(postgres: PostgresServer) -> None:
    """From here on the clock runs by that server."""
    await clock.sync(lambda: _time(postgres.url))


async def remove_ground(ground: Ground) -> None:
    """Drop the database and the virtual host."""
    await ground.postgres.until_ready()
    connection = await asyncpg.connect(ground.postgres.url)
    try:
        await connection.execute(f"DROP DATABASE {ground.name} WITH (FORCE)")
    finally:
        await connection.close()
    if ground.rabbit is not None:
        await ground.rabbit.until_ready()
        await ground.rabbit.remove_vhost(ground.name)


async def _time(url: str) -> datetime:
    connection = await asyncpg.connect(url)
    try:
        instant: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return instant
    finally:
        await connection.close()
