"""Each fault of the proxy, shown on real connections."""

import asyncio
import json
import random
import secrets
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from chaos.proxy import Direction, FaultProxy

SEED = 7
# Waiting for what must not come; what must come has ten seconds.
A_MOMENT, LONG = 0.1, 10.0


@dataclass
class Peer:
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)  # on, for no time: what is unsent is dropped, and the end is a reset
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


@dataclass
class Server:
    """Hands every connection it accepts to the test, and closes all at the end."""

    port: int
    peers: asyncio.Queue[Peer] = field(default_factory=asyncio.Queue)
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def client(self, proxy: FaultProxy) -> Peer:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        self.opened.append(writer)
        return Peer(reader, writer)

    async def peer(self) -> Peer:
        async with asyncio.timeout(LONG):
            return await self.peers.get()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(0)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.opened.append(writer)
        server.peers.put_nowait(Peer(reader, writer))

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    yield server
    listener.close()
    for writer in server.opened:
        writer.transport.abort()


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", server.port, SEED) as proxy:
        yield proxy


async def connected(proxy: FaultProxy, server: Server) -> tuple[Peer, Peer]:
    """The two ends of a new connection through the proxy."""
    return await server.client(proxy), await server.peer()


async def read(peer: Peer, n_bytes: int = -1) -> bytes:
    async with asyncio.timeout(LONG):
        return await (peer.reader.read() if n_bytes < 0 else peer.reader.readexactly(n_bytes))


async def assert_silent(peer: Peer) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(A_MOMENT):
            await peer.reader.read(1)


