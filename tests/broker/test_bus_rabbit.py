"""What only a broker can do to us: lose a queue, return, block, freeze, die, give up, carry any bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import event as hooks

from shared.bus.rabbit import RabbitBus
from shared.bus.topology import EXCHANGE
from shared.inbox.parked import replay_dead_letters
from toy.stage import TYPE, Broker, Stage, encoded, until

pytestmark = pytest.mark.parametrize("bus", ["rabbitmq"], indirect=True)


@pytest.fixture
def rabbit_broker(broker: Broker | None) -> Broker:
    assert broker is not None
    return broker


async def delete_queues(broker: Broker, service: str) -> None:
    async with broker.channel() as channel:
        for lane in ("live", "bulk"):
            await channel.queue_delete(f"{service}.{lane}")


async def troubled(stage: Stage, by: str) -> None:
    """Wait until maker's bus says what keeps it from sending."""

    async def look() -> None:
        trouble = stage.process.buses["maker"].report().trouble
        assert trouble is not None
        assert by in trouble

    await until(look)


async def test_nothing_is_published_until_every_listener_has_its_queues(
    stage: Stage, rabbit_broker: Broker
) -> None:
    await delete_queues(rabbit_broker, "witness")
    await stage.make(30)
    await stage.start()
    await troubled(stage, "witness.bulk, witness.live are not declared")
    assert await stage.count("maker.outbox") == 30
    assert await stage.count("keeper.inbox") == await rabbit_broker.waiting("keeper.live") == 0
    assert {"witness.live", "witness.bulk"} <= set(stage.process.buses["witness"].report().idle_queues)
    await rabbit_broker.declare()
    await stage.settled()


