"""Background work has one shape: a body that can be called once, and a runner that repeats it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.clock import clock
from shared.db import Database, Tx

Tick = Callable[[Tx, datetime], Awaitable[datetime | None]]


@dataclass(frozen=True, slots=True)
class Loop:
    """`tick(tx, now)` does what is due and returns when the next is, None when nothing is known to come.

    The runner calls it again then, at the latest after `every`, and at once when somebody sets `woken`.

    leads   nothing is consumed before it has been called once
    """

    name: str
    tick: Tick
    every: timedelta
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    leads: bool = False
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, database: Database) -> None:
        """Repeat for ever; errors go to whoever supervises."""
        while True:
            self.woken.clear()
            due = await database.transact(lambda tx: self.tick(tx, clock.now()))
            self.called.set()
            wait = self.every if due is None else min(self.every, due - clock.now())
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wait.total_seconds())):
                    await self.woken.wait()
