"""The one address in front of five processes, where it has to answer in their place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


@asynccontextmanager
async def dying_after(said: bytes) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway, whose service says this much and is gone."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as service, asyncio.timeout(5):
        transport = httpx.ASGITransport(gateway.build({"intake": service.sockets[0].getsockname()[1]}))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 66\r\n\r\n{"])
async def test_a_service_that_dies_while_it_answers_is_restarting(said: bytes) -> None:
    async with dying_after(said) as client:
        answer = await client.get("/intake/requests")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/service-restarting")


async def test_an_event_stream_ends_with_its_service() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    async with dying_after(head + b"8\r\ndata: 1\n\r\n") as client:
        assert (await client.get("/intake/live")).text == "data: 1\n"


async def test_any_other_answer_that_breaks_off_does_not_look_whole() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n"
    async with dying_after(head + b"4\r\na,b\n\r\n") as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/intake/exports")
