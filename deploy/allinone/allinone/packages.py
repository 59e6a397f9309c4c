"""Which package each service is; to be told it, nobody has to load one, which takes seconds."""

from __future__ import annotations

from typing import Final

PACKAGES: Final = {
    "intake": "intake",
    "dispatch": "dispatch",
    "sla": "sla_monitor",
    "parts": "parts",
    "feedback": "feedback",
}
NAMES: Final = tuple(PACKAGES)
