"""A browser that follows a stream of the application, without a server between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from contracts.serving import Served
from shared.http.auth import Role

Event = tuple[str, dict[str, Any]]


def parsed(chunk: bytes) -> list[Event]:
    """The events in what a server sent: name and data."""
    found = []
    for block in chunk.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


@dataclass
class Browser:
    """One open stream: what it was told, and a way to wait for the next thing."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)

    async def next(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                name, data = await self.events.get()
                if name == kind:
                    return data


@asynccontextmanager
async def browsing(
    sample: Served, path: str, *roles: Role, language: str = "en", session: bool = False
) -> AsyncIterator[Browser]:
    """A browser at `path` of the real application; leaves at the end of the block."""
    browser, answered, left = Browser(), asyncio.Event(), asyncio.Event()
    headers = [(b"host", b"127.0.0.1:8000"), (b"accept-language", language.encode())]
    if session:
        cookies = (await sample.signed_in(*roles)).cookies
        headers += [(b"cookie", f"{name}={value}".encode()) for name, value in cookies.items()]
    else:
        headers += [(b"authorization", f"Bearer {sample.token(*roles)}".encode())]
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            browser.status = message["status"]
            browser.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            answered.set()
        elif browser.status == 200:
            for event in parsed(message["body"]):
                browser.events.put_nowait(event)

    address, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": address, "raw_path": address.encode(), "query_string": query.encode(),
        "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    serving = asyncio.create_task(sample.app(scope, receive, send))  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(10):
            await answered.wait()
        yield browser
    finally:
        left.set()
        async with asyncio.timeout(10):
            await serving
