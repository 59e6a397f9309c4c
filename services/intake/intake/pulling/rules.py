"""When a source is asked, with what, and what of it is from before we were there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from intake.channels.contract import Arrived, Noticed, Verdict
from shared.outgoing import pause

EVERY: Final = timedelta(minutes=30)
"""So often a source is asked though nothing was announced: an announcement may have been lost."""
TOKEN_LASTS: Final = timedelta(minutes=9)
"""How long an announcement's token is shown; the shortest that a provider promises is ten minutes."""
BEFORE: Final = timedelta(hours=1)
"""So long before its first announcement what a source holds is taken as if it came with it."""
_FIRST: Final = timedelta(seconds=2)
_LONGEST: Final = timedelta(minutes=15)


def token_now(token: str, told_at: datetime, now: datetime) -> str:
    """The token while it is good."""
    return token if now - told_at < TOKEN_LASTS else ""


def again_at(now: datetime, failures: int, after: timedelta | None, chance: float) -> datetime:
    """When to ask again after so many failures in a row; never given up: the provider keeps what it has."""
    return now + max(pause(_FIRST, _LONGEST, failures, chance), after or timedelta())


def as_found(verdicts: Sequence[Verdict], begun_at: datetime) -> list[Verdict]:
    """What people wrote long before the account was set up is kept, and opens nothing."""
    return [_late(each) if _is_late(each, begun_at) else each for each in verdicts]


def _is_late(verdict: Verdict, begun_at: datetime) -> bool:
    return isinstance(verdict, Arrived) and verdict.message.received_at < begun_at - BEFORE


def _late(verdict: Verdict) -> Verdict:
    assert isinstance(verdict, Arrived)
    return Noticed("before_set_up", verdict.message.external_id, verdict.message.raw)
