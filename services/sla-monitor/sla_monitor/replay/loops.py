"""The loop that takes replays further, one bounded step after the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared.context import ServiceContext
from shared.process.loops import Loop
from sla_monitor.replay.actions import step


def loops(context: ServiceContext) -> Sequence[Loop]:
    return (Loop("replays", step, every=timedelta(seconds=1)),)
