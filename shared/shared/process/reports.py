"""What a process says about itself: `/health/ready`, `/health/flow` and the gauges behind them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from shared.clock import clock, made_at
from shared.db import Database
from shared.db.engine import connected
from shared.http import metrics
from shared.http.health import FlowReport, ServiceFlow, TaskReport
from shared.inbox.failure import explain
from shared.outbox.watermark import OLDEST_UNSENT

if TYPE_CHECKING:
    from shared.process.assembly import Process, Resident

STALE_SECONDS: Final = 30.0  # an event older than this in the outbox means that nothing flows
GAUGES_SECONDS: Final = 5.0
LAG_SECONDS: Final = 0.5

_QUEUES_OF_A_CONSUMER: Final = 3  # live, bulk, dead

_LOOK = text(
    f"""
    SELECT ({OLDEST_UNSENT}) AS oldest,
           (SELECT count(*) FROM parked) AS parked,
           (SELECT count(*) FROM dead_letter) AS dead_letters
    """
)


async def readiness(resident: Resident) -> str | None:
    """None when the service can serve HTTP, else the reason; the broker does not matter."""
    try:
        async with connected(resident.database.engine) as connection:
            if await resident.service.history.at_head(connection):
                return None
            return "migrations are behind: run `aftercare migrate`"
    except Exception as error:
        return f"the database does not answer: {explain(error)}"


async def flow(process: Process) -> FlowReport:
    """Whether events flow, and where they are stuck."""
    tasks = {
        name: TaskReport(running=state.running, restarts=state.restarts, last_error=state.last_error or None)
        for name, state in process.supervisor.states.items()
    }
    stuck = [f"{name} is down: {task.last_error}" for name, task in tasks.items() if not task.running]
    services: dict[str, ServiceFlow] = {}
    troubles: dict[str, None] = {}
    for resident in process.residents:
        name = resident.service.name
        report = process.buses[name].report()
        if report.trouble:
            troubles[report.trouble] = None
        stuck += [f"{queue} is not consumed" for queue in report.idle_queues]
        try:
            services[name] = await _look(resident.relay_database, _wanted(resident), len(report.idle_queues))
        except Exception as error:
            stuck.append(f"{name}: the database does not answer: {explain(error)}")
            continue
        age = services[name].outbox_oldest_seconds
        if age is not None and age > STALE_SECONDS:
            stuck.append(f"{name} has not sent an event for {age:.0f} s")
    trouble = "; ".join(troubles) or None
    return FlowReport(
        bus=trouble, services=services, tasks=tasks, stuck=(*([f"bus: {trouble}"] if trouble else []), *stuck)
    )


def _wanted(resident: Resident) -> int:
    return _QUEUES_OF_A_CONSUMER if resident.service.consumers else 0


async def _look(database: Database, wanted: int, idle: int) -> ServiceFlow:
    async with database.transaction() as tx:
        row = (await tx.execute(_LOOK)).one()
    age = (clock.now() - made_at(row.oldest)).total_seconds() if row.oldest else None
    return ServiceFlow(
        outbox_oldest_seconds=age,
        parked=row.parked,
        dead_letters=row.dead_letters,
        consumers=max(0, wanted - idle),
        consumers_wanted=wanted,
    )


async def keep_gauges(process: Process) -> None:
    """Write what `flow` finds into the metrics, for ever."""
    while True:
        report = await flow(process)
        for name, service in report.services.items():
            metrics.outbox_age.labels(name).set(service.outbox_oldest_seconds or 0)
            metrics.parked.labels(name).set(service.parked)
            metrics.dead_letters.labels(name).set(service.dead_letters)
            metrics.consumers.labels(name).set(service.consumers)
        await asyncio.sleep(GAUGES_SECONDS)


async def measure_lag() -> None:
    """How late the loop wakes up, for ever: anything above 100 ms is somebody blocking it."""
    while True:
        begun = time.monotonic()
        await asyncio.sleep(LAG_SECONDS)
        metrics.loop_lag.set(max(0.0, time.monotonic() - begun - LAG_SECONDS))
