"""The loop that waits for the next instant at which a clock is to be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.context import ServiceContext
from shared.db import Tx
from shared.process.loops import Loop
from sla_monitor.alerts.actions import judge_due

# A timer that another process arms before the next one known here is found within this time.
EVERY: Final = timedelta(milliseconds=250)


class Timers:
    """Judges what is due; remembers since when this process has been listening to the watermarks."""

    def __init__(self, watermarks: Mapping[str, datetime]) -> None:
        self.watermarks = watermarks
        self.began: datetime | None = None

    async def tick(self, tx: Tx, now: datetime) -> datetime | None:
        """See `judge_due`. The first tick finds what fell due while nobody was there."""
        self.began = self.began or now
        return await judge_due(tx, now, self.watermarks, self.began)


def loops(context: ServiceContext) -> Sequence[Loop]:
    return (Loop("timers", Timers(context.watermarks).tick, every=EVERY),)
