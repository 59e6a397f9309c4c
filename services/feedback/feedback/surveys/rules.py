"""When a survey may be answered, and which answers count."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

OPEN_FOR: Final = timedelta(days=30)
# Nobody reads a page, chooses and writes faster; programs that follow every link of a mail do.
FASTEST: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Given:
    """What came back: the score, and the proof that the page was shown before."""

    score: int
    shown_at: datetime
    proof: str


def token_hash(token: str) -> bytes:
    """What is kept of a survey's secret link."""
    return hashlib.sha256(token.encode()).digest()


def proof_of(token: str, shown_at: datetime) -> str:
    """Ties an answer to the page it was given on: only who was shown the page at that moment knows it."""
    stamp = f"survey shown {shown_at.isoformat()}"
    return hmac.new(token.encode(), stamp.encode(), hashlib.sha256).hexdigest()


def is_suspect(given: Given, token: str, now: datetime) -> bool:
    """Whether a link scanner rather than a customer may have sent this (R93)."""
    if not hmac.compare_digest(given.proof.encode(), proof_of(token, given.shown_at).encode()):
        return True
    return not FASTEST <= now - given.shown_at <= OPEN_FOR
