"""Each guard is needed: with it a scenario ends well; without it the same judges find what it prevents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from types import SimpleNamespace
from typing import Any

import aio_pika
import pytest
from sqlalchemy import Table, text

from chaos.databases import empty
from shared.bus import Message, Outcome
from shared.bus.memory import MemoryBus
from shared.bus.rabbit import RabbitBus
from shared.bus.topology import EXCHANGE
from shared.clock import clock
from shared.db import Database, Tx, engine, insert_rows
from shared.db.tx import Lane
from shared.events import Event
from shared.inbox import Receiver
from shared.outbox import relay
from shared.outbox.emit import write_events
from shared.outbox.relay import Relay
from toy.events import ThingMade
from toy.services import keeper, make_things, total
from toy.stage import TOPOLOGY, TYPE, WITHIN, Broker, Stage, encoded, nothing_first, until

guarded = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "unguarded"])
on_rabbitmq = pytest.mark.parametrize("bus", ["rabbitmq"], indirect=True)
on_neither = pytest.mark.parametrize("bus", ["memory"], indirect=True)  # where no bus is involved


def judged(guarded: bool, prevented: str) -> AbstractContextManager[Any]:
    """The block must succeed with the guard, and without it complain of what is `prevented`."""
    return nullcontext() if guarded else pytest.raises(AssertionError, match=prevented)


async def verdict(stage: Stage, guarded: bool, prevented: str) -> None:
    """When all copies have passed: the judges are content, or without the guard see what is `prevented`."""
    await stage.passed()
    with judged(guarded, prevented):
        await stage.settled(within=WITHIN if guarded else 0.5)


@asynccontextmanager
async def without_inbox_key(stage: Stage) -> AsyncIterator[None]:
    await stage.admin.execute("ALTER TABLE keeper.inbox DROP CONSTRAINT inbox_pkey")
    try:
        yield
    finally:
        await stage.stop()
        await empty(stage.admin, "keeper.inbox")
        await stage.admin.execute("ALTER TABLE keeper.inbox ADD PRIMARY KEY (event_id)")


@guarded
async def test_the_key_of_the_inbox_prevents_second_effects(stage: Stage, guarded: bool) -> None:
    async with nullcontext() if guarded else without_inbox_key(stage):
        await stage.start()
        await stage.make(20)
        await stage.settled()
        await stage.send_again()
        await verdict(stage, guarded, "'effect_repeated': 20")


@guarded
async def test_acknowledging_after_the_commit_prevents_loss(
    stage: Stage, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = Receiver.receive
    under_way: list[asyncio.Task[None]] = []

    async def acknowledge_first(receiver: Receiver, bodies: Sequence[bytes], lane: Lane) -> None:
        under_way.append(asyncio.create_task(receive(receiver, bodies, lane)))

    taken = asyncio.Event()

    async def hang(tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
        taken.set()
        await asyncio.Event().wait()

    stage.first = hang
    with monkeypatch.context() as patched:
        if not guarded:
            patched.setattr(Receiver, "receive", acknowledge_first)
        await stage.start()
        await stage.make(20)
        await asyncio.wait_for(taken.wait(), 10)
        await stage.holds("witness.inbox", 20)
        for task in under_way:
            task.cancel()
        await stage.stop()
    stage.first = nothing_first
    await stage.start()
    await verdict(stage, guarded, "'missing': 20")


async def unbind(broker: Broker) -> None:
    async with broker.channel() as channel:
        for queue in ("keeper.live", "witness.live"):
            await (await channel.get_queue(queue)).unbind(EXCHANGE, TYPE)


@on_rabbitmq
@pytest.mark.parametrize(
    ("mutant", "prevented"),
    [
        ("none", ""),
        ("nothing is raised", "keeper.effect has 0 rows"),
        ("any answer will do", "'missing': 10"),
    ],
)
async def test_telling_returned_messages_apart_prevents_loss_and_standstill(
    stage: Stage, broker: Broker, mutant: str, prevented: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel_of = aio_pika.Connection.channel

    def without(connection: aio_pika.Connection, *, on_return_raises: bool = False, **options: Any) -> Any:
        return channel_of(connection, on_return_raises=False, **options)

    async def tried() -> None:
        relay_of_maker = stage.process.supervisor.states["maker.relay"]
        assert relay_of_maker.restarts or await stage.count("maker.outbox WHERE attempts = 0") == 0

    if mutant != "none":
        monkeypatch.setattr(aio_pika.Connection, "channel", without)
    if mutant == "any answer will do":
        monkeypatch.setattr("shared.bus.rabbit.Basic", SimpleNamespace(Ack=object))
    async with broker.channel() as channel:
        for queue in ("keeper.live", "witness.live"):
            await (await channel.get_queue(queue)).unbind(EXCHANGE, TYPE)
    await stage.make(5)
    await stage.start()
    await until(tried)
    await stage.make(3, lane="bulk")  # can be routed
    with judged(mutant == "none", prevented):
        await stage.holds("keeper.effect", 3, within=WITHIN if mutant == "none" else 2)
        await stage.stop()  # between two bindings what is sent would reach one of the listeners only
        await broker.declare()
        await stage.start()
        await stage.passed()
        await stage.settled(within=WITHIN if mutant == "none" else 0.5)


@guarded
@on_rabbitmq
async def test_looking_for_the_listeners_queues_prevents_loss(
    stage: Stage, broker: Broker, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def do_not_look(bus: RabbitBus, publisher: object) -> None:
        """The broker confirms what only keeper's queue receives."""

    async def sent_or_refused() -> None:
        trouble = stage.process.buses["maker"].report().trouble or ""
        assert "not declared" in trouble or await stage.count("maker.outbox") == 0

    if not guarded:
        monkeypatch.setattr(RabbitBus, "_check_listeners", do_not_look)
    async with broker.channel() as channel:
        await channel.queue_delete("witness.live")
    await stage.make(8)
    await stage.start()
    await until(sent_or_refused)
    await broker.declare()
    await verdict(stage, guarded, "'missing': 8")


