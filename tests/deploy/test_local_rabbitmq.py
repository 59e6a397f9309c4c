"""What the private RabbitMQ offers tests: it can be killed, frozen and alarmed; its users have few rights."""

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import aio_pika
import pytest
import pytest_asyncio
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.exceptions import ChannelAccessRefused

from localservers import RabbitServer
from localservers.loopback import answers
from localservers.rabbitmq import AMQP_GREETING, AMQP_REPLY

PATIENCE_S = 30


@pytest_asyncio.fixture
async def vhost(rabbit: RabbitServer) -> AsyncIterator[str]:
    """A fresh virtual host, without the database that the suite's own takes its names from."""
    name = f"test_{secrets.token_hex(8)}/维修"
    await rabbit.add_vhost(name)
    yield name
    await rabbit.remove_vhost(name)


async def send(channel: AbstractChannel, queue: str) -> None:
    message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, queue)


async def received(rabbitmq_url: str, queue: str) -> bytes:
    async with await aio_pika.connect(rabbitmq_url) as broker:
        channel = await broker.channel()
        messages: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        declared = await channel.get_queue(queue)
        await declared.consume(messages.put, no_ack=True)
        return (await asyncio.wait_for(messages.get(), PATIENCE_S)).body


async def test_killed_it_is_back_at_its_port_with_its_messages(rabbit: RabbitServer, vhost: str) -> None:
    async with await aio_pika.connect(rabbit.url_of("admin", vhost)) as broker:
        channel = await broker.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        await send(channel, "kept")
        await rabbit.settle()
    restarts, url = rabbit.restarts, rabbit.url_of("admin", vhost)
    await rabbit.kill()
    await rabbit.until_ready()
    assert (rabbit.restarts, rabbit.last_exit) == (restarts + 1, -signal.SIGKILL)
    assert rabbit.url_of("admin", vhost) == url
    assert await received(url, "kept") == b"kept"


async def test_suspended_it_answers_nobody_until_resumed(rabbit: RabbitServer) -> None:
    rabbit.suspend()
    try:
        assert not await answers(rabbit.port, AMQP_GREETING, AMQP_REPLY)
    finally:
        rabbit.resume()
    await rabbit.until_ready()


async def test_a_memory_alarm_blocks_publishers_until_it_is_off(rabbit: RabbitServer, vhost: str) -> None:
    async with await aio_pika.connect(rabbit.url_of("admin", vhost)) as broker:
        channel = await broker.channel()
        await channel.declare_queue("kept", exclusive=True)
        await rabbit.set_memory_alarm(True)
        try:
            waiting = asyncio.create_task(send(channel, "kept"))
            _, blocked = await asyncio.wait([waiting], timeout=0.5)
            assert blocked
        finally:
            await rabbit.set_memory_alarm(False)
        await asyncio.wait_for(waiting, PATIENCE_S)


async def test_commands_at_once_are_all_taken(rabbit: RabbitServer) -> None:
    names = [f"test_{secrets.token_hex(8)}" for _ in range(5)]
    await asyncio.gather(*map(rabbit.add_vhost, names))
    assert set(names) <= set((await rabbit.ctl("-q", "list_vhosts")).splitlines())
    await asyncio.gather(*map(rabbit.remove_vhost, names))


async def publish_for_another(channel: AbstractChannel) -> None:
    events = await channel.get_exchange("aftercare.events", ensure=False)
    await events.publish(aio_pika.Message(b""), "keeper.thing_kept.v1", mandatory=False)


async def read_the_queue_of_another(channel: AbstractChannel) -> None:
    queue = await channel.get_queue("keeper.live", ensure=False)
    await queue.get()


async def declare_a_lasting_queue(channel: AbstractChannel) -> None:
    await channel.declare_queue("maker.live", durable=True)


@pytest.mark.parametrize("attempt", [publish_for_another, read_the_queue_of_another, declare_a_lasting_queue])
async def test_a_service_may_not(
    rabbit: RabbitServer, vhost: str, attempt: Callable[[AbstractChannel], Awaitable[None]]
) -> None:
    async with await aio_pika.connect(rabbit.url_of("admin", vhost)) as broker:
        channel = await broker.channel()
        await channel.declare_exchange("aftercare.events", aio_pika.ExchangeType.TOPIC, durable=True)
        await channel.declare_queue("keeper.live", durable=True)
    async with await aio_pika.connect(rabbit.url_of("maker", vhost)) as broker:
        channel = await broker.channel()
        with pytest.raises(ChannelAccessRefused):
            await attempt(channel)


async def test_a_service_publishes_its_own_events_and_hears_transient_ones(
    rabbit: RabbitServer, vhost: str
) -> None:
    async with await aio_pika.connect(rabbit.url_of("admin", vhost)) as broker:
        channel = await broker.channel()
        await channel.declare_exchange("aftercare.events", aio_pika.ExchangeType.TOPIC, durable=True)
    async with await aio_pika.connect(rabbit.url_of("maker", vhost)) as broker:
        channel = await broker.channel()
        events = await channel.get_exchange("aftercare.events")
        queue = await channel.declare_queue("aftercare.transient.maker", exclusive=True)
        await queue.bind(events, "maker.#")
        await events.publish(aio_pika.Message(b"made"), "maker.thing_made.v1")
        assert (await queue.get(no_ack=True)).body == b"made"


async def test_there_is_no_guest(rabbit: RabbitServer) -> None:
    listed = (await rabbit.ctl("-q", "list_users")).splitlines()[1:]
    assert {line.split()[0] for line in listed} == {"admin", *rabbit.services}
