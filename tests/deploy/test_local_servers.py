"""Real PostgreSQL and RabbitMQ of our own: start anywhere, listen to nobody else, come back, leave nothing behind."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelAccessRefused
from localservers import PostgresServer, RabbitServer, local_servers, postgres_programs
from localservers.folders import FolderInUse
from localservers.install import RabbitmqMissing
from localservers.keeper import started_at
from localservers.loopback import answers
from localservers.postgres import GREETING
from localservers.postgres_programs import PostgresMissing

QUORUM = {"x-queue-type": "quorum"}
PATIENCE_S = 30
SERVE = """
import asyncio, sys
from pathlib import Path
from localservers import local_servers

async def main():
    async with local_servers(Path(sys.argv[1]), services=["dispatch"]) as servers:
        print(servers.postgres_url, servers.rabbitmq_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")


@pytest.fixture(autouse=True)
def no_named_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here our own are tested, also where the rest of the suite runs on servers the environment names."""
    for variable in ("AFTERCARE_ADMIN_DATABASE_URL", "AFTERCARE_ADMIN_AMQP_URL", "AFTERCARE_POSTGRES_BIN"):
        monkeypatch.delenv(variable, raising=False)


@contextlib.asynccontextmanager
async def served(folder: Path, *runner: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that runs both servers in `folder`, with nothing in its environment but what is given."""
    process = await asyncio.create_subprocess_exec(
        *(runner or (sys.executable,)), "-c", SERVE, str(folder),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd="/",
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def addresses(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """The two URLs that a `served` process prints once its servers run."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 120)).decode()
    assert line, "the process ended before its servers ran"
    postgres_url, rabbitmq_url = line.split()
    return postgres_url, rabbitmq_url


def descendants(pid: int) -> set[int]:
    """All processes below `pid` that have not ended."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found, layer = set[int](), {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer}
        found |= layer
    return {each for each in found if started_at(each) is not None}


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """The addresses and ports on which these processes accept TCP connections."""
    sockets = {
        os.readlink(link)
        for pid in pids
        for link in Path(f"/proc/{pid}/fd").glob("*")
        if link.is_symlink()
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                address, _, port = fields[1].partition(":")
                found.add((address, int(port, 16)))
    return found


async def all_ended(pids: set[int]) -> None:
    """Wait until none of the processes runs any more."""
    async with asyncio.timeout(PATIENCE_S):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                await ended(os.pidfd_open(pid))


async def ended(pidfd: int) -> None:
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()
    loop.add_reader(pidfd, signalled.set)
    try:
        await signalled.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


async def write_everywhere(postgres_url: str, rabbitmq_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    await connection.close()
    async with await aio_pika.connect(rabbitmq_url) as broker:
        channel = await broker.channel()
        await channel.declare_queue("kept", durable=True)
        await send(channel, "kept")


async def send(channel: AbstractChannel, queue: str) -> None:
    message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, queue)


async def received(rabbitmq_url: str, queue: str) -> bytes:
    async with await aio_pika.connect(rabbitmq_url) as broker:
        channel = await broker.channel()
        messages: asyncio.Queue[bytes] = asyncio.Queue()
        declared = await channel.get_queue(queue)
        await declared.consume(lambda message: messages.put(message.body), no_ack=True)
        return await asyncio.wait_for(messages.get(), PATIENCE_S)


async def answer(postgres_url: str) -> object:
    connection = await asyncpg.connect(postgres_url)
    try:
        return await connection.fetchval("SELECT answer FROM kept")
    finally:
        await connection.close()


@needs_proc
async def test_a_killed_parent_leaves_nothing_behind_but_its_data(
    tmp_path: Path, postgres: PostgresServer, rabbit: RabbitServer
) -> None:
    async with served(tmp_path) as parent:
        urls = await addresses(parent)
        assert not {str(postgres.port), str(rabbit.port)} & {url.split(":")[3].split("/")[0] for url in urls}
        await write_everywhere(*urls)
        children = descendants(parent.pid)
        opened = listening(children)
        assert {address for address, _ in opened} <= {"0100007F", "0" * 24 + "01000000"}
        assert len({port for _, port in opened}) == 4, "PostgreSQL, AMQP, Erlang distribution, epmd"
        parent.kill()
        await all_ended(children)
    async with local_servers(tmp_path, services=["dispatch"]) as again:
        assert again.postgres is not None
        assert again.rabbitmq is not None
        assert await answer(again.postgres_url) == 42
        assert await received(again.rabbitmq_url, "kept") == b"kept"
        children = descendants(os.getpid())
        await again.rabbitmq.remove()
        await again.postgres.remove()
    assert not again.postgres.data.exists()
    assert not (tmp_path / "rabbitmq").exists()
    theirs = descendants(postgres.pid or 0) | descendants(rabbit.pid or 0) | {postgres.pid, rabbit.pid}
    epmd = {pid for pid in children - theirs if Path(f"/proc/{pid}/comm").exists() and started_at(pid)}
    assert descendants(os.getpid()) & (children - theirs) <= {port_mapper_of(rabbit)}, epmd


def port_mapper_of(rabbit: RabbitServer) -> int:
    return int((rabbit.folder / "epmd.pid").read_text().split()[0])
