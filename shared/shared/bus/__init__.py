"""How events travel between services: RabbitMQ, or the memory bus of the all-in-one; one contract.

contract  what a bus promises to the relay and to receivers
topology  who listens to what, and its declaration on a broker
rabbit    aio-pika; the only module that knows AMQP
memory    deliveries kept in the database, for five services in one process
"""

from shared.bus.contract import Bus, Message, Outcome, Watermark
from shared.bus.topology import Topology

__all__ = ["Bus", "Message", "Outcome", "Topology", "Watermark"]
