"""Which request a mail belongs to, signed so that nobody can join another's.

A token stands in the address that an answer goes to (`support+<token>@…`): it is lower-case letters and
digits, 48 of them, and holds the request, the hour it ends and a MAC. Mail programs keep addresses, whatever
they do to headers and subjects.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from shared.http.keys import Key

PURPOSE: Final = "mail threads"
LASTS: Final = timedelta(days=180)
_HOUR: Final = 3600
_MAC: Final = 11  # bytes: with id (16) and hour (3) 30, which is 48 characters without padding
_TOKEN: Final = re.compile(r"[a-z2-7]{48}")


def thread_token(request_id: UUID, key: Key, now: datetime, lasts: timedelta = LASTS) -> str:
    """48 characters that name a request and cannot be made by others; they end after `lasts`."""
    ends = int((now + lasts).timestamp()) // _HOUR
    told = request_id.bytes + ends.to_bytes(3)
    return base64.b32encode(told + _mac(key, told)).decode().lower()


def read_token(token: str, keys: Iterable[Key], now: datetime) -> UUID | None:
    """The request that a token of ours names; None when it is forged, cut or over."""
    if not _TOKEN.fullmatch(token.lower()):
        return None
    try:
        sealed = base64.b32decode(token.upper())
    except binascii.Error:
        return None
    told, mac = sealed[:19], sealed[19:]
    if not any(key.verifies(b"thread " + told, mac, _MAC) for key in keys):
        return None
    ends = datetime.fromtimestamp(int.from_bytes(told[16:]) * _HOUR, UTC)
    return UUID(bytes=told[:16]) if now < ends else None


def thread_of(addresses: Iterable[str], keys: Sequence[Key], now: datetime) -> UUID | None:
    """The request that the first good token in the plus part of `addresses` names."""
    for address in addresses:
        token = address.rpartition("@")[0].rpartition("+")[2]
        if (found := read_token(token, keys, now)) is not None:
            return found
    return None


def _mac(key: Key, told: bytes) -> bytes:
    return key.sign(b"thread " + told)[:_MAC]
