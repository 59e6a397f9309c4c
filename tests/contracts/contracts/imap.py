"""An IMAP server as small as imaplib lets one be: one mailbox in memory, with a connection to cut."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Inbox:
    """What the server keeps; `cut_before` names a command before which it hangs up, once."""

    mails: dict[int, bytes] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    moved: dict[int, bytes] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    uidvalidity: int = 7
    cut_before: str | None = None
    port: int = 0

    def add(self, raw: bytes) -> int:
        uid = max((*self.mails, *self.moved), default=0) + 1
        self.mails[uid] = raw
        return uid

    def answer(self, command: str, told: str) -> list[bytes]:
        """The untagged lines for a command."""
        if command == "CAPABILITY":
            return [b"* CAPABILITY IMAP4rev1"]
        if command == "SELECT":
            return [b"* %d EXISTS" % len(self.mails), b"* OK [UIDVALIDITY %d] told" % self.uidvalidity]
        if command == "SEARCH":
            return [b"* SEARCH " + " ".join(str(uid) for uid in self._found(told)).encode()]
        if command in ("FETCH", "STORE", "COPY"):
            return self._changed(command, int(told.split()[0]), told)
        if command == "EXPUNGE":
            for uid in self.deleted:
                self.moved[uid] = self.mails.pop(uid)
            self.deleted.clear()
        return []

    def _found(self, told: str) -> list[int]:
        if told.startswith("UNSEEN"):
            return [uid for uid in self.mails if uid not in self.seen]
        first = int(told.split()[1].partition(":")[0])
        # `n:*` names the last one, too, whatever n is (RFC 9051).
        return [uid for uid in self.mails if uid >= first or uid == max(self.mails)]

    def _changed(self, command: str, uid: int, told: str) -> list[bytes]:
        if command == "STORE":
            (self.deleted if "Deleted" in told else self.seen).add(uid)
        if command != "FETCH" or uid not in self.mails:
            return []
        raw = self.mails[uid]
        if "SIZE" in told:
            return [b"* 1 FETCH (UID %d RFC822.SIZE %d)" % (uid, len(raw))]
        return [b"* 1 FETCH (UID %d BODY[] {%d}\r\n%s)" % (uid, len(raw), raw)]


async def _serve(inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"* OK ready\r\n")
    while line := await reader.readline():
        tag, command, told = re.match(r"(\S+) (?:UID )?(\S+) ?(.*)", line.decode().strip()).groups()  # type: ignore[union-attr]
        if inbox.cut_before == command.upper():
            inbox.cut_before = None
            break
        for each in inbox.answer(command.upper(), told):
            writer.write(each + b"\r\n")
        writer.write(f"{tag} OK done\r\n".encode())
        await writer.drain()
    writer.close()


@asynccontextmanager
async def imap_server() -> AsyncIterator[Inbox]:
    """A mailbox on a free port of this machine."""
    inbox = Inbox()
    server = await asyncio.start_server(lambda *streams: _serve(inbox, *streams), "127.0.0.1", 0)
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        server.close()
