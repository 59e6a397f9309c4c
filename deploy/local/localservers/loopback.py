"""Ports on 127.0.0.1: finding free ones, and asking whether a server answers."""

import asyncio
import random
import socket

# Below the range from which Linux (32768) and macOS (49152) take local ports of outgoing connections. There,
# a client that reconnects to a server being restarted can be given the server's own port: it then talks to
# itself, and keeps the port.
PORTS = range(20_000, 32_768)
REPLY_WITHIN_S = 2.0


def free_ports(count: int) -> list[int]:
    """`count` different ports nobody listens on; another process may still take one before the caller."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"fewer than {count} free ports between {PORTS.start} and {PORTS.stop} on 127.0.0.1")


async def answers(port: int, greeting: bytes, reply: bytes) -> bool:
    """Whether the server at `port` answers `greeting` with bytes that begin with `reply`."""
    try:
        async with asyncio.timeout(REPLY_WITHIN_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(greeting)
                return await reader.readexactly(len(reply)) == reply
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
