"""Mails fetched by IMAP, from the mailboxes that `AFTERCARE_INTAKE_IMAP_URLS` names.

A mail is marked as seen (or moved) once it is committed, never before; how far a mailbox has been taken is
kept by UID and UIDVALIDITY (RFC 9051). Where the connection is lost in between, the mail comes again, and its
Message-ID makes it the same request.
"""

from __future__ import annotations

import asyncio
import imaplib
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from intake.channels.mail.arrival import LARGEST, Came, take
from intake.tables.mail import mailbox_progress
from shared.clock import clock
from shared.context import ServiceContext
from shared.db import Database, Tx
from shared.process.loops import Loop

EVERY: Final = timedelta(seconds=30)
PATIENCE: Final = 30.0  # seconds for each answer of the server
_NUMBER: Final = re.compile(rb"\d+")
_SIZE: Final = re.compile(rb"RFC822\.SIZE (\d+)")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox to look into: imaps://user:password@host:993/INBOX?account=support&move=Done."""

    host: str
    port: int
    secure: bool
    user: str
    password: str
    folder: str
    account: str
    move: str | None

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.folder}"


def mailbox_of(url: str) -> Mailbox:
    """Raises ValueError where it cannot be one."""
    parts = urlsplit(url)
    if parts.scheme not in ("imap", "imaps") or not (parts.hostname and parts.username and parts.password):
        raise ValueError("not like imaps://user:password@host/INBOX?account=support")
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    user = unquote(parts.username)
    return Mailbox(
        host=parts.hostname,
        port=parts.port or (993 if parts.scheme == "imaps" else 143),
        secure=parts.scheme == "imaps",
        user=user,
        password=unquote(parts.password),
        folder=unquote(parts.path.strip("/")) or "INBOX",
        account=options.get("account") or user.partition("@")[0].lower(),
        move=options.get("move"),
    )


class Connection:
    """A server's connection; every call waits in a thread."""

    def __init__(self, client: imaplib.IMAP4) -> None:
        self._client = client

    @classmethod
    async def open(cls, box: Mailbox) -> Connection:
        kind = imaplib.IMAP4_SSL if box.secure else imaplib.IMAP4
        client = await asyncio.to_thread(partial(kind, box.host, box.port, timeout=PATIENCE))
        connection = cls(client)
        await connection._do(client.login, box.user, box.password)
        return connection

    async def _do(self, call: Any, *arguments: Any) -> list[Any]:
        answer, data = await asyncio.to_thread(call, *arguments)
        if answer != "OK":
            raise imaplib.IMAP4.error(f"{getattr(call, '__name__', 'call')}: {answer}")
        return list(data or ())

    async def uid(self, *arguments: str) -> list[Any]:
        return await self._do(self._client.uid, *arguments)

    async def select(self, folder: str) -> int:
        """The UIDVALIDITY of the folder."""
        await self._do(self._client.select, _quoted(folder))
        _, told = self._client.response("UIDVALIDITY")
        found = _NUMBER.search(told[0] or b"") if told else None
        return int(found.group()) if found else 0

    async def since(self, last: int) -> list[int]:
        """UIDs behind `last`, the oldest first; of a mailbox never looked into those that nobody has read."""
        data = await self.uid("SEARCH", *((f"UID {last + 1}:*",) if last else ("UNSEEN",)))
        uids = (int(each) for each in (data[0] or b"").split())
        return sorted(uid for uid in uids if uid > last)

    async def fetch(self, uid: int) -> bytes | None:
        """The mail as it came, unseen still; None where it is gone or larger than any mail may be."""
        told = b" ".join(each for each in await self.uid("FETCH", str(uid), "(RFC822.SIZE)") if each)
        size = _SIZE.search(told)
        if size is None or int(size[1]) > LARGEST:
            log.error("mail_too_large", uid=uid, bytes=int(size[1]) if size else None)
            return None
        data = await self.uid("FETCH", str(uid), "(BODY.PEEK[])")
        return next((bytes(each[1]) for each in data if isinstance(each, tuple)), None)

    async def done(self, uid: int, move: str | None) -> None:
        """Mark it as taken."""
        await self.uid("STORE", str(uid), "+FLAGS", "(\\Seen)")
        if move:
            await self.uid("COPY", str(uid), _quoted(move))
            await self.uid("STORE", str(uid), "+FLAGS", "(\\Deleted)")
            await self._do(self._client.expunge)

    async def close(self) -> None:
        await asyncio.to_thread(self._client.shutdown)


def _quoted(folder: str) -> str:
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'


async def fetch_new(context: ServiceContext, box: Mailbox) -> int:
    """Take what is new in one mailbox; returns how many."""
    connection = await Connection.open(box)
    try:
        validity = await connection.select(box.folder)
        last = await context.database.transact(partial(_last, name=box.name, validity=validity))
        taken = 0
        for uid in await connection.since(last):
            raw = await connection.fetch(uid)
            if raw is not None:
                await take(context, raw, Came(box.account, clock.now()))
                await connection.done(uid, box.move)
                taken += 1
            await context.database.transact(partial(_note, name=box.name, validity=validity, uid=uid))
        return taken
    finally:
        await connection.close()


async def _last(tx: Tx, name: str, validity: int) -> int:
    """How far it was taken; 0 when never, or when the server has numbered it anew."""
    which = (mailbox_progress.c.mailbox == name) & (mailbox_progress.c.uidvalidity == validity)
    found = (await tx.execute(select(mailbox_progress.c.last_uid).where(which))).scalar_one_or_none()
    return int(found or 0)


async def _note(tx: Tx, name: str, validity: int, uid: int) -> None:
    values = {"uidvalidity": validity, "last_uid": uid}
    row = insert(mailbox_progress).values(mailbox=name, **values)
    await tx.execute(row.on_conflict_do_update(index_elements=["mailbox"], set_=values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching(Loop):
    """Looks into one mailbox again and again; what goes wrong there is tried again next time."""

    context: ServiceContext
    box: Mailbox

    async def run(self, database: Database) -> None:
        while True:
            try:
                await fetch_new(self.context, self.box)
            except (OSError, imaplib.IMAP4.error) as error:
                log.warning("mailbox_not_reached", mailbox=self.box.name, error=type(error).__name__)
            await asyncio.sleep(self.every.total_seconds())
