"""Rest, then judgement."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aio_pika
import asyncpg
from aio_pika.exceptions import AMQPError

from chaos.checkers import (
    SHOWN,
    Database,
    NotQuiescent,
    Report,
    check_answers,
    check_deliveries,
    check_effects,
    check_sessions,
    quiescent,
)
from chaos.journal import read_journal
from chaos.processes import Replica
from shared.bus.topology import LANES, dead_queue_name, queue_name
from testbed.ground import Ground
from testbed.things import Things
from toy.services import TOPOLOGY

SCHEMAS: Final = ("maker", "keeper")
CREATED: Final = "SELECT key, id FROM maker.thing"
_QUEUES: Final = (*(queue_name("keeper", lane) for lane in LANES), dead_queue_name("keeper"))

# Events that their listener has not noted. More than the queues tell: also what waits in a process's memory.
_NOT_RECEIVED: Final = """
    SELECT count(*) FROM maker.event_log
    WHERE type = ANY($1::text[]) AND NOT EXISTS (SELECT FROM keeper.inbox WHERE event_id = event_log.id)
"""


@dataclass(frozen=True)
class Judge:
    """Waits until nothing moves, then asks every checker."""

    ground: Ground
    things: Things
    journal: Path
    replicas: Sequence[Replica]

    async def verdict(self, within: float) -> list[Report]:
        """All reports; not coming to rest within so many seconds is a violation of its own."""
        db = await asyncpg.connect(self.ground.database_url("postgres"))
        try:
            rest = await self._come_to_rest(db, within)
            return [
                rest,
                await check_answers(db, read_journal(self.journal), CREATED),
                await check_deliveries(db, SCHEMAS, TOPOLOGY.listeners),
                await check_effects(db, {"keeper": "keeper.effect"}),
                await self._check_totals(db),
                await check_sessions(db),
                check_logs([replica.log for replica in self.replicas]),
            ]
        finally:
            await db.close()

    async def _come_to_rest(self, db: Database, within: float) -> Report:
        async def elsewhere() -> Mapping[str, int]:
            (row,) = await db.fetch(_NOT_RECEIVED, sorted(TOPOLOGY.listened_from("maker")))
            waiting = {"events not received": row["count"]}
            return (
                waiting if row["count"] or not self.ground.rabbit else await in_queues(self.ground, _QUEUES)
            )

        try:
            await quiescent(db, SCHEMAS, within, elsewhere=elsewhere)
        except NotQuiescent as error:
            return Report("rest", 1, {"not_at_rest": 1}, (str(error),))
        return Report("rest", 1, {}, ())

    async def _check_totals(self, db: Database) -> Report:
        """Every subject's sum and number of events are what was made of it."""
        found = {
            row["subject"]: (row["total"], row["events"])
            for row in await db.fetch("SELECT subject, total, events FROM keeper.total")
        }
        amounts, counts = self.things.amounts, self.things.counts
        wrong = [
            f"{subject}: {found.get(subject)} instead of {(amounts[subject], counts[subject])}"
            for subject in sorted(found.keys() | counts.keys())
            if found.get(subject) != (amounts[subject], counts[subject])
        ]
        kinds = {"wrong_total": len(wrong)} if wrong else {}
        return Report("totals", len(counts), kinds, tuple(wrong[:SHOWN]))


async def in_queues(ground: Ground, queues: Iterable[str]) -> Mapping[str, int]:
    """Messages that wait in each; a broker that cannot be asked counts as one."""
    try:
        async with await aio_pika.connect(ground.amqp_url("admin"), timeout=3) as connection:
            channel = await connection.channel()
            counts = {}
            for name in queues:
                queue = await channel.get_queue(name)
                counts[name] = queue.declaration_result.message_count or 0
            return counts
    except (AMQPError, OSError) as error:
        return {f"the broker ({type(error).__name__})": 1}


def check_logs(logs: Sequence[Path]) -> Report:
    """No task died unseen, no connection was left for the garbage collector, no error for the web server."""
    lost = ("never retrieved", "never awaited", "garbage collector", "Exception in ASGI application")
    lines = [
        f"{log.stem}: {line[:500]}"
        for log in logs
        for line in log.read_text(errors="replace").splitlines()
        if any(sign in line for sign in lost)
    ]
    kinds = {"left_behind": len(lines)} if lines else {}
    return Report("C9 logs", len(logs), kinds, tuple(lines[:SHOWN]))


async def all_ready(replicas: Sequence[Replica], within: float = 60.0) -> None:
    await asyncio.gather(*(replica.ready(within) for replica in replicas))
