"""What both buses promise: every event arrives, in any order and number of copies, and has one effect."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.bus import Message
from shared.clock import clock
from shared.db import Tx
from shared.db.tx import Lane
from shared.events import Event
from shared.outbox.relay import batched
from shared.trace import tracing
from toy.events import ThingMade
from toy.services import ignore_thing, make_things
from toy.stage import Stage, encoded, until


async def test_every_event_has_its_effect_once(stage: Stage) -> None:
    await stage.make(30)
    await stage.start()
    for _ in range(5):
        await stage.make(20)
    await stage.settled()
    assert await stage.count("keeper.effect") == 130


async def test_a_thousand_events_of_one_transaction_arrive(stage: Stage) -> None:
    await stage.start()
    await stage.make(stage.things(1000, subjects=400))
    await stage.settled()
    assert await stage.count("keeper.effect") == 1000


async def test_events_sent_again_change_nothing(stage: Stage) -> None:
    await stage.start()
    await stage.make(150)
    await stage.settled()
    assert await stage.send_again() == 150
    await stage.drained()


async def test_the_same_message_three_times_has_one_effect(stage: Stage) -> None:
    event = encoded(subject="tripled", data={"amount": 5})
    await stage.start()
    for _ in range(3):
        await stage.inject(event)
    await stage.inject(last := encoded(subject="last"))
    await stage.holds("keeper.effect", 2)
    assert await stage.admin.fetchval("SELECT total FROM keeper.total WHERE subject = 'tripled'") == 5
    assert last != event


async def test_the_same_event_twice_in_one_message_has_one_effect(stage: Stage) -> None:
    event = encoded(subject="doubled", data={"amount": 5})
    await stage.inject(event, encoded(), event)
    await stage.start()
    await stage.holds("keeper.inbox", 2)
    assert await stage.admin.fetchval("SELECT total FROM keeper.total WHERE subject = 'doubled'") == 5
    assert await stage.count("keeper.effect") == 2


@pytest.mark.parametrize("seed", [1])
async def test_order_and_batches_are_never_assumed(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    events = [
        encoded(subject=f"thing {number % 9}", sequence=f"{number:010d}", data={"amount": number})
        for number in range(120)
    ]
    copies = [*events, *chance.sample(events, 40)]
    chance.shuffle(copies)
    await stage.start()
    while copies:
        size = chance.randint(1, 25)
        await stage.inject(*copies[:size], lane=chance.choice(["live", "bulk"]))
        del copies[:size]
    await stage.holds("keeper.effect", 120)
    await stage.inject(encoded(data={"amount": 0}), lane="live")
    await stage.inject(encoded(data={"amount": 0}), lane="bulk")
    await stage.holds("keeper.effect", 122)  # the last of each lane: so no copy is still under way
    assert await stage.admin.fetchval("SELECT sum(total) FROM keeper.total") == sum(range(120))


async def test_versions_of_a_subject_in_any_order_add_up(stage: Stage) -> None:
    things = stage.things(200)
    random.Random(3).shuffle(things)
    await stage.start()
    for begin in range(0, 200, 40):
        await stage.make(things[begin : begin + 40])
    await stage.settled()


async def test_a_transaction_that_commits_long_after_its_ids_were_made_is_found_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.relay._LATE", timedelta(milliseconds=100))
    await stage.start()
    async with stage.maker.transaction() as tx:
        await make_things(tx, stage.things(3))
        await stage.make(5)
        await stage.holds("keeper.effect", 5)
        late = clock.now() + timedelta(milliseconds=300)

        async def floor_has_passed() -> None:
            assert clock.now() > late

        await until(floor_has_passed)
    await stage.settled(within=5)
    assert await stage.count("keeper.effect") == 8


async def test_a_commit_wakes_the_relay_of_its_own_process(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.relay.POLL_SECONDS", 3600.0)
    monkeypatch.setattr("shared.bus.memory.POLL_SECONDS", 3600.0)
    await stage.start()
    database = stage.process.contexts["maker"].database
    await database.transact(lambda tx: make_things(tx, stage.things(4)))
    await stage.settled(within=5)


async def test_what_nobody_waits_for_is_recorded_and_not_queued(stage: Stage) -> None:
    await stage.maker.transact(ignore_thing)
    assert await stage.count("maker.event_log") == 1
    assert await stage.count("maker.outbox") == 0


async def test_what_a_rolled_back_transaction_meant_to_tell_is_never_told(stage: Stage) -> None:
    async def fail(tx: Tx) -> None:
        await make_things(tx, stage.things(3))
        raise LookupError

    with pytest.raises(LookupError):
        await stage.maker.transact(fail)
    await stage.start()
    await stage.make(1)
    await stage.settled()
    assert await stage.count("maker.event_log") == 1


class Order:
    """In which order keeper handled what, by lane."""

    def __init__(self) -> None:
        self.lanes: list[Lane] = []

    async def note(self, tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
        self.lanes += [tx.lane] * len(events)


async def test_five_thousand_bulk_events_do_not_stand_before_a_live_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Order()
    stage.first = order.note
    claims: list[set[Lane]] = []

    def note_claim(rows: Iterable[Any]) -> Iterator[Message]:
        messages = list(batched(rows))
        claims.append({message.lane for message in messages})
        return iter(messages)

    monkeypatch.setattr("shared.outbox.relay.batched", note_claim)
    for _ in range(5):
        await stage.make(stage.things(1000, subjects=100), lane="bulk")
    await stage.make(1)
    await stage.start()
    await stage.settled()
    assert len(order.lanes) == 5001
    assert claims[0] == {"live", "bulk"}  # the newest of all goes with the first
    assert claims[1] == {"bulk"}
    assert order.lanes.index("live") <= 2000  # of what is bulk and under way some may be handled before


async def test_what_is_told_while_handling_bulk_stays_bulk_and_keeps_its_trace(stage: Stage) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    sent: dict[Lane, str] = {}
    for lane in ("live", "bulk"):
        with tracing(parent) as sent[lane]:
            await stage.make([(lane, 1, ThingMade(amount=1))], lane=lane)
    await stage.start()
    await stage.settled()
    told = await stage.admin.fetch(
        "SELECT subject, lane, body::json ->> 'traceparent' AS trace FROM keeper.event_log ORDER BY subject"
    )
    assert [tuple(each) for each in told] == [("bulk", "bulk", sent["bulk"]), ("live", "live", sent["live"])]
    assert all(trace.startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-") for trace in sent.values())


async def test_two_replicas_share_the_work(stage: Stage) -> None:
    other = Stage(stage.urls, stage.admin, stage.broker)
    try:
        await asyncio.gather(stage.start(), other.start())
        for _ in range(6):
            await stage.make(100)
        await stage.settled()
    finally:
        await other.close()
