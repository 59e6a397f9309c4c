"""How far a consumer has come with what is sent to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from shared.clock import made_at

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _nothing() -> None:
    """What most have to do then."""


class Progress:
    """`until`: what was recorded before, and is not in the hands of another consumer, has had its effect.

    No order is relied upon: what another consumer left undone comes behind what is newer. The queue has to be
    asked: if it held nothing, all that had been sent by then is in somebody's hands; it has had its effect
    here when all has that had arrived here.
    """

    def __init__(self) -> None:
        self._waiting: deque[datetime] = deque()
        self._arrived = self._done = 0
        self._marks: deque[tuple[int, datetime, Callable[[], None]]] = deque()
        self._reached = _NEVER

    @property
    def until(self) -> datetime:
        return min([*self._waiting, self._reached])

    def begin(self) -> None:
        """Deliveries come anew; what was not done is delivered again, to whomever."""
        self._waiting.clear()
        self._marks.clear()
        self._arrived = self._done = 0

    def arrived(self, recorded: datetime) -> None:
        """A delivery is here that had been recorded then."""
        self._waiting.append(recorded)
        self._arrived += 1

    def done(self, deliveries: int) -> None:
        """The first so many of those that wait have had their effect."""
        for _ in range(deliveries):
            self._waiting.popleft()
        self._done += deliveries
        while self._marks and self._marks[0][0] <= self._done:
            _, asked, then = self._marks.popleft()
            self._reached = max(self._reached, asked)
            then()

    def found(self, held: int, asked: datetime, then: Callable[[], None] = _nothing) -> None:
        """The queue answered, after all it had delivered here, how many it held when it was asked.

        `then` is called once what had arrived by now has had its effect, if the queue held nothing.
        """
        if held:
            self._marks.clear()
            self._reached = _NEVER  # nobody knows how old they are
        else:
            self._marks.append((self._arrived, asked, then))
            self.done(0)


def recorded_at(message_id: str | None, now: datetime) -> datetime:
    """When the first event of a message was recorded; what nobody of us sent counts from now on."""
    try:
        return made_at(UUID(message_id or ""))
    except ValueError:
        return now
