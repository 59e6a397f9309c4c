"""Holds that run out, and parts that arrive for those who wait."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from parts.requisitions import actions, store
from shared.db import Tx

MOST: Final = 100
"""Requisitions in one transaction: each may lock several shelves that others want."""


async def release_expired(tx: Tx, now: datetime) -> datetime | None:
    """Give back what nobody came for; returns `now` while there may be more."""
    expired = await store.lock_expired(tx, now, MOST)
    await actions.expire(tx, expired)
    return now if len(expired) == MOST else None


async def serve_waiting(tx: Tx, now: datetime) -> datetime | None:
    """Hold what was short and is there by now, whatever brought it; returns `now` while there may be more."""
    served = await actions.serve_waiting(tx, MOST)
    return now if served else None
