"""Invitations (RFC 5545) as one line: what is meant to happen, when and where."""

from __future__ import annotations

import re
from typing import Final

_READ: Final = 50_000  # characters
_LONGEST: Final = 500
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_TIME: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")


def described(calendar: str) -> str:
    """For example `REQUEST: Site visit · 2026-11-20 09:00 Asia/Shanghai – 2026-11-20 10:00 · Hall 2`."""
    told: dict[str, tuple[str, str]] = {}
    inside = False
    for line in _FOLD.sub("", calendar[:_READ]).splitlines():
        inside = inside or line.strip().upper() == "BEGIN:VEVENT"
        name, colon, value = line.partition(":")
        key, _, parameters = name.partition(";")
        if colon and (inside or key.upper() == "METHOD"):
            told.setdefault(key.strip().upper(), (_plain(value), parameters))
    when = " – ".join(_time(*told[key]) for key in ("DTSTART", "DTEND") if key in told)
    what = ": ".join(told[key][0] for key in ("METHOD", "SUMMARY") if key in told)
    where = told.get("LOCATION", ("", ""))[0]
    return " · ".join(filter(None, (what, when, where)))


def _plain(value: str) -> str:
    text = value.replace("\\n", " ").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")
    return " ".join(text.split())[:_LONGEST]


def _time(value: str, parameters: str) -> str:
    found = _TIME.match(value)
    if not found:
        return value
    year, month, day, hour, minute, utc = found.groups()
    zone = re.search(r"(?i)tzid=\"?([^;\":]{1,60})", parameters)
    said = "UTC" if utc else zone[1] if zone else ""
    return " ".join(filter(None, (f"{year}-{month}-{day}", f"{hour}:{minute}" if hour else "", said)))
