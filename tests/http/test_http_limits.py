"""How much may come, how slowly, and in which form: at our doors and behind the real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import uvicorn

from shared.http.clean import MalformedRequest, check_headers
from shared.http.limits import BodyTooLarge, BodyTooSlow, Deadlines, Limits
from shared.http.refusal import Protocol

if TYPE_CHECKING:
    from doors import Toy

MEBIBYTE = 1024 * 1024


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(128):  # 8 MiB: as good as endless, but a test ends
        yield b"x" * 65536


@pytest.mark.parametrize("path", ["/toy/things", "/toy/raw", "/toy/forms"])
async def test_a_body_without_end_is_cut_off(toy: Toy, path: str) -> None:
    kind = {"/toy/forms": "application/x-www-form-urlencoded"}.get(path, "application/json")
    async with toy.client() as client:
        answer = await client.post(path, content=_endless(), headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/body-too-large")


async def test_a_route_may_take_more(toy: Toy) -> None:
    body = b"x" * (MEBIBYTE + 1)
    async with toy.client() as client:
        assert (await client.post("/toy/raw", content=body)).status_code == 413
        assert (await client.post("/toy/files", content=body)).json() == len(body)
        assert (await client.post("/toy/files", content=body * 2)).status_code == 413


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def never() -> Any:
        await asyncio.Event().wait()

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def nowhere(message: Any) -> None: ...

    scope = {"type": "http", "path": "/", "query_string": b"", "headers": [], "state": {}}
    with pytest.raises(BodyTooSlow):
        await _soon(Limits(reading, slowest_body=0.01)(scope, never, nowhere))


async def _soon(work: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> Any:
    """The result of `work`, which must come without anybody cancelling it."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
    return task.result()


async def test_a_body_that_is_announced_too_large_is_not_read_at_all() -> None:
    async def reading(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def unwanted(*_: Any) -> Any:
        pytest.fail("began to read")

    headers = [(b"content-length", b"1048577")]
    scope = {"type": "http", "path": "/", "query_string": b"", "headers": headers, "state": {}}
    with pytest.raises(BodyTooLarge):
        await Limits(reading)(scope, unwanted, unwanted)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        [(b"content-length", b"+1")],
        [(b"content-length", b"")],
        [(b"content-length", "１".encode())],
    ],
)
def test_lengths_are_checked_even_if_the_server_did_not(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(MalformedRequest):
        check_headers({"headers": headers})


async def test_being_cancelled_while_waiting_for_a_body_is_not_mistaken_for_slowness() -> None:
    deadlines = Deadlines(0.01)

    async def never() -> Any:
        await asyncio.Event().wait()

    waiting = asyncio.create_task(deadlines.wait_for(never))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_one_timer_serves_those_that_began_later() -> None:
    deadlines = Deadlines(0.4)
    answer = asyncio.get_running_loop().create_future()

    async def never() -> Any:
        await asyncio.Event().wait()

    async def late() -> Any:
        return await answer

    first = asyncio.create_task(deadlines.wait_for(never))
    await asyncio.sleep(0.2)
    second = asyncio.create_task(deadlines.wait_for(late))
    with pytest.raises(BodyTooSlow):
        await _soon(first)
    answer.set_result({"type": "http.request"})
    assert await second == {"type": "http.request"}


@pytest_asyncio.fixture
async def port(toy: Toy) -> AsyncIterator[int]:
    """The toy service behind the server of production."""
    config = uvicorn.Config(toy.app, port=0, log_config=None, access_log=False, lifespan="off", http=Protocol)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 12\r\nContent-Length: 13",
        "Content-Length: 12\r\nContent-Length: 12",
        "Content-Length: 12\r\nTransfer-Encoding: chunked",
        "Content-Length: -1",
        "Content-Length: +12",
        "Content-Length: 0x0c",
        "Content-Length: 12, 12",
        "Content-Length: 1_2",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Content-Length : 12",
        "X-Name: a\x00b\r\nContent-Length: 12",
        "X-Name: a\rX-Other: b\r\nContent-Length: 12",
        " Content-Length: 12",
    ],
)
async def test_what_two_servers_could_read_differently_is_refused(toy: Toy, port: int, head: str) -> None:
    answer = await _raw(
        port,
        f"POST /toy/things HTTP/1.1\r\nHost: toy\r\nAuthorization: Bearer {toy.token()}\r\n"
        f'Content-Type: application/json\r\nConnection: close\r\n{head}\r\n\r\n{{"name":"x"}}',
    )
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 422", b"HTTP/1.1 411")) or answer == b"", answer
    assert await toy.names() == []


@pytest.mark.parametrize(
    ("head", "status", "slug"),
    [
        ("FOO /toy/open HTTP/1.1", 501, "unknown-method"),
        ("nonsense", 501, "unknown-method"),
        ("GET /toy/open HTTP/1.1\r\nContent-Length: -1", 400, "not-http"),
        ("GET /toy/open HTTP/9.9", 400, "not-http"),
        ("GET http:// HTTP/1.1", 400, "not-http"),
        (f"GET /toy/{'x' * 90_000} HTTP/1.1", 414, "target-too-long"),
    ],
)
async def test_what_the_server_itself_refuses_is_a_problem_too(
    port: int, head: str, status: int, slug: str
) -> None:
    answer, _, body = (await _raw(port, f"{head}\r\n\r\n")).partition(b"\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\ncontent-type: application/problem+json\r\n" in answer
    assert (json.loads(body)["type"], json.loads(body)["status"]) == (f"/problems/{slug}", status)
    assert len(body) < 300


async def test_the_same_request_written_properly_is_accepted(toy: Toy, port: int) -> None:
    """So the test above refuses for the reason it says."""
    answer = await _raw(
        port,
        f"POST /toy/things HTTP/1.1\r\nHost: toy\r\nAuthorization: Bearer {toy.token()}\r\n"
        'Content-Type: application/json\r\nConnection: close\r\nContent-Length: 12\r\n\r\n{"name":"x"}',
    )
    assert answer.startswith(b"HTTP/1.1 201"), answer


async def test_chunks_without_end_are_cut_off_by_the_server_too(toy: Toy, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /toy/things HTTP/1.1\r\nHost: toy\r\nAuthorization: Bearer {toy.token()}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    sent = 0
    try:
        async with asyncio.timeout(10):
            while sent < 8 * MEBIBYTE and not reader.at_eof():
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await writer.drain()
                sent += 65536
                await asyncio.sleep(0)
    except ConnectionError:
        pass
    assert (await reader.read(12)) in (b"HTTP/1.1 413", b"")
    writer.close()


async def _raw(port: int, request: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode("latin-1"))
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer
