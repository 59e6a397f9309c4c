"""Secrets of accounts at rest: sealed (AES-256-GCM) under a key derived from the process's own secret."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import AftercareError
from shared.http.keys import Key

PURPOSE: Final = "channel accounts"
_NONCE: Final = 12  # bytes, as GCM wants them


class SecretsUnreadable(AftercareError):
    """The secrets of {place} were sealed under another AFTERCARE_SECRET; set the account up anew."""

    kind = "unavailable"


def seal(secrets: Mapping[str, str], place: str, key: Key) -> bytes:
    """Bytes that only `unseal` with the same key and place turns back; never twice the same."""
    nonce = os.urandom(_NONCE)
    plain = json.dumps(dict(secrets)).encode()
    return nonce + AESGCM(key.material).encrypt(nonce, plain, place.encode())


def unseal(sealed: bytes, place: str, keys: Sequence[Key]) -> dict[str, str]:
    """The secrets, sealed with any of `keys`. Raises `SecretsUnreadable`."""
    for key in keys:
        try:
            plain = AESGCM(key.material).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
        except InvalidTag:
            continue
        secrets: dict[str, str] = json.loads(plain)
        return secrets
    raise SecretsUnreadable(place=place)
