"""A call's life, as telephone systems tell it: in any order, some of it twice (R50, R51)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

Event = Literal["rang", "answered", "busy", "missed", "ended", "returned"]

RINGS_AT_MOST: Final = timedelta(seconds=120)
"""Decision 19: a ring without any end after this counts as missed."""

_STATES: Final[dict[Event, str]] = {
    "rang": "ringing",
    "answered": "answered",
    "busy": "busy",
    "missed": "missed",
    "ended": "ended",
    "returned": "returned",
}
# Later in this order wins, whatever arrives first.
_ORDER: Final = ("ringing", "ended", "busy", "missed", "answered", "returned")


def state_after(state: str | None, event: Event) -> str:
    """The state of a call once `event` is known too."""
    told = _STATES[event]
    if state is None:
        return told
    return max(state, told, key=_ORDER.index)
