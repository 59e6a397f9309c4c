"""Named points at which a process can be told to die, so that crash recovery is proved, not assumed.

``AFTERCARE_CRASH_AT="relay.published:3"`` ends the process, without any clean-up, the third time it
reaches ``relay.published``. Unset, a point costs one comparison.
"""

from __future__ import annotations

import os
from typing import Final, Literal

Point = Literal["relay.claimed", "relay.published", "consumer.handled", "consumer.committed"]

EXIT_CODE: Final = 86  # tells a planned death from any other

_wanted, _, _times = os.environ.get("AFTERCARE_CRASH_AT", "").partition(":")
_left = int(_times or 1)


def reach(point: Point) -> None:
    """Die here if the environment says so; else do nothing."""
    global _left
    if point != _wanted:
        return
    _left -= 1
    if _left <= 0:
        os._exit(EXIT_CODE)
