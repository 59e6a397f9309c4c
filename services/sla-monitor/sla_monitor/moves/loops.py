"""The loop that goes on with moves until each is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.context import ServiceContext
from shared.process.loops import Loop
from sla_monitor.moves.actions import go_on

EVERY: Final = timedelta(seconds=1)


def loops(context: ServiceContext) -> Sequence[Loop]:
    return (Loop("moves", go_on, every=EVERY),)
