"""The short number by which people name a request to each other: R-100001."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SAID: Final = re.compile(r"r?[\s\-\u2010-\u2015\u2212]*([0-9]{6,15})", re.IGNORECASE)


def spoken(number: int) -> str:
    """As it stands in letters and on pages."""
    return f"R-{number}"


def number_in(words: str) -> int | None:
    """The number that somebody typed, with or without its letter; None where it is something else."""
    found = _SAID.fullmatch(unicodedata.normalize("NFKC", words).strip())
    return int(found[1]) if found else None
