"""What `shared.outgoing` calls with: httpx, behind errors of our own.

Loaded at the first call, because with its command line httpx weighs 5 MB and takes 0.1 s of a start.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import certifi
import httpx

from shared.outgoing import PATIENCE, Answer, BrokenOff, Forbidden, NotConnected, Unreached

Find = Callable[[str, int], Awaitable[str]]
"""The address to call for a host and a port."""

_PORTS: Final = {"https": 443, "http": 80}


class Wire:
    """A client whose connections go to the addresses that `find` gives."""

    def __init__(self, find: Find) -> None:
        self._find = find
        trusted = ssl.create_default_context()  # what the machine trusts, a house's own authority too
        trusted.load_verify_locations(certifi.where())
        self._client = httpx.AsyncClient(
            verify=trusted,
            timeout=httpx.Timeout(PATIENCE, connect=PATIENCE / 2),
            follow_redirects=False,
            trust_env=False,
            # A connection is known by its address: one that is kept might serve another host's name. Of
            # one limit for all, sinks that hang would take everything; each has a few at a time.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def call(
        self, method: str, url: str, content: bytes, headers: Mapping[str, str], most: int
    ) -> Answer:
        """As `Outgoing.call`, without its end in time."""
        with _in_our_words():
            asked = httpx.URL(url)
            address = await self._find(asked.host, asked.port or _PORTS[asked.scheme])
            request = self._client.build_request(
                method,
                asked.copy_with(host=address),
                content=content,
                headers={**headers, "host": asked.netloc.decode("ascii")},
                extensions={"sni_hostname": asked.raw_host.decode("ascii").strip("[]")},
            )
            answer = await self._client.send(request, stream=True)
            try:
                return Answer(answer.status_code, dict(answer.headers), await _beginning(answer, most))
            finally:
                await answer.aclose()

    async def close(self) -> None:
        await self._client.aclose()


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except httpx.InvalidURL:
        raise Forbidden("this is no address of the web") from None
    except httpx.ConnectTimeout as error:
        raise Unreached from error
    except httpx.ConnectError as error:
        raise NotConnected from error
    except httpx.TimeoutException as error:
        raise TimeoutError from error
    except httpx.HTTPError as error:
        raise BrokenOff from error


async def _beginning(answer: httpx.Response, most: int) -> bytes:
    read = b""
    async for piece in answer.aiter_raw():
        read += piece
        if len(read) >= most:
            break
    return read[:most]
