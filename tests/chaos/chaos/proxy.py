"""A TCP proxy on loopback that breaks connections on purpose.

It stands between a service and its database or broker. A fault is set by a call that returns at once, acts
on the connections there are and on those to come, and lasts until `heal()`.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Final, Self

from chaos.connection import Connection, Direction, Faults, prepared, tcp_socket
from chaos.timeline import Timeline

__all__ = ["Direction", "FaultProxy"]


class FaultProxy:
    """An async context manager: forwards `host`:`port` (loopback, a free port) to the target, with faults.

    The seed decides the jitter of each connection, whatever the others do. Moments go to `timeline` under
    `name`: each fault with its arguments, each connection with how it ended.
    """

    host: Final = "127.0.0.1"

    def __init__(
        self,
        target_host: str,
        target_port: int,
        seed: int,
        *,
        name: str = "proxy",
        timeline: Timeline | None = None,
    ) -> None:
        self.port = 0
        self.timeline = timeline or Timeline()
        self._target, self._seed, self._name = (target_host, target_port), seed, name
        self._faults = {Direction.UP: Faults(), Direction.DOWN: Faults()}
        self._connections: dict[int, Connection] = {}
        self._accepted = 0
        self._claim = _sharing_its_port()
        self._listener: socket.socket | None = None

    async def __aenter__(self) -> Self:
        # Bound and never listening: keeps the port ours, and refused, while the listener is away.
        self._claim.bind((self.host, 0))
        self.port = self._claim.getsockname()[1]
        self.heal()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_listening()
        self._claim.close()
        ending = [connection.task for connection in self._connections.values()]
        for connection in self._connections.values():
            connection.end("proxy closed", resets=True)
        await asyncio.gather(*ending, return_exceptions=True)

    @property
    def ports(self) -> list[int]:
        """By which it speaks to the target, one for each connection: so that a server can tell them apart."""
        return [connection.port for connection in self._connections.values()]

    def delay(self, seconds: float, jitter: float = 0.0, direction: Direction = Direction.BOTH) -> None:
        """Deliver every chunk `seconds` later, plus up to `jitter` seconds; order is kept."""
        self._note("delay", seconds=seconds, jitter=jitter, direction=direction)
        for one in Direction(direction).each:
            self._faults[one].delay, self._faults[one].jitter = seconds, jitter

    def cut_after(self, n_bytes: int, direction: Direction = Direction.BOTH) -> None:
        """Close both sides of each connection once it has carried `n_bytes` more in one direction."""
        self._note("cut_after", n_bytes=n_bytes, direction=direction)
        self._limit(n_bytes, direction, resets=False)

    def reset(self, after: int | None = None, direction: Direction = Direction.BOTH) -> None:
        """Reset (RST) both sides of all connections now, or of each `after` so many more bytes."""
        self._note("reset", after=after, direction=direction)
        if after is not None:
            self._limit(after, direction, resets=True)
            return
        for connection in self._connections.values():
            connection.end("reset", resets=True)

    def stall(self, direction: Direction = Direction.BOTH) -> None:
        """Forward nothing and keep the connections open; no more is read than the buffer holds (1 MiB)."""
        self._note("stall", direction=direction)
        for one in Direction(direction).each:
            self._faults[one].flowing.clear()

    def half_open(self) -> None:
        """Swallow everything, the ends of connections too; accept new ones and never answer."""
        self._note("half_open")
        for faults in self._faults.values():
            faults.swallows = True

    def refuse(self) -> None:
        """Refuse new connections; those there are go on."""
        self._note("refuse")
        self._stop_listening()

    def heal(self) -> None:
        """Clear all faults. Connections that lost bytes are reset: TCP knows no stream with a hole in it."""
        self._note("heal")
        for faults in self._faults.values():
            faults.clear()
        for connection in self._connections.values():
            for stream in connection.streams.values():
                stream.left = None
            if connection.lost_bytes:
                connection.end("reset: bytes were lost", resets=True)
        self._listen()

    def _limit(self, n_bytes: int, direction: Direction, *, resets: bool) -> None:
        for one in Direction(direction).each:
            self._faults[one].limit, self._faults[one].limit_resets = n_bytes, resets
            for connection in self._connections.values():
                connection.streams[one].left = n_bytes

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = _sharing_its_port()
            self._listener.bind((self.host, self.port))
            self._listener.listen()
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):  # the client may be gone again
            client, _ = listener.accept()
            number = self._accepted = self._accepted + 1
            self._note("opened", connection=number)
            connection = Connection(prepared(client), self._target, self._faults, f"{self._seed}/{number}")
            self._connections[number] = connection
            connection.task.add_done_callback(lambda _: self._forget(number))

    def _forget(self, number: int) -> None:
        self._note(self._connections.pop(number).ended, connection=number)

    def _note(self, what: str, **details: object) -> None:
        self.timeline.note(self._name, what, **details)


def _sharing_its_port() -> socket.socket:
    made = tcp_socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return made
