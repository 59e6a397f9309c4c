"""Requests that dispatch has not answered for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from intake.requests import store
from shared.db import Tx

PATIENCE: Final = timedelta(seconds=60)
"""Until then the duty desk owns the request; after it somebody must look."""

log = structlog.get_logger()


async def watch_for_tickets(tx: Tx, now: datetime) -> None:
    """Raise the alarm while there are requests without a ticket; the desk marks them too."""
    waiting = await store.count_without_ticket(tx, now - PATIENCE)
    if waiting:
        log.error("requests without a ticket", count=waiting)
