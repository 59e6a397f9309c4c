"""A bug in the handling of one event: found by halves, parked, tried again, at last buried, and replayed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.db import Tx
from shared.events import Event
from shared.inbox.failure import ATTEMPTS
from shared.inbox.parked import replay_dead_letters
from shared.outbox.emit import emit
from toy.events import ThingKept, ThingMade
from toy.stage import Stage


class Bug:
    """Makes keeper's handler fail on events of one amount, after it has told the world."""

    def __init__(self, stage: Stage, amount: int) -> None:
        self.present = True
        self.amount = amount
        self.met = 0
        stage.first = self._run_into

    async def _run_into(self, tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
        if self.present and any(event.data.amount == self.amount for event in events):
            self.met += len(events) == 1
            emit(tx, ThingKept(total=-1), subject="never told", sequence=1)
            raise LookupError("the value in question")


async def replay(stage: Stage) -> int:
    """Replay all of keeper's dead letters; how many could be."""
    receiver = stage.process.residents[1].receiver
    ids: list[UUID] = [row["id"] for row in await stage.admin.fetch("SELECT id FROM keeper.dead_letter")]
    return await receiver.database.transact(lambda tx: replay_dead_letters(receiver, tx, ids))


async def test_the_culprit_is_parked_and_its_99_neighbours_take_effect(stage: Stage) -> None:
    bug = Bug(stage, amount=42)
    await stage.make(100)
    await stage.start()
    await stage.holds("keeper.effect", 99)
    assert await stage.count("keeper.parked") == 1
    assert await stage.count("keeper.inbox") == 100  # the parked row owns it, not the bus
    bug.present = False
    await stage.settled()
    assert await stage.count("keeper.dead_letter") == 0


async def test_after_five_attempts_it_is_a_dead_letter_that_can_be_replayed(stage: Stage) -> None:
    bug = Bug(stage, amount=7)
    await stage.make(20, lane="bulk")
    await stage.start()
    await stage.holds("keeper.dead_letter", 1)
    assert bug.met == ATTEMPTS
    letter = await stage.admin.fetchrow("SELECT * FROM keeper.dead_letter")
    assert (letter["reason"], letter["attempts"], letter["lane"]) == ("failed too often", ATTEMPTS, "bulk")
    assert letter["error"].startswith("LookupError at _run_into")
    assert await stage.count("keeper.parked") == 0
    assert await stage.count("keeper.effect") == 19
    assert await stage.count("keeper.event_log WHERE subject = 'never told'") == 0
    bug.present = False
    assert await replay(stage) == 1
    await stage.settled()
    assert await stage.count("keeper.effect") == 20


async def test_a_replay_that_fails_again_ends_in_the_same_place(stage: Stage) -> None:
    bug = Bug(stage, amount=3)
    await stage.make(3)
    await stage.start()
    await stage.holds("keeper.dead_letter", 1)
    await replay(stage)
    await stage.holds("keeper.dead_letter", 1)
    await stage.holds("keeper.parked", 0)
    assert bug.met == 2 * ATTEMPTS
    assert await stage.count("keeper.effect") == 2


async def test_copies_of_a_parked_event_change_nothing(stage: Stage) -> None:
    bug = Bug(stage, amount=5)
    await stage.make(10)
    await stage.start()
    await stage.holds("keeper.dead_letter", 1)
    body = (await stage.admin.fetchval("SELECT body FROM keeper.dead_letter"))[1:-1]
    for _ in range(3):
        await stage.inject(body)
    await stage.make(1)
    await stage.holds("keeper.effect", 10)
    assert await stage.count("keeper.dead_letter") == 1
    assert bug.met == ATTEMPTS
    bug.present = False
    await replay(stage)
    await stage.inject(body)
    await stage.drained()


async def test_a_parked_event_holds_up_nobody_else_of_its_subject(stage: Stage) -> None:
    bug = Bug(stage, amount=1)
    await stage.start()
    await stage.make(stage.things(1, subjects=1))
    await stage.holds("keeper.parked", 1)
    await stage.make(stage.things(10, subjects=1))
    await stage.holds("keeper.effect", 10)
    bug.present = False
    if await stage.count("keeper.dead_letter"):
        await replay(stage)
    await stage.settled()
