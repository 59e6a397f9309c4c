"""The ways out of sla-monitor, with receivers that live as long as a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from chaos.databases import empty
from contracts.clocking import DUE, MINUTE, SECOND, TEN, Desk
from contracts.receiving import WebReceiver, receiving
from contracts.serving import clock_kept
from shared.clock import clock, uuid7
from shared.outgoing import Allowed, Outgoing
from sla_monitor.sinks.actions import Wanted, add_sink
from sla_monitor.sinks.lanes import Lanes
from sla_monitor.sinks.rules import Terms

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT_ONCE = Terms(window=0, gather=0, language="en")


@dataclass
class Post:
    """The desk, its way out, and receivers that live as long as the test."""

    desk: Desk
    lanes: Lanes
    stack: AsyncExitStack

    async def web(
        self, receiver: WebReceiver | None = None, terms: Terms = AT_ONCE
    ) -> tuple[UUID, WebReceiver]:
        receiver = receiver or WebReceiver()
        await self.stack.enter_async_context(receiving(receiver))
        return await self.sink("webhook", {"url": receiver.url + "/hook"}, KEY, terms), receiver

    async def sink(self, kind: str, config: dict[str, Any], secret: str = "", terms: Terms = AT_ONCE) -> UUID:
        wanted = Wanted(f"{kind} {uuid7()}", config, terms, True, secret)
        transact = self.desk.database.transact
        added = await transact(lambda tx: add_sink(tx, "me", self.lanes.outgoing, kind, wanted))
        return added.id

    async def look(self) -> None:
        """Begin the lanes that have something to do."""
        await self.desk.database.transact(lambda tx: self.lanes.tick(tx, clock.now()))

    async def deliver(self) -> None:
        await self.look()
        await self.lanes.settle()

    async def again(self) -> None:
        """Let the lanes of this process go, as if it had died, and begin anew."""
        await self.lanes.stop()
        self.lanes = Lanes(self.desk.database, Outgoing(self.lanes.outgoing.allowed))

    async def messages(self) -> list[tuple[str, int]]:
        """State and attempts of each message, in order."""
        rows = await self.desk.admin.fetch("SELECT state, attempts FROM message ORDER BY made_at, id")
        return [(row["state"], row["attempts"]) for row in rows]

    async def missed(self, number: int = 1) -> list[UUID]:
        """Urgent tickets that nobody came to, and that somebody was told of."""
        tickets = [await self.desk.urgent() for _ in range(number)]
        await self.breach()
        return tickets

    async def breach(self) -> None:
        for now in (TEN + 90 * MINUTE, DUE + SECOND):
            await self.desk.tick(now, dispatch=now)

    async def alert(self, threshold: int = 100) -> tuple[UUID, int]:
        """An alert about on-site arrival, and its version."""
        query = """
            SELECT alert.id, alert.version FROM alert JOIN clock ON clock.id = clock_id
            WHERE threshold = $1 AND promise = 'on_site'
        """
        row = await self.desk.admin.fetchrow(query, threshold)
        return row["id"], row["version"]


def later(by: timedelta) -> None:
    """Let time pass."""
    clock.set(clock.now() + by)


@asynccontextmanager
async def posting(desk: Desk) -> AsyncIterator[Post]:
    """A desk without sinks, and time that may be set."""
    await desk.clear()
    await empty(desk.admin, "sink")
    lanes = Lanes(desk.database, Outgoing(Allowed.read("127.0.0.0/8"), "https://aftercare.example"))
    async with AsyncExitStack() as stack:
        stack.enter_context(clock_kept())
        made = Post(desk, lanes, stack)
        yield made
        await made.lanes.stop()


def breaches(receiver: WebReceiver) -> list[dict[str, Any]]:
    """What a receiver was told of as missed on site, message by message."""
    told = [each.json for each in receiver.got]
    return [
        alert
        for each in told
        if each["type"] == "sla.breach"
        for alert in each["data"]["alerts"]
        if alert["promise"] == "on_site"
    ]
