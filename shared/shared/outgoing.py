"""Calls to addresses that people typed in and to providers: never into the house by accident, never for long.

A host is looked up once, every address it has is checked, and the connection goes to the address that was
checked, so that a name cannot point elsewhere a moment later. Redirects are not followed. `shared.wire`
does the calls, with a library that no process needs before its first one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from shared.wire import Wire

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
T = TypeVar("T")

PATIENCE: Final = 10.0  # seconds for one call, all of it
_READ: Final = 2_000  # bytes of an answer; nobody needs more to see what is wrong
_NAT64: Final = ip_network("64:ff9b::/96")
_PUBLIC: Final = ip_network("2000::/3")  # whatever else there is of IPv6 leads to nobody, or into the house


class Forbidden(Exception):
    """This address may not be called; the operator can allow it (AFTERCARE_ALLOWED_HOSTS)."""


class Unreached(TimeoutError):
    """Nobody told in time where the host is, or nobody is there: nothing has been sent."""


class NotConnected(OSError):
    """There is no connection to be had: nothing has been sent."""


class BrokenOff(Exception):
    """The connection broke, or what came over it made no sense: what was sent may have arrived."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the headers, and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Allowed:
    """Hosts by name and networks that may be called without TLS and inside of the house."""

    names: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    def read(cls, listed: str) -> Allowed:
        """From the setting: names, addresses and networks, separated by commas."""
        names: set[str] = set()
        networks: list[Network] = []
        for each in filter(None, (part.strip().lower() for part in listed.split(","))):
            try:
                networks.append(ip_network(each))
            except ValueError:
                names.add(each)
        return cls(frozenset(names), tuple(networks))

    def host(self, host: str) -> bool:
        """Whether a host may be called though it is inside, or without TLS."""
        address = _address(host)
        return host.lower() in self.names if address is None else self.address(address)

    def address(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


class Outgoing:
    """The one way by which services reach others."""

    def __init__(self, allowed: Allowed, public_url: str = "") -> None:
        self.allowed = allowed
        self.public_url = public_url.rstrip("/")
        self._wire: Wire | None = None

    def check_url(self, url: str) -> None:
        """`Forbidden` for what could never be called, whatever its host's addresses turn out to be."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise Forbidden("this is no address of the web") from None
        if parts.scheme not in ("https", "http") or not host or port == 0 or parts.fragment:
            raise Forbidden("an address begins with https:// and names a host")
        if parts.username is not None or parts.password is not None:
            raise Forbidden("a name and password do not belong into an address")
        self.check_host(host, encrypted=parts.scheme == "https")

    def check_host(self, host: str, *, encrypted: bool) -> None:
        """`Forbidden` when a host may only be called with TLS, or not at all."""
        if self.allowed.host(host):
            return
        if not encrypted:
            raise Forbidden(f"{host} may be called with TLS only, or the operator allows it")
        address = _address(host)
        if address is not None and _inside(address):
            raise Forbidden(f"{host} is inside of the house; the operator may allow it")

    async def find(self, host: str, port: int) -> str:
        """An address of `host` that may be called; `Forbidden` when any of its addresses may not."""
        found = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        if not self.allowed.host(host):
            for address in addresses:
                if _inside(address) and not self.allowed.address(address):
                    raise Forbidden(f"{host} is inside of the house; the operator may allow it")
        return str(addresses[0])

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Post to a checked address; raises like `call`."""
        return await self.call("POST", url, content, headers)

    async def call(
        self, method: str, url: str, content: bytes, headers: Mapping[str, str], most: int = _READ
    ) -> Answer:
        """Call a checked address, for `PATIENCE` seconds.

        Raises `Forbidden`, `BrokenOff`, `TimeoutError`, `OSError`.
        `Unreached` and each `OSError` that is no `TimeoutError` say that nothing was sent.
        At most about `most` bytes of the answer are read.
        """
        self.check_url(url)
        async with asyncio.timeout(PATIENCE):
            return await self._opened().call(method, url, content, headers, most)

    async def _found_soon(self, host: str, port: int) -> str:
        try:
            async with asyncio.timeout(PATIENCE / 2):
                return await self.find(host, port)
        except TimeoutError:
            raise Unreached from None

    async def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    def _opened(self) -> Wire:
        if self._wire is None:
            from shared.wire import Wire

            self._wire = Wire(self._found_soon)
        return self._wire


def pause(first: timedelta, longest: timedelta, number: int, chance: float) -> timedelta:
    """How long to wait after the failure of this number, from 1: it doubles up to `longest`.

    `chance` (0 to 1) takes away up to half of it, so that many do not come at once.
    """
    whole = min(longest, first * int(2 ** min(number - 1, 20)))
    return whole * (1 - chance / 2)


async def in_thread(work: Callable[[], T]) -> T:
    """Run what blocks in a thread of its own, which nobody waits for once the time is over.

    Not in the pool of the event loop: a few that hang would keep all others from being looked up.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            _settle(loop, done, partial(done.set_exception, error))
        else:
            _settle(loop, done, partial(done.set_result, result))

    Thread(target=run, name="outgoing", daemon=True).start()
    return await done


def _settle(loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], settle: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop has been closed meanwhile
        loop.call_soon_threadsafe(lambda: None if done.done() else settle())


def _address(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _inside(address: Address) -> bool:
    """Whether an address is not one of the public internet, in whatever clothes it comes."""
    if isinstance(address, IPv6Address):
        worn = address.ipv4_mapped or address.sixtofour
        if worn is None and address in _NAT64:
            worn = IPv4Address(int(address) & 0xFFFFFFFF)
        if worn is not None:
            return _inside(worn)
        if address not in _PUBLIC:
            return True
    return not address.is_global or address.is_multicast
