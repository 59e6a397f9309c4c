"""Whether a signature was made lately: one that was overheard is worth nothing minutes later (S9)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

TOLERANCE: Final = timedelta(minutes=5)
_SECONDS: Final = re.compile(r"[0-9]{1,11}")


def lately(written: str, now: datetime) -> bool:
    """Whether `written` is seconds since 1970, within five minutes of `now`."""
    if not _SECONDS.fullmatch(written):
        return False
    return abs(int(written) - now.timestamp()) <= TOLERANCE.total_seconds()
