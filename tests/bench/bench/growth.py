"""T6: what a request, an event, an alert and one more message cost when there are many already."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Final
from uuid import UUID

import asyncpg
import httpx

from allinone.services import topology
from bench.engine import message
from bench.figure import Figure, Numbers, Ratio, Side
from bench.filling import REQUEST as REQUESTS
from bench.filling import TICKET, fill_requests, fill_tickets, key, key_of
from bench.load import post
from bench.stage import Stage, sync_clock
from bench.suite import REQUEST, SETTINGS, adapter_token
from bench.timers import Bare, Engine
from chaos.processes import running
from intake.app import service as intake
from shared.clock import clock, uuid7
from shared.db import Database
from shared.events.dispatch import EngineerArrived, TicketAssigned
from shared.events.terms import Site
from shared.http.auth import Principal, mint
from shared.inbox import Receiver
from sla_monitor.app import service as sla

FEW, MANY = 10_000, 1_000_000
SHORT, LONG = 5, 500
CLIENTS: Final = 32
EVENTS: Final = 1_000
ALERTS: Final = 1_000
ANSWERS: Final = 40
AT_ONCE: Final = 100
"""Events in one message, as the relay sends them under load."""
ENGINEER: Final = UUID(int=1)
ASSIGNED: Final = TicketAssigned(
    request_id=UUID(int=2), engineer_id=ENGINEER, tier="senior", severity="urgent", centre="SH1",
    same_city=True, site=Site(region="east", city="shanghai"),
)  # fmt: skip
_CONVERSATION: Final = f"""
    INSERT INTO intake.message (id, request_id, direction, channel, author, text, state)
    SELECT {key(15)}, $1, CASE n % 2 WHEN 0 THEN 'in' ELSE 'out' END, 'web_form', 'customer',
           'It still leaks, and it is as loud as before.', 'sent'
    FROM generate_series(CAST($2 AS bigint), $2 + $3 - 1) AS n
"""
_HISTORY: Final = f"""
    INSERT INTO sla.history (subject_id, event_id, kind, sequence, at, facts)
    SELECT $1, {key(15)}, 'dispatch.owner_changed', 1 + n - $2, now(),
           jsonb_build_object('owner_id', '{ENGINEER}')
    FROM generate_series(CAST($2 AS bigint), $2 + $3 - 1) AS n
