"""Missed promises by the hour, as a table whose cells are the darker the more was missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sla_monitor.replay.tally import HeatRow

MOST_ROWS: Final = 15
_SHADES: Final = 5


def cut(rows: Sequence[HeatRow]) -> Sequence[HeatRow]:
    """The first rows, which have the most."""
    return rows[:MOST_ROWS]


def shade(missed: int, rows: Sequence[HeatRow]) -> int:
    """How dark a cell is, from 0 to 5, beside the darkest of its table."""
    most = max((hour for row in rows for hour in row.hours), default=0)
    return -(-missed * _SHADES // most) if missed else 0
