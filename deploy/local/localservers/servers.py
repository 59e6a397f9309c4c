"""Both servers at once, or those that the environment names."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from localservers.postgres import PostgresServer
from localservers.rabbitmq import RabbitServer
from localservers.server import LocalServer

DATABASE_VARIABLE = "AFTERCARE_ADMIN_DATABASE_URL"
AMQP_VARIABLE = "AFTERCARE_ADMIN_AMQP_URL"


@dataclass(frozen=True)
class Servers:
    """Addresses as administrator ("" if not asked for), and the servers started here (None for others)."""

    postgres_url: str
    rabbitmq_url: str
    postgres: PostgresServer | None
    rabbitmq: RabbitServer | None


@asynccontextmanager
async def local_servers(
    folder: Path,
    postgres: bool = True,
    rabbitmq: bool = True,
    services: Iterable[str] = (),
    temporary: bool = False,
) -> AsyncIterator[Servers]:
    """PostgreSQL and RabbitMQ in `folder`, running until the block ends.

    `temporary`: they start empty, and their data are deleted in the end. `services` get a RabbitMQ user each.
    A server named in the environment is used as it is, and none is started. Raises `ProgramMissing`,
    `FolderInUse`, `ServerFailed`; then neither is left running.
    """
    database_url = os.environ.get(DATABASE_VARIABLE, "") if postgres else ""
    amqp_url = os.environ.get(AMQP_VARIABLE, "") if rabbitmq else ""
    database = PostgresServer(folder / "postgres") if postgres and not database_url else None
    broker = RabbitServer(folder / "rabbitmq", services) if rabbitmq and not amqp_url else None
    async with AsyncExitStack() as ends:

        async def run(server: LocalServer) -> None:
            if temporary:
                await server.remove()
            await server.start()
            ends.push_async_callback(server.remove if temporary else server.stop)

        try:
            async with asyncio.TaskGroup() as starts:
                for server in (database, broker):
                    if server is not None:
                        starts.create_task(run(server))
        except BaseExceptionGroup as failures:
            # Both may fail; one plain reason is what a person can act on.
            raise failures.exceptions[0] from None
        yield Servers(
            postgres_url=database.url if database else database_url,
            rabbitmq_url=broker.url if broker else amqp_url,
            postgres=database,
            rabbitmq=broker,
        )
