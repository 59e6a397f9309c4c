"""The ways out of intake, with a mail server and providers that live as long as a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import SMTP

from chaos.databases import empty
from contracts.hearing import Hearing
from contracts.receiving import WebReceiver, receiving
from contracts.serving import clock_kept
from intake.accounts import rules as sealing
from intake.accounts import store as accounts
from intake.channels.contract import Account
from intake.requests.actions import register
from intake.requests.rules import Identity, Normalised
from intake.sending.lanes import Lanes
from intake.sending.mail import MailServer
from shared.clock import clock, uuid7
from shared.http.keys import keys_for
from shared.outgoing import Allowed, Outgoing

LOCAL = Outgoing(Allowed.read("127.0.0.0/8"), "https://aftercare.example")


@dataclass
class MailBox:
    """A mail server of this machine; `answers` says what it says to a mail, None is to take it."""

    answers: Callable[[int], str | None] = lambda number: None
    refuses: str = ""
    got: list[EmailMessage] = field(default_factory=list)
    asked: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def arrived(self, number: int) -> None:
        """Wait until so many mails have come."""
        async with asyncio.timeout(30), self._arrived:
            await self._arrived.wait_for(lambda: len(self.got) >= number)

    async def handle_RCPT(  # noqa: N802  # so aiosmtpd calls it
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.refuses and self.refuses in address:
            return "550 5.1.1 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        self.asked += 1
        answer = self.answers(self.asked)
        if answer is None or answer.startswith("250"):
            mail = message_from_bytes(envelope.content, policy=default)
            assert isinstance(mail, EmailMessage)
            self.got.append(mail)
            async with self._arrived:
                self._arrived.notify_all()
        return answer or "250 OK"


@dataclass
class Way:
    """A desk with its lanes; the database forgets everything between tests."""

    desk: Hearing
    lanes: Lanes
    stack: AsyncExitStack

    async def deliver(self) -> None:
        """Do what is due now."""
        await self.begin()
        await self.lanes.settle()

    async def mail(self, box: MailBox | None = None) -> MailBox:
        """A mail server that the lanes hand in to."""
        box = box or MailBox()
        server = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
        self.stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        sender = "Aftercare 售后 <service@aftercare.example>"
        self.lanes.mail = MailServer("127.0.0.1", port, "plain", "", "", sender, plus=True)
        return box

    async def begin(self) -> None:
        """Begin the lanes that have something to do."""
        while await self.desk.database.transact(lambda tx: self.lanes.tick(tx, clock.now())):
            pass

    def rested(self) -> None:
        """Time has passed for the lanes too, which count it by the machine's clock."""
        self.lanes._resting.clear()

    async def telegram(self, receiver: WebReceiver | None = None) -> WebReceiver:
        """A bot, whose provider is `receiver`; taken messages get the number 500."""
        taken = json.dumps({"ok": True, "result": {"message_id": 500, "chat": {"id": 77}}})
        receiver = receiver or WebReceiver()
        receiver.says = receiver.says or taken
        await self.stack.enter_async_context(receiving(receiver))
        await self.account("telegram", "hotline", secret_token="s", bot_token="1:token", api_url=receiver.url)
        return receiver

    async def chatted(self, id: int = 1, text: str = "水泵漏水") -> UUID:
        """A request that came in by Telegram."""
        message = {"message_id": id, "date": int(clock.now().timestamp()), "chat": {"id": 77}, "text": text}
        answer = await self.desk.client().post(
            "/intake/channels/telegram/hotline",
            json={"update_id": id, "message": message | {"from": {"id": 77}}},
            headers={"x-telegram-bot-api-secret-token": "s"},
        )
        assert answer.status_code == 200, answer.text
        found: UUID = await self.desk.admin.fetchval("SELECT id FROM request ORDER BY id DESC LIMIT 1")
        return found

    async def came_in(self, *arrived: Normalised) -> list[UUID]:
        """Requests, by whatever door."""
        registered = await self.desk.database.transact(lambda tx: register(tx, arrived))
        return [each.request_id for each in registered]

    async def set_up(self, channel: str, **secrets: str) -> None:
        """An account `main`, with what it sends with only."""
        context = self.desk.served.context
        key = keys_for(sealing.PURPOSE, context.settings)[0]
        account = Account(channel, "main", secrets)
        await context.database.transact(lambda tx: accounts.save(tx, account, key, tx.now))

    async def account(self, channel: str, name: str, **secrets: str) -> None:
        answer = await self.desk.client("admin").put(
            f"/intake/channels/{channel}/accounts/{name}", json={"secrets": secrets}
        )
        assert answer.status_code == 204, answer.text

    async def mailed(
        self, text: str = "The pump leaks.", sender: str = "ann@example.com", id: str = "m1", more: str = ""
    ) -> UUID:
        """What came in by mail, and the request it is or belongs to."""
        head = f"From: Ann <{sender}>\r\nSubject: Pump leaks\r\nMessage-ID: <{id}@example.com>\r\n{more}"
        raw = f"{head}\r\n{text}\r\n"
        answer = await self.desk.client("adapter").post(
            "/intake/channels/email",
            params={"account": "service", "region": "east", "city": "shanghai"},
            content=raw.encode(),
            headers={"content-type": "message/rfc822"},
        )
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["request_id"])

    async def answered(self, request: UUID, text: str = "We come tomorrow.") -> UUID:
        client = self.desk.client("care")
        key = {"idempotency-key": str(uuid7())}
        answer = await client.post(f"/intake/requests/{request}/answers", json={"text": text}, headers=key)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["message_id"])

    async def states(self) -> list[tuple[str, str | None, int]]:
        """State, why and attempts of each message to customers, in order."""
        rows = await self.desk.admin.fetch(
            "SELECT state, why, attempts FROM message WHERE direction = 'out' ORDER BY id"
        )
        return [tuple(row) for row in rows]

    def other(self) -> Lanes:
        """The lanes of one more process."""
        lanes = lanes_for(self.desk)
        lanes.mail = self.lanes.mail
        return lanes


def arrived(
    door: str | None,
    address: str | None,
    text: str = "The pump leaks.",
    channel: Any = "social",
    id: str = "1",
) -> Normalised:
    """What came in by `door`, to the account `main`."""
    return Normalised(
        channel=channel,
        door=door,
        account=f"{door}/main" if door else "main",
        external_id=f"{address}:{id}",
        identities=(Identity("external", f"{door}:{address}"),),
        name="Ann",
        text=text,
        title=text,
        received_at=clock.now(),
        raw=b"{}",
        content_type="application/json",
        address=address,
    )


@contextmanager
def crashing(lanes: Lanes) -> Iterator[None]:
    """As if the process ended after each send, before it is recorded."""

    async def never(*rest: Any, **more: Any) -> None:
        raise ConnectionResetError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "_record", never)
        yield
    lanes._resting.clear()


def lanes_for(desk: Hearing) -> Lanes:
    return Lanes(desk.served.context, Outgoing(LOCAL.allowed, LOCAL.public_url), None)


@asynccontextmanager
async def ways(desk: Hearing) -> AsyncIterator[Way]:
    """An empty desk, and time that may be set."""
    await empty(desk.admin, "request, customer, channel_account, delivery_told, greeted")
    async with AsyncExitStack() as stack:
        stack.enter_context(clock_kept())
        made = Way(desk, lanes_for(desk), stack)
        yield made
        await made.lanes.stop()
