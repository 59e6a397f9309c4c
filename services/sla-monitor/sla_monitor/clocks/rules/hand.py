"""Whether a person may let a promise stand, or let it count again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from sla_monitor.clocks.rules.fold import Clock
from sla_monitor.clocks.rules.timeline import Pause

Reason = Literal["customer_asked", "site_not_accessible", "third_party", "force_majeure", "other"]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
"""Why work may have to wait that nobody here can hurry; lack of people or parts is none of them."""
LONGEST: Final = timedelta(days=90)  # as far ahead as a visit may be agreed
Refusal = Literal["decided", "not_pausable", "paused_already"]


def standing_by_hand(clock: Clock, now: datetime) -> Pause | None:
    """The pause of `clock` that a person began and that lasts at `now`."""
    lasting = (each for each in clock.pauses if each.by is not None and each.begins <= now)
    return next((each for each in lasting if each.ends is None or each.ends > now), None)


def refuse_pause(by_hand: bool, clock: Clock | None, now: datetime) -> Refusal | None:
    """Why `clock`, judged as of `now`, may not be paused from `now` on; `by_hand` as its promise says."""
    if not by_hand:
        return "not_pausable"
    if clock is None or clock.outcome != "running":
        return "decided"
    return "paused_already" if standing_by_hand(clock, now) else None
