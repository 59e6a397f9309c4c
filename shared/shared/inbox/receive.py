"""One batch, one transaction: new events are noted, their subjects locked, each handler called once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text

from shared import crash
from shared.clock import clock
from shared.db import Database, Tx, lock_subjects
from shared.db.tx import Lane
from shared.errors import Outage
from shared.events import Event
from shared.inbox import failure
from shared.inbox.consumer import Consumer, Handler
from shared.inbox.decode import Decoded, Decoder

# Bounds one transaction. Advisory locks live in PostgreSQL's shared memory, which is sized for thousands.
MOST_EVENTS: Final = 800
MOST_SUBJECTS: Final = 400
# Their subjects differ: while PostgreSQL works for one transaction, the other is prepared.
SIDE_BY_SIDE: Final = 2

Batch = Sequence[Event[Any]]

# In key order, so that two replicas with the same events wait for each other instead of dying.
_NOTE = text(
    """
    INSERT INTO inbox (event_id, type, received_at)
    SELECT event_id, type, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:types AS text[])) AS arrived (event_id, type)
    ON CONFLICT DO NOTHING RETURNING event_id
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("types", type_=ARRAY(Text)))


class Receiver:
    """What one service does with messages, whichever bus brought them.

    When `receive` returns, each event of the messages has had its effect, is parked, or is a dead letter:
    the bus may forget them. When it raises `Outage` nothing is decided and the same messages come again.
    """

    def __init__(self, database: Database, consumers: Sequence[Consumer], *, inbox_days: int = 120) -> None:
        self.service = database.service
        self.database = database
        self.consumers = consumers
        self._types: dict[Handler, set[str]] = {}
        for each in consumers:
            self._types.setdefault(each.handler, set()).add(each.payload.type)
        self._decoder = Decoder({each.payload for each in consumers}, timedelta(days=inbox_days))

    async def receive(self, bodies: Sequence[bytes], lane: Lane) -> None:
        """Take the effect of `bodies`, CloudEvents JSON batches."""
        decoded = self.decode(bodies)
        if decoded.poison:
            await self._guarded(partial(failure.bury, poison=decoded.poison), lane)
        # The same event may be in a batch twice.
        events = list({event.id: event for event in decoded.events}.values())
        waiting = batches(events)

        async def take() -> None:
            for batch in waiting:
                await self._apply(batch, decoded.sources, lane)

        await _all(take() for _ in range(SIDE_BY_SIDE))

    def decode(self, bodies: Sequence[bytes]) -> Decoded:
        """The events among `bodies` that this service reads, and what is none."""
        return self._decoder.decode(bodies, clock.now())

    async def bury(self, bodies: Sequence[bytes], reason: str) -> None:
        """Keep messages that the broker gave up on as dead letters."""
        poison = [failure.Poison(body, reason, "given up by the broker") for body in bodies]
        await self._guarded(partial(failure.bury, poison=poison), "live")

    async def _apply(self, batch: Batch, sources: dict[Any, bytes], lane: Lane) -> None:
        try:
            await self.database.transact(partial(self._take_new, batch=batch), lane=lane)
        except Exception as error:
            if failure.is_outage(error):
                raise Outage(what="PostgreSQL") from error
            if len(batch) == 1:
                park = partial(failure.park, event=batch[0], source=sources[batch[0].id], error=error)
                await self._guarded(park, lane)
                return
            # A bug in the handling of one event must not hold up the others: find it by halves.
            middle = len(batch) // 2
            await self._apply(batch[:middle], sources, lane)
            await self._apply(batch[middle:], sources, lane)

    async def _guarded(self, work: Any, lane: Lane) -> None:
        try:
            await self.database.transact(work, lane=lane)
        except Exception as error:
            if failure.is_outage(error):
                raise Outage(what="PostgreSQL") from error
            raise

    async def _take_new(self, tx: Tx, batch: Batch) -> None:
        ordered = sorted((each.id.int, each.id, each.type) for each in batch)
        ids = [id for _, id, _ in ordered]
        noted = await tx.execute(_NOTE, {"ids": ids, "types": [type for *_, type in ordered], "now": tx.now})
        fresh = set(noted.scalars())
        if fresh:
            await self.handle(tx, [event for event in batch if event.id in fresh])
        crash.reach("consumer.handled")

    async def handle(self, tx: Tx, events: Batch) -> None:
        """Lock the subjects of `events` and call each handler once with all it reads of them."""
        await lock_subjects(tx, {event.subject for event in events})
        for handler, types in self._types.items():
            mine = [event for event in events if event.type in types]
            if mine:
                await handler(tx, mine)


async def _all(works: Iterable[Awaitable[None]]) -> None:
    """Wait for all of them, also when one fails: none goes on behind our back."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if outcome is not None:
            raise outcome


def batches(events: Sequence[Event[Any]]) -> Iterator[Batch]:
    """Sorted by subject, then version, in pieces that fit one transaction."""
    ordered = sorted(events, key=lambda event: (event.subject, event.sequence, event.time, event.id))
    piece: list[Event[Any]] = []
    subjects = 0
    for event in ordered:
        new_subject = not piece or piece[-1].subject != event.subject
        if len(piece) == MOST_EVENTS or (new_subject and subjects == MOST_SUBJECTS):
            yield piece
            piece, subjects = [], 0
            new_subject = True
        piece.append(event)
        subjects += new_subject
    if piece:
        yield piece