async def test_a_queue_lost_while_running_gets_again_what_it_missed(
    stage: Stage, rabbit_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.start()
    await stage.make(10)
    await stage.settled()
    monkeypatch.setattr("shared.bus.rabbit.CHECK_SECONDS", 3600.0)  # nobody looks for a while
    await delete_queues(rabbit_broker, "witness")
    await stage.make(40)
    await stage.holds("maker.outbox", 0)
    await stage.holds("keeper.effect", 50)
    monkeypatch.setattr("shared.bus.rabbit.CHECK_SECONDS", 0.1)
    await troubled(stage, "not declared")
    await stage.make(10)
    await rabbit_broker.declare()
    await stage.settled()
    assert await stage.count("witness.inbox") == 60


async def test_what_a_lost_queue_missed_is_known_across_a_lost_connection(
    stage: Stage, rabbit_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.start()
    await stage.make(10)
    await stage.settled()
    monkeypatch.setattr("shared.bus.rabbit.CHECK_SECONDS", 3600.0)
    await delete_queues(rabbit_broker, "witness")
    await stage.make(40)
    await stage.holds("maker.outbox", 0)
    await rabbit_broker.server.ctl("close_all_connections", "--vhost", rabbit_broker.vhost, "tested")
    await troubled(stage, "not declared")
    monkeypatch.setattr("shared.bus.rabbit.CHECK_SECONDS", 0.1)
    await rabbit_broker.declare()
    await stage.settled()
    assert await stage.count("witness.inbox") == 50


async def test_what_no_queue_takes_stays_and_goes_when_one_does(stage: Stage, rabbit_broker: Broker) -> None:
    queues = ("keeper.live", "witness.live")
    async with rabbit_broker.channel() as channel:
        for queue in queues:
            await (await channel.get_queue(queue)).unbind(EXCHANGE, TYPE)
    await stage.make(5)
    await stage.start()

    async def returned() -> None:
        assert await stage.admin.fetchval("SELECT min(attempts) FROM maker.outbox WHERE retry_at > now()")

    await until(returned)
    assert await stage.count("maker.outbox") == 5
    await stage.make(3, lane="bulk")  # what is routable does not wait behind it
    await stage.holds("keeper.effect", 3)
    # Bindings come one by one: what is tried between two reaches the first queue alone, and is confirmed.
    await stage.admin.execute("UPDATE maker.outbox SET retry_at = now() + interval '1 hour'")
    await rabbit_broker.declare()
    await stage.admin.execute("UPDATE maker.outbox SET retry_at = now()")
    await stage.settled()


@asynccontextmanager
async def alarm(broker: Broker) -> AsyncIterator[None]:
    await broker.server.set_memory_alarm(True)
    try:
        yield
    finally:
        await broker.server.set_memory_alarm(False)


async def test_an_alarm_of_the_broker_stops_claims_and_nothing_else(
    stage: Stage, rabbit_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.watermark.EVERY_SECONDS", 3600.0)  # so events meet the alarm first
    await stage.start()
    await stage.make(20)
    await stage.settled()
    claims: list[str] = []

    @hooks.listens_for(stage.process.residents[0].relay_database.engine.sync_engine, "before_cursor_execute")
    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        claims.extend(["claim"] if "SKIP LOCKED" in statement else [])

    relay = stage.process.supervisor.states["maker.relay"]
    async with alarm(rabbit_broker):
        await stage.make(50)
        await troubled(stage, "blocked")
        claims.clear()
        restarts = relay.restarts

        async def tried_again() -> None:
            assert relay.restarts >= restarts + 3

        await stage.make(50)
        await until(tried_again)
        assert claims == []
        assert await stage.count("maker.outbox") == 100
        assert await stage.process.readiness() == dict.fromkeys(["maker", "keeper", "witness"])
    await stage.drained()  # also of the copies that timed out and landed late
    assert await stage.count("keeper.effect") == 122


async def test_a_message_rejected_too_often_becomes_a_dead_letter(
    stage: Stage, rabbit_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.declare.DELIVERY_LIMIT", 2)
    await delete_queues(rabbit_broker, "keeper")
    await delete_queues(rabbit_broker, "witness")
    await rabbit_broker.declare()
    event = encoded()
    await stage.inject(event)
    async with rabbit_broker.channel() as channel:
        queue = await channel.get_queue("keeper.live")
        for _ in range(3):
            message = await queue.get(timeout=5)
            await message.reject(requeue=True)
    await stage.start()
    await stage.holds("keeper.dead_letter", 1)
    letter = await stage.admin.fetchrow("SELECT * FROM keeper.dead_letter")
    assert (letter["reason"], letter["body"]) == ("delivered too often", b"[" + event + b"]")
    assert await rabbit_broker.waiting("keeper.dead") == 0
    receiver = stage.process.residents[1].receiver
    assert await receiver.database.transact(lambda tx: replay_dead_letters(receiver, tx, [letter["id"]])) == 1
    await stage.holds("keeper.effect", 1)


async def test_bytes_and_properties_of_any_kind_hold_up_nobody(stage: Stage) -> None:
    await stage.post(b"\xff\xfe", content_type="text/plain")
    await stage.post(b"")
    await stage.post(encoded(subject="an event outside of a batch"))
    await stage.post(b"[" + encoded() + b"]", headers={"events": "many"})
    await stage.post(b"[" + encoded() + b"]", headers={"events": -5})
    await stage.post(b"[" + encoded() + b"]", headers={"events": 2**40}, priority=9, expiration=60)
    await stage.start()
    await stage.holds("keeper.effect", 4)
    await stage.holds("keeper.dead_letter", 2)


async def test_a_process_knows_when_only_itself_is_cut_off(
    stage: Stage, rabbit_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.rabbit.STUCK_SECONDS", 0.0)
    lost = RabbitBus(rabbit_broker.url_of("maker"), "maker", stage.topology)
    assert await lost.stuck()  # never connected, though a connection can be had
    await lost.check_sendable()
    assert not await lost.stuck()
    await lost.close()
    nowhere = RabbitBus("amqp://maker:x@127.0.0.1:1/", "maker", stage.topology)
    assert not await nowhere.stuck()  # a broker that is away is no reason to start anew


async def test_a_frozen_or_killed_broker_delays_events_and_nothing_else(
    stage: Stage, rabbit_broker: Broker
) -> None:
    well = dict.fromkeys(["maker", "keeper", "witness"])
    await stage.start()
    await stage.make(20)
    await stage.settled()
    rabbit_broker.server.suspend()
    try:
        await stage.make(40)
        await troubled(stage, "")
        await stage.make(40)
        assert await stage.process.readiness() == well
        assert await stage.count("maker.outbox") == 80
    finally:
        rabbit_broker.server.resume()
    await stage.settled()
    await rabbit_broker.server.settle()
    await stage.make(200)
    await rabbit_broker.server.kill()
    await stage.make(40)
    await troubled(stage, "")
    assert await stage.process.readiness() == well
    assert any(reason.startswith("bus: ") for reason in (await stage.process.flow()).stuck)
    await rabbit_broker.server.until_ready()
    await stage.drained()
    assert await stage.count("keeper.effect") == 342
