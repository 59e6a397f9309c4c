"""Mails by SMTP or LMTP, from the mail server in front of us.

250 is said once a mail is committed, 451 where it cannot be now: the mail server keeps it and comes again,
and the same mail to the same account is one request. The part of a recipient before @ and + is the account.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from intake.channels.mail.arrival import LARGEST, Came, take
from shared.clock import clock
from shared.context import ServiceContext
from shared.db import Database, Tx
from shared.process.loops import Loop

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session

MOST_CONNECTIONS: Final = 20  # each may bring 25 MiB
MOST_RECIPIENTS: Final = 100
SILENCE: Final = 60.0  # seconds until a client that says nothing is let go
# Bytes; mail servers break lines at 998. So much is read at a time, and holds others up meanwhile.
_LONGEST_LINE: Final = 64 * 1024
STORED: Final = "250 2.0.0 Stored"
LATER: Final = "451 4.3.0 Not stored; come again"

log = structlog.get_logger()


def account_of(recipient: str) -> str:
    """`support` for support+anything@example.com."""
    return recipient.rpartition("@")[0].partition("+")[0].strip('"').lower()[:254] or "default"


class Handler:
    """What aiosmtpd asks us."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        listed = context.settings.mail_domains.lower().split(",")
        self._domains = frozenset(each.strip() for each in listed if each.strip())
        self._per_recipient = context.settings.mail_protocol == "lmtp"

    async def handle_RCPT(  # noqa: N802  # as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Ours, or nobody's: we pass nothing on."""
        if self._domains and address.rpartition("@")[2].lower() not in self._domains:
            return "550 5.7.1 Not for here"
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients; send to the others after these"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store it, once for each account it is for."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        sender = (envelope.mail_from or "").strip("<>").encode("utf-8", "surrogateescape")
        came = Delivery(b"Return-Path: <%s>\r\n" % sender + raw, tuple(envelope.rcpt_tos), clock.now())
        answers = {account: await self._store(account, came) for account in came.accounts}
        if self._per_recipient:
            return "\r\n".join(answers[account_of(each)] for each in came.recipients)
        return LATER if LATER in answers.values() else STORED

    async def _store(self, account: str, delivery: Delivery) -> str:
        own = tuple(each for each in delivery.recipients if account_of(each) == account)
        try:
            await take(self._context, delivery.raw, Came(account, delivery.at, recipients=own))
        except Exception as error:  # an outage or a bug: the mail server keeps it either way
            log.warning("mail_not_stored", account=account, error=type(error).__name__)
            return LATER
        return STORED


@dataclass(frozen=True, slots=True)
class Delivery:
    """One mail, with whom it is for."""

    raw: bytes
    recipients: tuple[str, ...]
    at: datetime

    @property
    def accounts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(account_of(each) for each in self.recipients))


async def listen(context: ServiceContext) -> asyncio.Server:
    """Begin to take mails; close what comes back in the end."""
    from aiosmtpd.lmtp import LMTP  # only who listens pays for it
    from aiosmtpd.smtp import SMTP

    kind: type[SMTP] = LMTP if context.settings.mail_protocol == "lmtp" else SMTP
    handler = Handler(context)
    open_now: set[Any] = set()

    class Door(kind):  # type: ignore[valid-type, misc]
        line_length_limit = _LONGEST_LINE

        def connection_made(self, transport: Any) -> None:
            if len(open_now) >= MOST_CONNECTIONS:
                transport.write(b"421 4.3.2 Too many at once; come again\r\n")
                transport.close()
                return
            open_now.add(self)
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            if self in open_now:
                open_now.discard(self)
                super().connection_lost(error)

    def door() -> Any:
        return Door(
            handler, data_size_limit=LARGEST, enable_SMTPUTF8=True, ident="Aftercare", timeout=SILENCE,
            hostname="localhost", loop=asyncio.get_running_loop(),
        )  # fmt: skip

    settings = context.settings
    return await asyncio.get_running_loop().create_server(door, settings.mail_host, settings.mail_port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening(Loop):
    """Listens as long as the process works."""

    context: ServiceContext

    async def run(self, database: Database) -> None:
        server = await listen(self.context)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()


async def nothing(tx: Tx, now: datetime) -> None:
    """It waits for others."""
