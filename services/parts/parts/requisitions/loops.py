"""Holds that ran out."""

from __future__ import annotations

from datetime import datetime

from parts.requisitions import actions, store
from shared.db import Tx

MOST = 100


async def release_expired(tx: Tx, now: datetime) -> datetime | None:
    """Give back what nobody came for; returns `now` while there may be more."""
    expired = await store.lock_expired(tx, now, MOST)
    await actions.release(tx, expired)
    return now if len(expired) == MOST else None
