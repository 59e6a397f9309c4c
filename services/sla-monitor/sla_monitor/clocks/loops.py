"""The loops that wait for the next instant at which a clock is to be looked at, and for what is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.context import ServiceContext
from shared.db import Tx
from shared.process.loops import Loop
from sla_monitor.alerts.actions import judge_due
from sla_monitor.clocks import listening
from sla_monitor.clocks.listening import Listening

# A timer that another process arms before the next one known here is found within this time.
EVERY: Final = timedelta(milliseconds=250)


class Timers:
    """Judges what is due; remembers since when this process has been listening to the watermarks."""

    def __init__(self, listening: Listening) -> None:
        self.listening = listening
        self.began: datetime | None = None
        self.woken = asyncio.Event()
        self._waits = False

    async def tick(self, tx: Tx, now: datetime) -> datetime | None:
        """See `judge_due`. The first tick finds what fell due while nobody was there."""
        self.began = self.began or now
        heard = await self.listening.heard(tx, now)
        again = await judge_due(tx, now, heard, self.began)
        self._waits = again is not None and again < now + EVERY
        return again

    def stir(self) -> None:
        """More was heard: a verdict that waits for it need not wait until it is looked at again."""
        if self._waits:
            self.woken.set()


def loops(context: ServiceContext) -> Sequence[Loop]:
    heard = Listening(context.heard)
    timers = Timers(heard)
    context.on_heard.append(timers.stir)
    return (
        Loop("listening", heard.tick, every=listening.EVERY, leads=True),
        Loop("timers", timers.tick, every=EVERY, woken=timers.woken),
    )
