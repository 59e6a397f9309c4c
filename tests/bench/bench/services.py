"""The toy services with one more event, whose handler emits none, and the shortest way in there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bench import minimal
from bench.events import ThingCounted
from shared.bus import Topology
from shared.db import Tx, insert_rows
from shared.events import Event
from shared.inbox import on
from shared.process.service import Service, topology_of
from toy import services as toy
from toy.events import ThingMade


async def on_thing_counted(tx: Tx, events: Sequence[Event[ThingCounted]]) -> None:
    """The toy's `on_thing_made` without its events."""
    subjects = sorted({event.subject for event in events})
    found = await tx.execute(toy.TOTALS, {"subjects": subjects})
    totals = {row.subject: (row.total, row.events) for row in found}
    for event in events:
        amount, count = totals.get(event.subject, (0, 0))
        totals[event.subject] = amount + event.data.amount, count + 1
    await insert_rows(
        tx,
        toy.total,
        [{"subject": each, "total": amount, "events": count} for each, (amount, count) in totals.items()],
        tail="ON CONFLICT (subject) DO UPDATE SET total = EXCLUDED.total, events = EXCLUDED.events",
    )
    await insert_rows(tx, toy.effect, [{"event_id": event.id, "subject": event.subject} for event in events])


maker: Final = replace(toy.maker, router=minimal.router)
keeper: Final = Service(
    "keeper",
    consumers=(on(ThingMade, toy.on_thing_made), on(ThingCounted, on_thing_counted)),
    metadata=toy.kept,
    migrations=toy.keeper.migrations,
)
TOPOLOGY: Final[Topology] = topology_of([maker, keeper])
