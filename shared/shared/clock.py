"""The one source of time and of identifiers.

Time is the database's: ``now()`` is what PostgreSQL said at the last sync plus monotonic time since, so
that a wrong or stepped clock on a host never moves a promise. Identifiers are UUIDv7 (RFC 9562), so that
the time an identifier was made can be read from it and tables can be partitioned by it. They are unique,
not secret: to know one opens nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final
from uuid import UUID

from shared.errors import AftercareError

ReadDatabaseTime = Callable[[], Awaitable[datetime]]

SYNC_EVERY: Final = timedelta(seconds=10)
# A sample that took longer than this says too little about when the database looked at its clock.
WORST_ROUND_TRIP: Final = 0.5

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION_7: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62


class ClockNotSynced(AftercareError):
    """The database has not told the time yet; it may be starting. Try again."""

    kind = "unavailable"


class DatabaseClock:
    """Database time at the last sync plus monotonic seconds since."""

    def __init__(self) -> None:
        self._anchor: datetime | None = None
        self._anchored_at = 0.0
        self._last_id = 0

    @property
    def synced(self) -> bool:
        return self._anchor is not None

    def now(self) -> datetime:
        """The present instant, UTC, by the database's clock."""
        if self._anchor is None:
            raise ClockNotSynced
        return self._anchor + timedelta(seconds=time.monotonic() - self._anchored_at)

    def set(self, instant: datetime) -> None:
        """Anchor the clock at `instant`, as of this moment."""
        self._anchor, self._anchored_at = instant.astimezone(UTC), time.monotonic()

    async def sync(self, read: ReadDatabaseTime) -> bool:
        """Anchor on the database; False when the answer was too slow to be trusted and is not needed.

        As if it had looked at its clock when the answer came: nothing is ever early by the database's clock.
        """
        asked = time.monotonic()
        instant = await read()
        answered = time.monotonic()
        if self.synced and answered - asked > WORST_ROUND_TRIP:
            return False
        self._anchor, self._anchored_at = instant.astimezone(UTC), answered
        return True

    def uuid7(self) -> UUID:
        """A new identifier, greater than every one this process made before."""
        self._last_id = max(_stamp(self.now()), self._last_id + 1)
        return _identifier(self._last_id, random.getrandbits(62))


def uuid7s(instant: datetime) -> Iterator[UUID]:
    """Identifiers made at `instant`, each greater than the one before; they share what is random in them."""
    chance = random.getrandbits(62)
    return (_identifier(stamp, chance) for stamp in count(_stamp(instant)))


def _stamp(instant: datetime) -> int:
    """The time in an identifier, in 1/4096 ms."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 4096 // 1000


def _identifier(stamp: int, chance: int) -> UUID:
    milliseconds, fraction = divmod(stamp, 4096)
    return UUID(int=milliseconds << 80 | _VERSION_7 | fraction << 64 | _VARIANT | chance)


def uuid7_floor(instant: datetime) -> UUID:
    """The smallest identifier that can have been made at or after `instant`."""
    milliseconds = max(0, (instant - _EPOCH) // timedelta(milliseconds=1))
    return UUID(int=milliseconds << 80)


def made_at(identifier: UUID) -> datetime:
    """The instant a UUIDv7 was made, to the millisecond; ValueError for what cannot be one."""
    if identifier.version != 7:
        raise ValueError("not a UUIDv7")
    try:
        return _EPOCH + timedelta(milliseconds=identifier.int >> 80)
    except OverflowError:
        raise ValueError("a UUIDv7 made after the year 9999") from None


clock: Final = DatabaseClock()
now = clock.now
uuid7 = clock.uuid7
