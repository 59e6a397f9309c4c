"""Rest, then judgement, for the five services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from allinone.access import NAMES
from allinone.services import topology
from chaos.checkers import (
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
from shared.bus.topology import LANES, dead_queue_name, queue_name
from testbed.ground import Ground
from testbed.installation import Installation
from testbed.promises import (
    CREATED,
    check_clocks,
    check_consequences,
    check_letters,
    check_nothing_else,
    check_owners,
    check_tickets,
)
from testbed.verdict import check_logs, in_queues
from testbed.wishes import Wish

LISTENERS: Final = topology().listeners
CONSUMERS: Final = tuple(sorted({name for names in LISTENERS.values() for name in names}))
_QUEUES: Final = (
    *(queue_name(name, lane) for name in CONSUMERS for lane in LANES),
    *(dead_queue_name(name) for name in CONSUMERS),
)
_EVENTS: Final = " UNION ALL ".join(f"SELECT id, type FROM {name}.event_log" for name in NAMES)
# More than the queues tell: also what waits in a process's memory.
_INBOXES: Final = " UNION ALL ".join(
    f"SELECT '{name}' AS consumer, event_id FROM {name}.inbox" for name in CONSUMERS
)
# More than the queues tell: also what waits in a process's memory.
_NOT_RECEIVED: Final = f"""
    SELECT heard.consumer, count(*) AS n FROM ({_EVENTS}) AS event
    JOIN unnest($1::text[], $2::text[]) AS heard (type, consumer) USING (type)
    LEFT JOIN ({_INBOXES}) AS inbox ON inbox.consumer = heard.consumer AND inbox.event_id = event.id
    WHERE inbox.event_id IS NULL GROUP BY heard.consumer
"""


@dataclass(frozen=True)
class SuiteJudge:
    """Waits until nothing moves, then asks every checker; `accepted` and `refused` are references."""

    suite: Installation
    journal: Path
    wishes: list[Wish]
    accepted: list[str]
    refused: list[str]

    async def verdict(self, within: float) -> list[Report]:
        """All reports; not coming to rest within so many seconds is a violation of its own."""
        db = await asyncpg.connect(self.suite.ground.database_url("postgres"))
        try:
            return [
                await come_to_rest(db, self.suite.ground, within),
                await check_answers(db, read_journal(self.journal), CREATED),
                await check_nothing_else(db, self.accepted, self.refused),
                *await check_suite(db, self.wishes),
                await check_sessions(db),
                check_logs(self.suite.logs),
            ]
        finally:
            await db.close()


async def check_suite(db: asyncpg.Connection, wishes: list[Wish]) -> list[Report]:
    """What the tables alone tell."""
    meant = [(each.reference, each.severity, each.kind) for each in wishes]
    return [
        await check_tickets(db, meant),
        await check_owners(db),
        await check_clocks(db),
        await check_deliveries(db, NAMES, LISTENERS),
        await check_effects(db, {"sla": "sla.history"}),
        await check_consequences(db),
        await check_letters(db),
    ]


def check_invariants(counts: Mapping[str, int]) -> Report:
    """What the services themselves count as never to be."""
    found = {kind: count for kind, count in counts.items() if count}
    return Report("invariants", len(counts), found, ())


async def come_to_rest(db: Database, ground: Ground, within: float) -> Report:
    async def elsewhere() -> Mapping[str, int]:
        pairs = sorted((type_, name) for type_, names in LISTENERS.items() for name in names)
        rows = await db.fetch(_NOT_RECEIVED, [type_ for type_, _ in pairs], [name for _, name in pairs])
        waiting = {f"events not received by {row['consumer']}": row["n"] for row in rows}
        return waiting if waiting or not ground.rabbit else await in_queues(ground, _QUEUES)

    try:
        await quiescent(db, NAMES, within, elsewhere=elsewhere)
    except NotQuiescent as error:
        return Report("rest", 1, {"not_at_rest": 1}, (str(error),))
    return Report("rest", 1, {}, ())
