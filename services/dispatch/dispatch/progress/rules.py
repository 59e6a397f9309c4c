"""Whether the customer still waits to hear how it goes (R62)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

INFORMED: Final = "customer_informed"
TURNS: Final = (
    "ticket_opened",
    "ticket_resolved",
    "result_rejected",
    "ticket_closed",
    "ticket_cancelled",
    "ticket_reopened",
)
"""The steps of a ticket by which it becomes our turn, or the customer's."""
_OURS: Final = frozenset({"ticket_opened", "result_rejected", "ticket_reopened"})


def is_our_turn(turns: Iterable[Mapping[str, Any]], told_at: datetime) -> bool:
    """Whether we worked on it at `told_at`, by the turns of a ticket, the newest first.

    Only then is what a customer was told progress. Before the ticket, its opening begins the promise anyway;
    while the customer tries the result, and after the end, nothing more is promised. It is asked of the time,
    not of the state, so that what was told in time is noted however late this is known.
    """
    last = next((turn["what"] for turn in turns if turn["at"] <= told_at), None)
    return last in _OURS
