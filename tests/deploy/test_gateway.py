"""The one address in front of five processes, where it has to answer in their place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from allinone import gateway


async def test_a_body_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "SLOWEST_BODY", 0.01)
    connected = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    async def unfinished() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as service, asyncio.timeout(5):
        app = gateway.build({"intake": service.sockets[0].getsockname()[1]})
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            answer = await client.post("/intake/requests", content=unfinished())
    assert connected.is_set()
    assert (answer.status_code, answer.json()["type"]) == (408, "/problems/body-too-slow")
    assert answer.headers["content-type"] == "application/problem+json"
