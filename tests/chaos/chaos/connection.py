"""One proxied connection: two streams, each with the faults of its direction."""

import asyncio
import random
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Never

CHUNK: Final = 64 * 1024
IN_FLIGHT: Final = 16  # chunks held per direction while delayed; beyond that the sender feels back-pressure
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds


class Direction(StrEnum):
    UP = "client_to_server"
    DOWN = "server_to_client"
    BOTH = "both"

    @property
    def each(self) -> tuple["Direction", ...]:
        return (Direction.UP, Direction.DOWN) if self is Direction.BOTH else (self,)


@dataclass
class Faults:
    """What is wrong with one direction at the moment, on every connection of a proxy."""

    delay: float = 0.0
    jitter: float = 0.0
    limit: int | None = None  # bytes that each connection may carry, from when the limit is set
    limit_resets: bool = False
    swallows: bool = False
    flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def clear(self) -> None:
        self.delay = self.jitter = 0.0
        self.limit = None
        self.swallows = False
        self.flowing.set()


class Connection:
    """A client, the server behind it, and what flows between them until one of them, or a fault, ends it.

    `ended` says how, once `task` is done.
    """

    def __init__(
        self, client: socket.socket, target: tuple[str, int], faults: Mapping[Direction, Faults], seed: str
    ) -> None:
        server = tcp_socket()
        self._sockets, self._target = (client, server), target
        self._orphan = faults[Direction.UP].swallows  # accepted while half-open: nobody will ever answer it
        self._resets = False
        self.ended = "closed"
        self.streams = {
            Direction.UP: _Stream(client, server, faults[Direction.UP], random.Random(f"{seed}/up")),
            Direction.DOWN: _Stream(server, client, faults[Direction.DOWN], random.Random(f"{seed}/down")),
        }
        self.task = asyncio.create_task(self._run())
        self.task.add_done_callback(self._close)

    @property
    def lost_bytes(self) -> bool:
        return self._orphan or any(stream.lost for stream in self.streams.values())

    @property
    def port(self) -> int:
        """Ours, towards the server; 0 before it is connected."""
        port: int = self._sockets[1].getsockname()[1]
        return port

    def end(self, how: str, *, resets: bool) -> None:
        self.ended, self._resets = how, resets
        self.task.cancel()

    async def _run(self) -> None:
        try:
            if self._orphan:
                await _for_ever()
            await asyncio.get_running_loop().sock_connect(self._sockets[1], self._target)
            async with asyncio.TaskGroup() as group:
                for stream in self.streams.values():
                    group.create_task(stream.read())
                    group.create_task(self._write(stream))
        except* OSError as errors:
            self.ended, self._resets = f"passed on: {errors.exceptions[0]}", True

    def _close(self, _: asyncio.Task[None]) -> None:
        for end in self._sockets:
            if self._resets:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            end.close()

    async def _write(self, stream: "_Stream") -> None:
        if not await stream.write():
            resets = stream.faults.limit_resets
            self.end("reset" if resets else "cut", resets=resets)


class _Stream:
    """One direction of one connection: reader, bounded queue of chunks with the time each is due, writer."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, faults: Faults, chance: random.Random
    ) -> None:
        self._source, self._sink, self._chance = source, sink, chance
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)
        self.faults = faults
        self.left = faults.limit
        self.lost = False

    async def read(self) -> None:
        loop, faults = asyncio.get_running_loop(), self.faults
        while True:
            data = await self._receive()
            latency = faults.delay + faults.jitter * self._chance.random()
            await self._queue.put((loop.time() + latency, data))
            if not data:
                return

    async def _receive(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self._source, CHUNK)
        except OSError:  # a reset is held up, or lost, like everything else
            await self.faults.flowing.wait()
            if self.faults.swallows:
                self.lost = True
                await _for_ever()
            raise

    async def write(self) -> bool:
        """Forward until the source ends (True), or the bytes it may still send are used up (False)."""
        loop, faults = asyncio.get_running_loop(), self.faults
        while True:
            due, data = await self._queue.get()
            await asyncio.sleep(due - loop.time())
            await faults.flowing.wait()
            if faults.swallows:
                self.lost = True
            elif not data:
                self._sink.shutdown(socket.SHUT_WR)
                return True
            elif self.left is None:
                await loop.sock_sendall(self._sink, data)
            else:
                allowed, self.left = data[: self.left], max(0, self.left - len(data))
                await loop.sock_sendall(self._sink, allowed)
                if self.left == 0:
                    return False


async def _for_ever() -> Never:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("unreachable")


def tcp_socket() -> socket.socket:
    return prepared(socket.socket(socket.AF_INET, socket.SOCK_STREAM))


def prepared(made: socket.socket) -> socket.socket:
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the only delays are the ones asked for
    return made
