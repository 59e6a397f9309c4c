"""What channels read elements of JSON with: optional texts, names, times, and lines for what is no text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from intake.channels.contract import told_at

Object = Mapping[str, Any]


def object_of(value: Any) -> Object:
    """An object that may be missing."""
    return value if isinstance(value, dict) else {}


def degrees(value: Any, most: int) -> float | None:
    """Latitude or longitude, where it is one."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and -most <= value <= most else None


def text_of(value: Any) -> str:
    """A text that may be missing."""
    return value if isinstance(value, str) else ""


def said(value: Any) -> str:
    """A text that cannot be missing. Raises `TypeError`."""
    if not isinstance(value, str):
        raise TypeError
    return value


def id_of(value: Any) -> str:
    """An identifier, which is a text or a number. Raises `TypeError`."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise TypeError
    return str(value)


def when(value: Any, now: datetime) -> datetime:
    """A time, which is a number or its digits. Raises `ValueError`, `TypeError`."""
    return told_at(int(id_of(value)), now)


def lines(*texts: str) -> str:
    """Those that say something, each on its line."""
    return "\n".join(filter(None, texts))


def media_line(kind: str, *facts: Any) -> str:
    """What stands in a text for what is not text: its kind and what it is known by, never fetched."""
    told = (str(each) for each in facts if isinstance(each, str | int) and each != "")
    return f"[{' '.join([kind, *told])}]"
