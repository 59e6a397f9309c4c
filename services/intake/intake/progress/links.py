"""The link by which a customer looks at one request: signed, the same each time, kept nowhere."""

from __future__ import annotations

import base64
import binascii
from typing import Final
from uuid import UUID

from shared.http.keys import keys_for
from shared.settings import Settings

_PURPOSE: Final = "progress"
_SIGNATURE: Final = 16  # bytes of the HMAC; nobody guesses 128 bits


def path_of(request_id: UUID, settings: Settings) -> str:
    """Where the customer of a request looks; the same each time, until the installation's secret changes."""
    signature = keys_for(_PURPOSE, settings)[0].sign(request_id.bytes)[:_SIGNATURE]
    token = base64.urlsafe_b64encode(request_id.bytes + signature).rstrip(b"=").decode()
    return f"/intake/progress/{token}"


def request_of(token: str, settings: Settings) -> UUID | None:
    """Which request a token leads to; None for what we did not sign."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    id, signature = raw[:16], raw[16:]
    if len(signature) != _SIGNATURE:
        return None
    if not any(key.verifies(id, signature, _SIGNATURE) for key in keys_for(_PURPOSE, settings)):
        return None
    return UUID(bytes=id)
