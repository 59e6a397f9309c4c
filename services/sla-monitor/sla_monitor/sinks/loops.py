"""The loop that begins the lanes of sinks, and ends them with itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared.context import ServiceContext
from shared.db import Database
from shared.outgoing import Allowed, Outgoing
from shared.process.loops import Loop
from sla_monitor.sinks.lanes import Lanes

EVERY: Final = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanesLoop(Loop):
    """Begins a lane wherever there is something to do."""

    lanes: Lanes

    async def run(self, database: Database) -> None:
        try:
            await Loop.run(self, database)
        finally:
            await self.lanes.stop()


def outgoing_of(context: ServiceContext) -> Outgoing:
    """The way out of this process, as the operator allows it."""
    return Outgoing(Allowed.read(context.settings.allowed_hosts), context.settings.public_url)


def loops(context: ServiceContext) -> Sequence[Loop]:
    lanes = Lanes(context.database, context.keep(outgoing_of))
    return (LanesLoop("sinks", lanes.tick, every=EVERY, lanes=lanes),)