async def test_without_faults_bytes_and_ends_pass_unchanged(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    request, answer = random.Random(1).randbytes(3_000_000), random.Random(2).randbytes(3_000_000)
    client.writer.write(request)
    client.writer.write_eof()
    assert await read(peer) == request
    peer.writer.write(answer)
    peer.writer.write_eof()
    assert await read(client) == answer


@pytest.mark.parametrize("n_bytes", [1, 777, 200_000])
async def test_a_cut_lets_exactly_so_many_bytes_through(
    proxy: FaultProxy, server: Server, n_bytes: int
) -> None:
    client, peer = await connected(proxy, server)
    client.writer.write(b"before")
    assert await read(peer, 6) == b"before"
    proxy.cut_after(n_bytes, Direction.DOWN)
    peer.writer.write(bytes(n_bytes + 500))
    assert len(await read(client)) == n_bytes


async def test_a_cut_counts_on_each_connection_and_ends_with_healing(
    proxy: FaultProxy, server: Server
) -> None:
    proxy.cut_after(3, Direction.UP)
    for _ in range(2):
        client, peer = await connected(proxy, server)
        client.writer.write(b"abcdef")
        assert await read(peer) == b"abc"
    spared = await connected(proxy, server)
    proxy.heal()
    for client, peer in (spared, await connected(proxy, server)):
        client.writer.write(b"abcdef")
        assert await read(peer, 6) == b"abcdef"


async def test_a_reset_is_seen_as_a_reset_at_both_ends(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    proxy.reset()
    for end in (client, peer):
        with pytest.raises(ConnectionResetError):
            await read(end)


async def test_a_reset_can_wait_for_a_number_of_bytes(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    proxy.reset(after=4, direction=Direction.UP)
    client.writer.write(b"abc")
    assert await read(peer, 3) == b"abc"
    client.writer.write(b"d")
    assert await read(peer, 1) == b"d"
    with pytest.raises(ConnectionResetError):
        await read(client)


async def test_a_peers_reset_is_passed_on(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    peer.reset()
    with pytest.raises(ConnectionResetError):
        await read(client)


async def test_a_stall_holds_one_way_while_the_other_flows(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    proxy.stall(Direction.UP)
    client.writer.write(b"held")
    for _ in range(50):
        peer.writer.write(b"tick")
        assert await read(client, 4) == b"tick"
    await assert_silent(peer)
    proxy.heal()
    assert await read(peer, 4) == b"held"


async def test_a_stall_holds_up_a_reset_too(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    proxy.stall(Direction.UP)
    client.reset()
    await assert_silent(peer)
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        await read(peer)


async def test_a_stalled_sender_feels_back_pressure(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    proxy.stall(Direction.UP)
    client.writer.write(bytes(64_000_000))  # far more than the kernel keeps
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await client.writer.drain()
    proxy.heal()
    assert len(await read(peer, 64_000_000)) == 64_000_000


async def test_a_server_that_does_not_read_is_felt_by_the_client(proxy: FaultProxy, server: Server) -> None:
    proxy.delay(0.001, direction=Direction.UP)
    client, peer = await connected(proxy, server)
    client.writer.write(bytes(64_000_000))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await client.writer.drain()
    assert len(await read(peer, 64_000_000)) == 64_000_000


async def test_half_open_swallows_and_never_answers(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    proxy.half_open()
    newcomer = await server.client(proxy)
    for end in (client, peer, newcomer):
        end.writer.write(b"into the void")
        await end.writer.drain()
    for end in (client, peer, newcomer):
        await assert_silent(end)
    assert server.peers.empty()


async def test_half_open_hides_that_clients_have_gone(proxy: FaultProxy, server: Server) -> None:
    closer, closer_peer = await connected(proxy, server)
    resetter, resetter_peer = await connected(proxy, server)
    proxy.half_open()
    closer.writer.close()
    resetter.reset()
    for peer in (closer_peer, resetter_peer):
        await assert_silent(peer)


async def test_after_half_open_connections_that_lost_bytes_are_reset(
    proxy: FaultProxy, server: Server
) -> None:
    loser, loser_peer = await connected(proxy, server)
    idler, idler_peer = await connected(proxy, server)
    proxy.half_open()
    orphan = await server.client(proxy)
    loser.writer.write(b"lost")
    await assert_silent(loser_peer)
    proxy.heal()
    for end in (loser, loser_peer, orphan):
        with pytest.raises(ConnectionResetError):
            await read(end)
    idler.writer.write(b"on")
    assert await read(idler_peer, 2) == b"on"


async def test_a_delay_holds_every_chunk_at_least_so_long(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    proxy.delay(0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    client.writer.write(b"ping")
    peer.writer.write(await read(peer, 4))
    await read(client, 4)
    assert loop.time() - began >= 0.1


async def test_delayed_chunks_travel_together_and_in_order(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    proxy.delay(0.2, jitter=0.2)
    sent = [f"{number:04}".encode() for number in range(30)]
    began = asyncio.get_running_loop().time()
    for chunk in sent:
        client.writer.write(chunk)
        await asyncio.sleep(0)
    assert await read(peer, 120) == b"".join(sent)
    assert asyncio.get_running_loop().time() - began < 30 * 0.2  # what one after the other would take


async def test_refused_clients_are_refused_and_the_others_go_on(proxy: FaultProxy, server: Server) -> None:
    client, peer = await connected(proxy, server)
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await server.client(proxy)
    client.writer.write(b"still here")
    assert await read(peer, 10) == b"still here"
    proxy.heal()
    assert proxy.port == port
    await connected(proxy, server)


async def test_clients_of_an_absent_server_are_reset(server: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        async with FaultProxy("127.0.0.1", taken.getsockname()[1], SEED) as proxy:
            client = await server.client(proxy)
            with pytest.raises(ConnectionResetError):
                await read(client)


async def test_closing_the_proxy_ends_its_connections(server: Server) -> None:
    async with FaultProxy("127.0.0.1", server.port, SEED) as proxy:
        client, peer = await connected(proxy, server)
    for end in (client, peer):
        with pytest.raises(ConnectionResetError):
            await read(end)


async def test_the_timeline_tells_faults_and_ends(proxy: FaultProxy, server: Server, tmp_path: Path) -> None:
    client, peer = await connected(proxy, server)
    proxy.cut_after(2, Direction.UP)
    client.writer.write(b"abc")
    assert await read(peer) == b"ab"
    proxy.heal()
    proxy.timeline.write(tmp_path / "timeline.json")
    moments = json.loads((tmp_path / "timeline.json").read_text())["moments"]
    assert [(moment["what"], moment["details"]) for moment in moments] == [
        ("heal", {}),
        ("opened", {"connection": 1}),
        ("cut_after", {"n_bytes": 2, "direction": "client_to_server"}),
        ("cut", {"connection": 1}),
        ("heal", {}),
    ]
    assert [moment["at"] for moment in moments] == sorted(moment["at"] for moment in moments)


async def test_a_cut_within_the_answer_to_a_commit_leaves_only_the_client_in_doubt(postgres_url: str) -> None:
    address, table = urlsplit(postgres_url), f"cut_{secrets.token_hex(4)}"
    direct = await asyncpg.connect(postgres_url)
    await direct.execute(f"CREATE TABLE {table} (id int)")
    async with FaultProxy(address.hostname or "", address.port or 0, SEED) as proxy:
        through = await asyncpg.connect(postgres_url, host=proxy.host, port=proxy.port)
        await through.execute(f"BEGIN; INSERT INTO {table} VALUES (1)")
        proxy.cut_after(1, Direction.DOWN)
        with pytest.raises((asyncpg.PostgresConnectionError, ConnectionError)):
            await through.execute("COMMIT")
    assert await direct.fetchval(f"SELECT count(*) FROM {table}") == 1
    await direct.execute(f"DROP TABLE {table}")
    await direct.close()
