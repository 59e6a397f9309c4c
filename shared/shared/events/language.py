"""All of the published language at once: importing this knows every event of every service."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from shared.events import dispatch, feedback, intake, parts, sla, teamwork, urgent

OWNERS: Final[dict[str, tuple[ModuleType, ...]]] = {
    "intake": (intake,),
    "dispatch": (dispatch, teamwork, urgent),
    "sla": (sla,),
    "parts": (parts,),
    "feedback": (feedback,),
}
"""Who publishes, and where its events are written down."""
