"""How far a consumer has come with what is sent to it."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from shared.clock import made_at

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Progress:
    """`until`: what was recorded before, and is not in the hands of another consumer, has had its effect.

    A queue keeps the order of sending, so while something waits, the oldest of it says how far; what another
    consumer left undone comes behind what is newer. That nothing waits here says nothing: the queue may hold
    thousands. It has to be asked.
    """

    def __init__(self) -> None:
        self._waiting: deque[datetime] = deque()
        self._reached = _NEVER

    @property
    def until(self) -> datetime:
        return min([*self._waiting, self._reached])

    def begin(self) -> None:
        """Deliveries come anew; what was not done is delivered again, to whomever."""
        self._waiting.clear()

    def arrived(self, recorded: datetime) -> None:
        """A delivery is here that had been recorded then."""
        self._waiting.append(recorded)

    def done(self, deliveries: int) -> None:
        """The first so many of those that wait have had their effect."""
        for _ in range(deliveries):
            self._reached = self._waiting.popleft()

    def emptied(self, asked: datetime) -> None:
        """The queue answered, after all it had delivered here, that it held nothing when it was asked."""
        if not self._waiting:
            self._reached = max(self._reached, asked)


def recorded_at(message_id: str | None, now: datetime) -> datetime:
    """When the first event of a message was recorded; what nobody of us sent counts from now on."""
    try:
        return made_at(UUID(message_id or ""))
    except ValueError:
        return now