@guarded
@on_neither
async def test_the_subject_lock_prevents_lost_updates(
    stage: Stage, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_read = asyncio.Barrier(2)

    async def write_after_the_other_has_read(tx: Tx, table: Table, rows: Any, **options: Any) -> Any:
        if table is total:
            with suppress(TimeoutError):  # under the lock the other never comes
                async with asyncio.timeout(0.5):
                    await both_have_read.wait()
        return await insert_rows(tx, table, rows, **options)

    async def do_not_lock(tx: Tx, subjects: object) -> None:
        """Both replicas read the same total."""

    monkeypatch.setattr("toy.services.insert_rows", write_after_the_other_has_read)
    if not guarded:
        monkeypatch.setattr("shared.inbox.receive.lock_subjects", do_not_lock)
    replicas = [Receiver(stage.database("keeper"), keeper.consumers) for _ in range(2)]
    bodies = [b"[" + encoded(subject="both", data={"amount": 5}) + b"]" for _ in replicas]
    await asyncio.gather(*(each.receive([body], "live") for each, body in zip(replicas, bodies, strict=True)))
    for each in replicas:
        await each.database.close()
    found = await stage.admin.fetchval("SELECT total FROM keeper.total")
    with judged(guarded, "an update is lost"):
        assert found == 10, "an update is lost"


class Death(BaseException):
    """The process ends here."""


@asynccontextmanager
async def events_before(database: Database, *, lane: Lane = "live") -> AsyncIterator[Tx]:
    """As `Database.transaction`, but the events are committed before the change."""
    async with database.engine.connect() as connection:
        tx = Tx(connection, database.service, clock.now(), lane)
        yield tx
        await committed_apart(database, tx)
        await engine._settled(connection.commit())


@asynccontextmanager
async def events_after(database: Database, *, lane: Lane = "live") -> AsyncIterator[Tx]:
    """As `Database.transaction`, but the events are committed after the change."""
    async with database.engine.connect() as connection:
        tx = Tx(connection, database.service, clock.now(), lane)
        yield tx
        await engine._settled(connection.commit())
        await committed_apart(database, tx)


async def committed_apart(database: Database, tx: Tx) -> None:
    async with database.engine.begin() as connection:
        apart = Tx(connection, tx.service, tx.now, tx.lane)
        apart.drafts = tx.drafts
        await write_events(apart, database.listening)


UNTOLD = "SELECT key FROM maker.thing EXCEPT SELECT subject || '/' || sequence FROM maker.event_log"
UNTRUE = "SELECT subject || '/' || sequence FROM maker.event_log EXCEPT SELECT key FROM maker.thing"


@on_neither
@pytest.mark.parametrize("mutant", [None, events_before, events_after])
async def test_one_transaction_for_change_and_event_prevents_untold_and_untrue_events(
    stage: Stage, mutant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fate: Iterator[str] = iter(["lives", "dies before", "dies after", "lives"])

    async def commit_or_die(commit: Awaitable[None]) -> None:
        this = next(fate)
        if this == "dies before":
            commit.close()  # type: ignore[attr-defined]
            raise Death
        await commit
        if this == "dies after":
            raise Death

    monkeypatch.setattr(engine, "_settled", commit_or_die)
    if mutant is not None:
        monkeypatch.setattr(Database, "transaction", mutant)
    for _ in range(4):
        with suppress(Death):
            await stage.maker.transact(lambda tx: make_things(tx, stage.things(2)))
    with judged(mutant is None, "untrue" if mutant is events_before else "untold"):
        assert not await stage.admin.fetch(UNTOLD), "untold"
        assert not await stage.admin.fetch(UNTRUE), "untrue"
    assert await stage.count("maker.thing") == 6


class Stalled(MemoryBus):
    """Takes messages and never answers."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def publish(self, tx: Tx, messages: Sequence[Message]) -> list[Outcome]:
        self.reached.set()
        return await asyncio.Future()


@guarded
@on_neither
async def test_skipping_locked_rows_prevents_a_stalled_relay_from_blocking_another(
    stage: Stage, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not guarded:
        monkeypatch.setattr(relay, "_CLAIM", text(str(relay._CLAIM).replace("SKIP LOCKED", "")))
    names = {each: stage.database(each, "relay") for each in ("maker", "keeper", "witness")}
    stalled, other = Stalled(), MemoryBus(names, TOPOLOGY)
    stalling = stage.database("maker", "relay")
    await stage.make(5)
    stuck = asyncio.create_task(Relay(stalling, stalled).pump())
    await asyncio.wait_for(stalled.reached.wait(), 10)
    await stage.make(7)
    with judged(guarded, "blocked"):
        try:
            async with asyncio.timeout(2):
                await Relay(names["maker"], other).pump()
        except TimeoutError:
            raise AssertionError("blocked by the other") from None
        assert await stage.count("maker.delivery") == 2 * 7
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)
    for database in (*names.values(), stalling):
        await database.close()
