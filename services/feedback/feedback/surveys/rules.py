"""When a survey may be answered, and which answers count.

Programs that check mails for harm open every link, and some press every button. So the page carries a proof
of when it was shown; an answer without it, or sooner after it than people are, is kept and never counts.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Final

OPEN_FOR: Final = timedelta(days=30)
# Nobody reads a page, chooses and sends faster; programs that press every button do.
FASTEST: Final = timedelta(seconds=2)
# Enough to change one's mind; a link that leaked cannot fill the table.
MOST_ANSWERS: Final = 50

_PROOF: Final = re.compile(r"([0-9]{1,14})\.[0-9a-f]{64}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def token_hash(token: str) -> bytes:
    """All that is kept of a survey's secret link."""
    return hashlib.sha256(token.encode()).digest()


def proof_of(token: str, shown_at: datetime) -> str:
    """What the page that is shown now sends back: the moment, in milliseconds, sealed."""
    return _sealed(token, str((shown_at - _EPOCH) // timedelta(milliseconds=1)))


def is_proof(token: str, proof: str) -> bool:
    """Whether some page of this survey carried it."""
    match = _PROOF.fullmatch(proof)
    return match is not None and hmac.compare_digest(_sealed(token, match[1]), proof)


def is_suspect(token: str, proof: str, now: datetime) -> bool:
    """Whether a program rather than the customer may have sent the answer (R93)."""
    if not is_proof(token, proof):
        return True
    shown_at = _EPOCH + timedelta(milliseconds=int(proof.partition(".")[0]))
    return not FASTEST <= now - shown_at <= OPEN_FOR


def _sealed(token: str, moment: str) -> str:
    # The link is the key: whoever has it may answer, but must have asked for the page to know what to send.
    return f"{moment}.{hmac.new(token.encode(), f'shown {moment}'.encode(), hashlib.sha256).hexdigest()}"
