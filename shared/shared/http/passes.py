"""Passes: one service lets somebody through a door of another, for one thing and for a short time.

Whoever issues it knows that the person may (dispatch: whose ticket it is), whoever owns the door knows what
is behind it (intake: how the customer is reached), and neither has to know what the other one does.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from shared.http.keys import keys_for
from shared.settings import Settings

Door = Literal["contact"]

LIVES: Final = timedelta(minutes=5)
"""It is used at once, by the redirect that carries it; what it leads to may be looked at again for a bit."""
_SUBJECT: Final = 16
_UNTIL: Final = 8


def pass_for(door: Door, subject: UUID, person: str, now: datetime, settings: Settings) -> str:
    """Lets `person`, a principal's id, and nobody else, through `door` to `subject`, from now for `LIVES`."""
    until = int((now + LIVES).timestamp()).to_bytes(_UNTIL)
    signature = keys_for(_purpose(door), settings)[0].sign(_message(subject, until, person))
    return base64.urlsafe_b64encode(subject.bytes + until + signature).rstrip(b"=").decode()


def let_through(token: str, door: Door, person: str, now: datetime, settings: Settings) -> UUID | None:
    """To what a pass leads; None where it is forged, another person's, another door's or too old."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _SUBJECT + _UNTIL + 32:
        return None
    subject, until = UUID(bytes=raw[:_SUBJECT]), raw[_SUBJECT : _SUBJECT + _UNTIL]
    message, signature = _message(subject, until, person), raw[_SUBJECT + _UNTIL :]
    if not any(key.verifies(message, signature) for key in keys_for(_purpose(door), settings)):
        return None
    return subject if now.timestamp() < int.from_bytes(until) else None


def _purpose(door: Door) -> str:
    return f"pass {door}"


def _message(subject: UUID, until: bytes, person: str) -> bytes:
    return subject.bytes + until + person.encode()
