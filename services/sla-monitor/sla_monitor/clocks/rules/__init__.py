"""From a subject's history to its clocks, and from clocks to what is to be told: pure, all of it.

history   what happened, in order
fold      `evaluate`: the promises it started, and what became of them
timeline  deadlines, pauses, and the arithmetic as a proof
changes   stored clock and folded clock → what is stored and told now
"""

from sla_monitor.clocks.rules.fold import Clock, Outcome, evaluate
from sla_monitor.clocks.rules.history import Happening, describe, in_order
from sla_monitor.clocks.rules.timeline import Interval, Pause, explain

__all__ = [
    "Clock",
    "Happening",
    "Interval",
    "Outcome",
    "Pause",
    "describe",
    "evaluate",
    "explain",
    "in_order",
]