"""


@dataclass(slots=True)
class House:
    """intake as a process and sla-monitor in this one, on tables of some size."""

    stage: Stage
    tickets: int
    door: str
    intake: asyncpg.Connection
    receiver: Receiver
    engine: Engine
    seconds: float
    used: int = 0

    async def work(self) -> Numbers:
        """Requests by 32 clients, events of new tickets and of old ones, alerts that have fallen due."""
        await sync_clock(self.stage.postgres_url)
        asked = await post(self.door, CLIENTS, self.seconds, REQUEST, adapter_token())
        events, alerts = (EVENTS, ALERTS) if not self.stage.quick else (AT_ONCE, AT_ONCE)
        fired = await self.engine.fire(alerts, timedelta(minutes=-1), timedelta(milliseconds=1))
        return {
            "µs/request": 1e6 / asked["requests/s"],
            "µs/event": await self._take(events) / events * 1e6,
            "µs/alert": 1e6 / fired["fired/s"],
        }

    async def _take(self, events: int) -> float:
        """Half of them begin a ticket, half end one of those that were there; the seconds it took."""
        now, messages = clock.now(), []
        for _ in range(events // 2):
            self.used += 1
            old = key_of(TICKET, self.tickets - self.used)
            messages += [
                message(ASSIGNED, uuid7(), 1, now),
                message(EngineerArrived(engineer_id=ENGINEER), old, 2, now),
            ]
        began = time.perf_counter()
        for first in range(0, len(messages), AT_ONCE):
            await self.receiver.receive(messages[first : first + AT_ONCE], "live")
        return time.perf_counter() - began


@asynccontextmanager
async def house(stage: Stage, tickets: int) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        broker = await stage.vhost(topology())
        asked, judged = await stage.database(intake), await stage.database(sla)
        desk, clocks = await stage.admin(asked("intake")), await stage.admin(judged("sla"))
        for admin in (desk, clocks):
            stack.push_async_callback(admin.close)
        await fill_requests(desk, tickets)
        await fill_tickets(clocks, tickets)
        process = stage.replica(
            "intake", AFTERCARE_DATABASE_URL=asked("intake"), AFTERCARE_AMQP_URL=broker("intake")
        )
        await stack.enter_async_context(running(process))
        work = Database("sla", judged("sla"), listening=topology().listened_from("sla"))
        stack.push_async_callback(work.close)
        yield House(
            stage,
            tickets,
            f"http://127.0.0.1:{process.port}/intake/requests",
            desk,
            Receiver(work, sla.consumers),
            Engine(judged("sla"), clocks, Bare("", clocks), started=None),
            1 if stage.quick else 3,
        )


@asynccontextmanager
async def sizes(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    await sync_clock(stage.postgres_url)
    few, many = (1_000, 5_000) if stage.quick else (FEW, MANY)
    async with house(stage, few) as small, house(stage, many) as large:
        yield Side(_named(FEW), small.work), Side(_named(MANY), large.work)


def _named(tickets: int) -> str:
    return f"{tickets:,} tickets with clocks, {tickets:,} requests"


@dataclass(slots=True)
class Conversation:
    """Requests with so many messages, and tickets with so many events; each is used once."""

    house: House
    length: int
    first: int
    token: str

    async def go_on(self) -> Numbers:
        """An answer by the desk, and one more event of a ticket; the middle of some of each."""
        await sync_clock(self.house.stage.postgres_url)
        answers, events = [], []
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for _ in range(ANSWERS // 4 if self.house.stage.quick else ANSWERS):
                self.first += 1
                answers.append(await self._answer(client))
                events.append(await self._tell())
        return {"ms/answer": median(answers) * 1000, "ms/event": median(events) * 1000}

    async def _answer(self, client: httpx.AsyncClient) -> float:
        request = key_of(REQUESTS, self.first)
        await self.house.intake.execute(_CONVERSATION, request, self.first * LONG, self.length)
        began = time.perf_counter()
        answer = await client.post(
            f"{self.house.door}/{request}/answers",
            json={"text": "We are on our way.", "spoken": True},
            headers={"authorization": f"Bearer {self.token}", "idempotency-key": str(uuid7())},
        )
        answer.raise_for_status()
        return time.perf_counter() - began

    async def _tell(self) -> float:
        ticket = key_of(TICKET, self.first)
        await self.house.engine.admin.execute(_HISTORY, ticket, self.first * LONG, self.length)
        body = message(EngineerArrived(engineer_id=ENGINEER), ticket, self.length + 2)
        began = time.perf_counter()
        await self.house.receiver.receive([body], "live")
        return time.perf_counter() - began


@asynccontextmanager
async def lengths(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    await sync_clock(stage.postgres_url)
    token = mint(Principal("bench", frozenset({"care"})), SETTINGS, timedelta(hours=12))
    async with house(stage, 2_000) as place:
        both = [Conversation(place, length, first, token) for length, first in ((SHORT, 0), (LONG, 1_000))]
        yield [Side(_long(each.length), each.go_on) for each in both]


def _long(length: int) -> str:
    return f"conversation of {length} messages, ticket of {length} events"


GROWTH: Final = Figure(
    "growth",
    f"The same work on {FEW:,} and on {MANY:,} tickets and requests. A request: POST /intake/requests by "
    f"{CLIENTS} clients, time of the door for each. An event: {AT_ONCE} in a message, half of them begin a "
    "ticket, half end one of the many, until the clocks are stored. An alert: from the start of "
    f"sla-monitor's loops until {ALERTS:,} overdue clocks are judged, over their number.",
    sizes,
    tuple(
        Ratio(f"T6, {measure.removeprefix('µs/')}", measure, _named(MANY), _named(FEW), (1.3,), at_most=True)
        for measure in ("µs/request", "µs/event", "µs/alert")
    ),
    rounds=3,
)
LENGTH: Final = Figure(
    "growth-of-a-conversation",
    f"One more answer in a conversation, one more event of a ticket, after {SHORT} and after {LONG} before "
    "it. The second folds the whole history anew, as every event does.",
    lengths,
    tuple(
        Ratio(f"T6, {measure.removeprefix('ms/')}", measure, _long(LONG), _long(SHORT))
        for measure in ("ms/answer", "ms/event")
    ),
)
FIGURES: Final = (GROWTH, LENGTH)
