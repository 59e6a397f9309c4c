"""Keys for one purpose each, derived from the process's secret, so that a cursor never passes for a token."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache

from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Key:
    """32 bytes of key material and a short name that may be shown."""

    id: str
    material: bytes = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """HMAC-SHA256 of `message`, 32 bytes."""
        return hmac.digest(self.material, message, hashlib.sha256)

    def verifies(self, message: bytes, signature: bytes, length: int = 32) -> bool:
        """Whether `signature` is the first `length` bytes of this key's, in constant time."""
        return hmac.compare_digest(self.sign(message)[:length], signature)


def keys_for(purpose: str, settings: Settings) -> tuple[Key, ...]:
    """The key to sign with, then the previous one, still accepted while a new secret is rolled out."""
    previous = settings.previous_secret
    secrets = (settings.secret.get_secret_value(), previous.get_secret_value() if previous else "")
    return tuple(_derive(purpose, secret) for secret in secrets if secret)


@lru_cache(maxsize=64)
def _derive(purpose: str, secret: str) -> Key:
    material = hmac.digest(secret.encode(), f"aftercare {purpose}".encode(), hashlib.sha256)
    return Key(id=hashlib.sha256(b"name of " + material).hexdigest()[:16], material=material)
