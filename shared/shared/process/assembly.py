"""One process of one to five services: its parts, and the order they start and stop in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from shared.bus import Bus, Topology, Watermark
from shared.bus.memory import MemoryBus
from shared.clock import SYNC_EVERY, clock
from shared.context import ServiceContext
from shared.db import Database
from shared.errors import AftercareError
from shared.http.health import FlowReport
from shared.inbox import Receiver
from shared.inbox.parked import retry_parked
from shared.outbox.relay import Relay
from shared.outbox.watermark import announce_for_ever
from shared.process.loops import Loop
from shared.process.reports import flow, keep_gauges, measure_lag, readiness
from shared.process.retention import retention_loops
from shared.process.service import Service
from shared.process.supervise import Supervisor
from shared.settings import Settings

FLUSH_SECONDS: Final = 3.0
WATCH_SECONDS: Final = 10.0
LOOK_AGAIN: Final = 0.1  # seconds until a schema that was behind is looked at again
KEEP_INBOX_LONGER: Final = 30  # days the inbox outlives the event log, so that any re-send is recognised


class CutOff(AftercareError):
    """The broker answers others but not this process; it ends, to be started anew."""

    kind = "unavailable"


class Resident:
    """One service inside the process: its databases, its way in and its way out."""

    def __init__(self, service: Service, settings: Settings, topology: Topology) -> None:
        self.service = service
        self.settings = settings
        listening = topology.listened_from(service.name)
        url = str(settings.database_url)
        self.database = Database(service.name, url, pool_size=settings.database_pool, listening=listening)
        # The relay never waits for a connection that requests hold, nor they for the relay's.
        self.relay_database = Database(service.name, url, pool_size=2, listening=listening, purpose="relay")
        self.receiver = Receiver(
            self.database, service.consumers, inbox_days=settings.event_log_days + KEEP_INBOX_LONGER
        )
        self.bus: Bus | None = None
        self.context = ServiceContext(service.name, self.database, settings, taken=self._taken)

    def _taken(self) -> datetime:
        assert self.bus is not None, "asked before the process was assembled"
        return self.bus.taken()

    def loops(self) -> Sequence[Loop]:
        """The service's own, and those every service has."""
        parked = Loop("parked", partial(retry_parked, self.receiver), every=timedelta(seconds=1))
        return (*self.service.loops(self.context), parked, *retention_loops(self.settings, KEEP_INBOX_LONGER))

    def heard(self, watermark: Watermark) -> None:
        """Keep the newest watermark of each producer."""
        self.context.watermarks[watermark.producer] = watermark.until
        for told in self.context.on_heard:
            told()

    async def close(self) -> None:
        await self.database.close()
        await self.relay_database.close()


class Process:
    """Starts, watches and stops its residents."""

    def __init__(
        self, services: Sequence[Service], settings: Mapping[str, Settings], topology: Topology
    ) -> None:
        self.residents = [Resident(service, settings[service.name], topology) for service in services]
        self.supervisor = Supervisor()
        self.draining = False
        self.cut_off = asyncio.Event()
        self._timed = asyncio.Event()
        self._begun = asyncio.Event()
        self._awaited = "waiting for the database"
        self.buses = self._buses(topology)
        for each in self.residents:
            each.bus = self.buses[each.service.name]
        self._relays = {
            each.service.name: Relay(each.relay_database, self.buses[each.service.name])
            for each in self.residents
        }

    def _buses(self, topology: Topology) -> dict[str, Bus]:
        if self.residents[0].settings.bus == "memory":
            memory = MemoryBus({each.service.name: each.relay_database for each in self.residents}, topology)
            return {each.service.name: memory for each in self.residents}
        from shared.bus.rabbit import RabbitBus  # 3 MB that the all-in-one never needs

        return {
            each.service.name: RabbitBus(str(each.settings.amqp_url), each.service.name, topology)
            for each in self.residents
        }

    @property
    def contexts(self) -> dict[str, ServiceContext]:
        return {each.service.name: each.context for each in self.residents}

    def follow_commits(self, told: Callable[[str], None]) -> None:
        """Call `told(service)` after each commit of this process that wrote events."""
        for resident in self.residents:
            resident.database.on_emitted.append(partial(told, resident.service.name))

    def start(self) -> None:
        """Begin when the database answers and its schemas are there; until it answers, requests get 503."""
        self.supervisor.start("clock", self._keep_time)
        self.supervisor.start("begin", self._begin)

    async def begun(self) -> None:
        """Wait until everything has been started."""
        await self._begun.wait()

    async def stop(self) -> None:
        """Finish what is under way, send what is waiting, let everything go."""
        self.draining = True
        await self.supervisor.stop()
        with suppress(Exception):
            async with asyncio.timeout(FLUSH_SECONDS):
                await asyncio.gather(*(relay.flush() for relay in self._relays.values()))
        for bus in self.buses.values():
            await bus.close()
        for resident in self.residents:
            await resident.close()

    async def readiness(self) -> dict[str, str | None]:
        if not self._begun.is_set():
            return {each.service.name: f"starting: {self._awaited}" for each in self.residents}
        reasons = await asyncio.gather(*(readiness(each) for each in self.residents))
        return {each.service.name: reason for each, reason in zip(self.residents, reasons, strict=True)}

    async def flow(self) -> FlowReport:
        return await flow(self)

    async def _keep_time(self) -> None:
        while True:
            await clock.sync(self.residents[0].database.time)
            self._timed.set()
            await asyncio.sleep(SYNC_EVERY.total_seconds())

    async def _begin(self) -> None:
        await self._timed.wait()
        for resident in self.residents:
            await self._schema_of(resident)
        for resident in self.residents:
            self._start_resident(resident)
        self.supervisor.start("watchdog", self._watch)
        self.supervisor.start("gauges", partial(keep_gauges, self))
        self.supervisor.start("lag", measure_lag)
        self._begun.set()
        await asyncio.Event().wait()

    async def _schema_of(self, resident: Resident) -> None:
        """Wait until it is at least as new as the code: all work on an older one could only fail."""
        while reason := await readiness(resident):
            self._awaited = reason
            await asyncio.sleep(LOOK_AGAIN)

    def _start_resident(self, resident: Resident) -> None:
        name, bus, receiver = resident.service.name, self.buses[resident.service.name], resident.receiver
        relay = self._relays[name]
        resident.database.on_emitted.append(relay.wake)

        def keep(part: str, work: Callable[..., object], *arguments: object) -> None:
            self.supervisor.start(f"{name}.{part}", partial(work, *arguments))  # type: ignore[arg-type]

        keep("relay", relay.run)
        keep("watermark", announce_for_ever, resident.relay_database, bus)
        if resident.service.hears:
            keep("hear", bus.hear, resident.heard)
        loops = resident.loops()
        if resident.service.consumers:
            keep("live", _led, loops, partial(bus.listen, receiver, "live"))
            keep("bulk", _led, loops, partial(bus.listen, receiver, "bulk"))
            keep("dead", bus.listen_dead, receiver)
        for loop in loops:
            keep(loop.name, loop.run, resident.database)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for bus in self.buses.values():
                if await bus.stuck():
                    self.cut_off.set()
                    raise CutOff


async def _led(loops: Sequence[Loop], work: Callable[[], Awaitable[None]]) -> None:
    """Do the work once those loops that lead have been called."""
    for loop in loops:
        if loop.leads:
            await loop.called.wait()
    await work()
