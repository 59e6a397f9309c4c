"""What a visit may look like."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from shared.i18n import N_

EARLIEST: Final = timedelta(hours=-1)  # a visit may be noted down when one is on the way to it already
LATEST: Final = timedelta(days=90)
LONGEST: Final = timedelta(hours=24)
OLDEST_DEVICE_TIME: Final = timedelta(days=7)  # a phone may have been off the network for that long
DEVICE_AHEAD: Final = timedelta(seconds=60)


def fault_of_visit(starts_at: datetime, ends_at: datetime, now: datetime) -> tuple[str, str] | None:
    """The wrong field of a visit and what is wrong with it; None when it can be agreed."""
    if starts_at < now + EARLIEST:
        return "starts_at", N_("the visit must lie ahead")
    if starts_at > now + LATEST:
        return "starts_at", N_("a visit begins within the next 90 days")
    if not starts_at < ends_at <= starts_at + LONGEST:
        return "ends_at", N_("a visit ends after it begins, within 24 hours")
    return None


def is_plausible(device_time: datetime, now: datetime) -> bool:
    """Whether the clock of a phone may have said so."""
    return now - OLDEST_DEVICE_TIME <= device_time <= now + DEVICE_AHEAD
