"""The published language: what services tell each other.

An event's payload is a model in the file of its owner; `envelope` wraps it as a CloudEvent. Events only
gain optional fields; anything else is a new version with a name of its own.
"""

from shared.events.envelope import Event, Payload, payload_types

__all__ = ["Event", "Payload", "payload_types"]
