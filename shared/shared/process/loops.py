"""Background work has one shape: a body that can be called once, and a runner that repeats it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import clock
from shared.db import Database, Tx

Tick = Callable[[Tx, datetime], Awaitable[datetime | None]]


@dataclass(frozen=True, slots=True)
class Loop:
    """`tick(tx, now)` does what is due and returns when the next is, None when nothing is known to come.

    The runner calls it again then, and at the latest after `every`.
    """

    name: str
    tick: Tick
    every: timedelta

    async def run(self, database: Database) -> None:
        """Repeat for ever; errors go to whoever supervises."""
        while True:
            due = await database.transact(lambda tx: self.tick(tx, clock.now()))
            wait = self.every if due is None else min(self.every, due - clock.now())
            await asyncio.sleep(max(0.0, wait.total_seconds()))
