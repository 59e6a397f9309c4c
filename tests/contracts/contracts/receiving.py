"""Receivers of what a service sends to others: a web server and a mail server that remember what they got."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Posted:
    """One request: its path, headers (names in lower case) and body."""

    path: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class WebReceiver:
    """Takes every post and answers as told; None is never to answer. `says` is the body of its answers.

    reacts  answers by what came instead: status and body
    """

    answers: Callable[[int], int | None] = lambda number: 204
    headers: str = ""
    says: str = ""
    reacts: Callable[[Posted], tuple[int, str]] | None = None
    got: list[Posted] = field(default_factory=list)
    port: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _hanging: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hang_up(self) -> None:
        """End the connections that wait for an answer in vain."""
        for each in self._hanging:
            each.close()

    async def arrived(self, number: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(30), self._arrived:
            await self._arrived.wait_for(lambda: len(self.got) >= number)

    def _answer(self, posted: Posted) -> tuple[int | None, bytes]:
        if self.reacts is not None:
            status, said = self.reacts(posted)
            return status, said.encode()
        return self.answers(len(self.got)), self.says.encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            posted = Posted(head.split(" ")[1], headers, body, head.split(" ")[0])
            self.got.append(posted)
            status, said = self._answer(posted)
            async with self._arrived:
                self._arrived.notify_all()
            if status is None:
                self._hanging.append(writer)
                await reader.read()  # until one side goes away
            else:
                head = f"HTTP/1.1 {status} Said\r\n{self.headers}content-length: {len(said)}\r\n\r\n"
                writer.write(head.encode() + said)
                await writer.drain()
        writer.close()


@dataclass
class MailReceiver:
    """Takes every mail (RFC 5321, without extensions); `refuses` answers the recipient with 550.

    unknown  the one recipient that is answered so
    """

    refuses: bool = False
    unknown: str = ""
    got: list[tuple[list[str], str]] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipients: list[str] = []
        writer.write(b"220 receiver\r\n")
        with suppress(ConnectionError):
            while line := (await reader.readline()).decode().strip():
                match line.split(" ")[0].upper():
                    case "RCPT" if self.refuses or (self.unknown and self.unknown in line):
                        writer.write(b"550 nobody\r\n")
                    case "RCPT":
                        recipients.append(line.partition("<")[2].partition(">")[0])
                        writer.write(b"250 good\r\n")
                    case "DATA":
                        writer.write(b"354 go on\r\n")
                        mail = (await reader.readuntil(b"\r\n.\r\n")).decode()
                        self.got.append((recipients, mail))
                        recipients = []
                        writer.write(b"250 taken\r\n")
                    case "QUIT":
                        writer.write(b"221 bye\r\n")
                        break
                    case _:
                        writer.write(b"250 good\r\n")
        writer.close()


@asynccontextmanager
async def receiving(receiver: WebReceiver | MailReceiver) -> AsyncIterator[None]:
    """`receiver` on a port of its own."""
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", receiver.port)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
