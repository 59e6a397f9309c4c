"""The loop that brings back what was snoozed, and climbs the ladders of what nobody looks after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.context import ServiceContext
from shared.process.loops import Loop
from sla_monitor.alerts.climbing import look_up_again

# Steps are minutes apart; what another process arms meanwhile is found within this time.
EVERY: Final = timedelta(seconds=1)


def loops(context: ServiceContext) -> Sequence[Loop]:
    return (Loop("ladders", look_up_again, every=EVERY),)
