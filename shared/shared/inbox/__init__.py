"""Events in: delivered at least once, in any order; effective exactly once.

consumer  which handler reads which event
decode    bytes → events, and what cannot be decoded
receive   one batch, one transaction, each handler once with the list of its new events
failure   outage, poison or bug: wait, bury or park
"""

from shared.inbox.consumer import Consumer, on
from shared.inbox.receive import Receiver

__all__ = ["Consumer", "Receiver", "on"]
