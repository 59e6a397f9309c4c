"""What every bus promises; `tests/broker` holds both to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

from shared.db.tx import Lane, Tx
from shared.errors import Outage
from shared.inbox import Receiver


@dataclass(frozen=True, slots=True)
class Message:
    """Events of one type and lane that travel together; `body` is their CloudEvents JSON batch."""

    type: str
    lane: Lane
    event_ids: tuple[UUID, ...]
    body: bytes


class Outcome(Enum):
    """What became of a published message."""

    CONFIRMED = auto()
    """Every listener's queue has it, on disk."""
    RETURNED = auto()
    """No queue took it."""
    UNKNOWN = auto()
    """No answer in time: it may or may not arrive, so it is sent again under the same event ids."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Everything that `producer` recorded before `until` has been sent."""

    producer: str
    until: datetime


@dataclass(frozen=True, slots=True)
class BusReport:
    """How the bus looks from this process, for `/health/flow`."""

    trouble: str | None
    """Why nothing can be sent; None when it can."""
    idle_queues: tuple[str, ...] = ()
    """What should be consumed and is not."""


class ListenerMissing(Outage):
    """The queues {queues} are not declared: run `aftercare topology`; nothing is published until they are."""

    def __init__(self, queues: Sequence[str], since: datetime) -> None:
        super().__init__(queues=", ".join(queues))
        self.since = since
        """When all of them were last seen: what was published after may be missing in them."""


class Bus(Protocol):
    """One service's way to the others."""

    async def check_sendable(self) -> None:
        """Raise `Outage` while nothing should be claimed for sending."""

    async def publish(self, tx: Tx, messages: Sequence[Message]) -> list[Outcome]:
        """Send `messages` at once, all in flight together, bounded in time; one outcome each."""

    def published(self, messages: Sequence[Message]) -> None:
        """The relay's transaction in which `messages` were published has committed."""

    async def listen(self, receiver: Receiver, lane: Lane) -> None:
        """Hand what arrives for `receiver` to it, for ever; raises when it has to be called anew."""

    async def listen_dead(self, receiver: Receiver) -> None:
        """Hand what the bus gave up delivering to `receiver.bury`, for ever."""

    async def announce(self, watermark: Watermark) -> None:
        """Tell whoever hears it, at most once, unconfirmed."""

    async def hear(self, heard: Callable[[Watermark], None]) -> None:
        """Call `heard` with watermarks of any producer, for ever; what one speaks of is here by then."""

    def taken(self) -> datetime:
        """What had been recorded before, and sent here by now, has had its effect in this process."""

    def report(self) -> BusReport:
        """The present state, without asking the network."""

    async def stuck(self) -> bool:
        """Whether this process is cut off for minutes though a fresh connection works: start anew."""

    async def close(self) -> None:
        """Let go of every connection."""
