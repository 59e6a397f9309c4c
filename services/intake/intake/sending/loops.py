"""The loop that begins the lanes, and ends them with itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from intake.sending import acknowledgements
from intake.sending.lanes import Lanes
from intake.sending.mail import server_of
from shared.context import ServiceContext
from shared.db import Database, Tx
from shared.outgoing import Allowed, Outgoing
from shared.process.loops import Loop

EVERY: Final = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanesLoop(Loop):
    """Begins a lane wherever there is something to send."""

    lanes: Lanes

    async def run(self, database: Database) -> None:
        try:
            await Loop.run(self, database)
        finally:
            await self.lanes.stop()


@dataclass(frozen=True, slots=True)
class Acknowledging:
    """Tells customers that it reached us, as soon as it is known by when they hear, or without that."""

    lanes: Lanes
    enabled: bool

    async def tick(self, tx: Tx, now: datetime) -> None:
        """Acknowledge what is due."""
        if self.enabled:
            await acknowledgements.acknowledge(tx, self.lanes.ways)


def lanes_of(context: ServiceContext) -> Lanes:
    """The lanes of a process, as its operator lets them out."""
    settings = context.settings
    way_out = Outgoing(Allowed.read(settings.allowed_hosts), settings.public_url)
    return Lanes(context, way_out, server_of(settings))


def acknowledging(context: ServiceContext) -> Loop:
    loop = Acknowledging(context.keep(lanes_of), context.settings.acknowledge)
    return Loop("acknowledgements", loop.tick, every=timedelta(seconds=2))


def sending(context: ServiceContext) -> LanesLoop:
    lanes = context.keep(lanes_of)
    return LanesLoop("sending", lanes.tick, every=EVERY, lanes=lanes)
