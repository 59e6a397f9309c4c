"""Who may look at a request by its link, and until when (R27)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

LINGERS: Final = timedelta(days=90)
"""So long after its end a request can still be looked at by its link."""
LONGEST_TEXT: Final = 5_000


ASKS: Final = ("please_accept", "please_accept_reminder")
"""The messages whose link leads to where the customer says whether it is solved."""


def may_look(closed_at: datetime | None, now: datetime) -> bool:
    return closed_at is None or now < closed_at + LINGERS
