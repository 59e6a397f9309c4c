"""Who listens to what. Generated from the `Service` values into `topology.json`; a test keeps it current."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.db.tx import Lane

EXCHANGE: Final = "aftercare.events"
DEAD_EXCHANGE: Final = "aftercare.dead"
WATERMARKS: Final = "aftercare.watermarks"
LANES: Final[tuple[Lane, ...]] = ("live", "bulk")
FILE: Final = Path(__file__).with_name("topology.json")


def queue_name(service: str, lane: Lane) -> str:
    """`sla.live`: what waits for one service on one lane."""
    return f"{service}.{lane}"


def dead_queue_name(service: str) -> str:
    """`sla.dead`: what the broker gave up delivering to that service."""
    return f"{service}.dead"


def routing_key(type: str, lane: Lane) -> str:
    """The event's type; on the bulk lane with a suffix, so that imports never stand in front of live work."""
    return type if lane == "live" else f"{type}.bulk"


@dataclass(frozen=True, slots=True)
class Topology:
    """The listening services of each event type."""

    listeners: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, consumed: Mapping[str, Iterable[str]]) -> Topology:
        """From the types each service consumes."""
        types = sorted({type for each in consumed.values() for type in each})
        return cls(
            {type: frozenset(name for name, each in consumed.items() if type in each) for type in types}
        )

    @classmethod
    def load(cls, file: Path = FILE) -> Topology:
        """As generated."""
        return cls({type: frozenset(names) for type, names in json.loads(file.read_text()).items()})

    def dump(self) -> str:
        """The text of `topology.json`."""
        return (
            json.dumps({type: sorted(names) for type, names in sorted(self.listeners.items())}, indent=2)
            + "\n"
        )

    def listened_from(self, producer: str) -> frozenset[str]:
        """The types of `producer` that anybody waits for."""
        return frozenset(type for type in self.listeners if type.partition(".")[0] == producer)

    def services_listening_to(self, producer: str) -> frozenset[str]:
        """Whom a message of `producer` may have to reach."""
        return frozenset().union(*(self.listeners[type] for type in self.listened_from(producer)))

    def types_for(self, service: str) -> list[str]:
        """What `service` waits for."""
        return [type for type, names in sorted(self.listeners.items()) if service in names]

    def consuming_services(self) -> list[str]:
        return sorted(frozenset().union(*self.listeners.values()))
