"""Makes messages findable soon after they came, however they came."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from intake.search import store
from intake.search.bigrams import grams
from shared.db import Tx

BATCH: Final = 200


async def make_findable(tx: Tx, now: datetime) -> datetime | None:
    """The next messages; returns `now` while there may be more."""
    unfindable = await store.lock_unfindable(tx, BATCH)
    if unfindable:
        found = [(each.id, each.request_id, grams(f"{each.title}\n{each.text}")) for each in unfindable]
        await store.save_findable(tx, found)
    return now if len(unfindable) == BATCH else None
