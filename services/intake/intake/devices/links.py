"""The link on a product's label: it names the product and proves that we printed it.

So the form can show model and warranty to whoever holds the product, and nobody finds products by trying.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final
from uuid import UUID

from shared.http.keys import keys_for
from shared.settings import Settings

_PURPOSE: Final = "device label"
_SIGNATURE: Final = 16  # bytes; half of a SHA-256 is out of anybody's reach


def token_of(device_id: UUID, settings: Settings) -> str:
    """What the link carries: 43 characters."""
    signature = keys_for(_PURPOSE, settings)[0].sign(device_id.bytes)[:_SIGNATURE]
    return base64.urlsafe_b64encode(device_id.bytes + signature).decode().rstrip("=")


def device_of(token: str, settings: Settings) -> UUID | None:
    """The product of a link; None where we did not print it."""
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(sealed) != 16 + _SIGNATURE:
        return None
    named, signature = sealed[:16], sealed[16:]
    known = any(key.verifies(named, signature, _SIGNATURE) for key in keys_for(_PURPOSE, settings))
    return UUID(bytes=named) if known else None
