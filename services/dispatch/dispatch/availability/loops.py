"""The loop that heeds the beginning of leave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from dispatch.availability.actions import begin_leave
from shared.process.loops import Loop


def leave_loops() -> Sequence[Loop]:
    """It waits for the next leave to begin; what is entered meanwhile, it sees after `EVERY`."""
    return (Loop("leave", begin_leave, every=EVERY),)


EVERY: Final = timedelta(seconds=15)
