"""`aftercare topology`: declare exchanges and queues, as broker administrator, before any service starts."""

from __future__ import annotations

from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange

from shared.bus.topology import (
    DEAD_EXCHANGE,
    EXCHANGE,
    LANES,
    WATERMARKS,
    Topology,
    dead_queue_name,
    queue_name,
    routing_key,
)

# Attempts are counted in our tables; this only ends a message that kills its consumer again and again.
DELIVERY_LIMIT: Final = 100


async def declare(url: str, topology: Topology) -> list[str]:
    """Declare everything that is missing; returns the names of the queues. Repeatable.

    What 3.10 and 4.x default differently is set here: delivery limit, dead-lettering, overflow.
    """
    async with await aio_pika.connect(url, timeout=10) as connection:
        channel = await connection.channel()
        events = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        dead = await channel.declare_exchange(DEAD_EXCHANGE, aio_pika.ExchangeType.DIRECT, durable=True)
        await channel.declare_exchange(WATERMARKS, aio_pika.ExchangeType.TOPIC, durable=True)
        names: list[str] = []
        for service in topology.consuming_services():
            names += await _declare_queues(channel, events, dead, service, topology.types_for(service))
        return names


async def _declare_queues(
    channel: AbstractChannel, events: AbstractExchange, dead: AbstractExchange, service: str, types: list[str]
) -> list[str]:
    grave = await channel.declare_queue(
        dead_queue_name(service), durable=True, arguments={"x-queue-type": "quorum"}
    )
    await grave.bind(dead, service)
    names = [grave.name]
    for lane in LANES:
        queue = await channel.declare_queue(
            queue_name(service, lane),
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-dead-letter-exchange": DEAD_EXCHANGE,
                "x-dead-letter-routing-key": service,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",  # without it at-least-once silently is at-most-once
            },
        )
        for type in types:
            await queue.bind(events, routing_key(type, lane))
        names.append(queue.name)
    return names
