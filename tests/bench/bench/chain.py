"""A door and all that follows from what comes in by it: how much it carries, and how soon it shows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any, Final

import asyncpg
import httpx

from bench.cpu import Meter
from bench.figure import Numbers
from bench.load import post
from shared.clock import uuid7

CLIENTS: Final = 32
PATIENCE: Final = 120.0  # seconds until the last of a round has arrived
LOOK: Final = 0.1  # seconds between two
PER_SECOND: Final = 50
_CHANNEL: Final = "stored"
# Who listens is told at the commit, at this pace without weight: no polling that would be late itself.
_TELL: Final = """
    CREATE FUNCTION public.tell_stored() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN PERFORM pg_notify(''{channel}'', ({named})::text); RETURN NULL; END';
    CREATE TRIGGER told AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION public.tell_stored();
"""
_SILENCE: Final = "DROP TRIGGER told ON {table}; DROP FUNCTION public.tell_stored()"


class NeverArrived(Exception):
    """What was accepted has not had all its effects in time."""

    def __init__(self, door: str, missing: int) -> None:
        super().__init__(
            f"{missing} requests accepted at {door} had not had their effects after {PATIENCE:g} s"
        )


async def post_one(client: httpx.AsyncClient, door: str, body: str, token: str) -> str:
    """POST one new thing, as `bench.load.post` does; returns its id. Raises unless it is accepted."""
    id = uuid7()
    told = {"$key": str(id), "$number": "1", "$digits": f"{id.int % 10**9:09}"}
    for name, value in told.items():
        body = body.replace(name, value)
    headers = {"authorization": f"Bearer {token}", "idempotency-key": str(id)}
    answer = await client.post(door, content=body, headers=headers | {"content-type": "application/json"})
    answer.raise_for_status()
    named: str = answer.json().get("request_id", str(id))
    return named


@dataclass(frozen=True, slots=True)
class Chain:
    """A door, and what is in the database once what came in by it has had its effects.

    body      what is posted, as `bench.load.post` takes it
    accepted  SQL: how many have come in
    missing   SQL: how many of them have not had all their effects
    watched   the table of their first effect, and the expression that names the request of a new row
    """

    door: str
    body: str
    token: str
    admin: asyncpg.Connection
    accepted: str
    missing: str
    watched: tuple[str, str]
    meter: Meter

    async def flood(self, seconds: float) -> Numbers:
        """Post as fast as answers come, wait for the last effect: what was accepted, over all that time."""
        already = await self.admin.fetchval(self.accepted)
        before, begun = self.meter.read(), time.perf_counter()
        answered = await post(self.door, CLIENTS, seconds, self.body, self.token)
        await self._settled()
        took, after = time.perf_counter() - begun, self.meter.read()
        accepted = await self.admin.fetchval(self.accepted) - already
        shares = {
            f"CPU of {name}, µs/request": (after[name] - before[name]) / accepted * 1e6 for name in before
        }
        return {"requests/s": accepted / took, "answered/s": answered["requests/s"], **shares}

    async def pace(self, requests: int) -> Numbers:
        """Post evenly, whatever answers take; how long after each its first effect is committed."""
        arrivals, (table, named) = Arrivals(requests), self.watched
        await self.admin.execute(_TELL.format(channel=_CHANNEL, table=table, named=named))
        await self.admin.add_listener(_CHANNEL, arrivals.note)
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client, asyncio.TaskGroup() as tasks:
                begun = time.perf_counter()
                for number in range(requests):
                    tasks.create_task(self._post(client, arrivals))
                    await asyncio.sleep(begun + (number + 1) / PER_SECOND - time.perf_counter())
            await asyncio.wait_for(arrivals.all.wait(), PATIENCE)
            await self._settled()
        finally:
            await self.admin.remove_listener(_CHANNEL, arrivals.note)
            await self.admin.execute(_SILENCE.format(table=table))
        return arrivals.numbers()

    async def _post(self, client: httpx.AsyncClient, arrivals: Arrivals) -> None:
        arrivals.note_answer(await post_one(client, self.door, self.body, self.token))

    async def _settled(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while await self.admin.fetchval(self.missing):  # noqa: ASYNC110 - other processes are at work
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            raise NeverArrived(self.door, await self.admin.fetchval(self.missing)) from None


@dataclass(slots=True)
class Arrivals:
    """When each request was answered, and when its first effect was committed; seconds."""

    awaited: int
    answered: dict[str, float] = field(default_factory=dict)
    stored: dict[str, float] = field(default_factory=dict)
    all: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, _connection: object, _pid: int, _channel: str, name: Any) -> None:
        self.stored.setdefault(str(name), time.perf_counter())
        self._look()

    def note_answer(self, name: str) -> None:
        self.answered[name] = time.perf_counter()
        self._look()

    def _look(self) -> None:
        if len(self.answered) == self.awaited and self.answered.keys() <= self.stored.keys():
            self.all.set()

    def numbers(self) -> Numbers:
        """An effect that is committed before its answer has been read counts below zero."""
        late = [(self.stored[name] - self.answered[name]) * 1000 for name in self.answered]
        percentiles = quantiles(late, n=100)
        return {"p50 ms": percentiles[49], "p99 ms": percentiles[98]}
