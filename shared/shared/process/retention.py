"""What grows is cut: partitions by age, idempotency rows by age."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from shared.db import Tx
from shared.process.loops import Loop
from shared.settings import Settings

EVERY: Final = timedelta(hours=1)

_KEEP = text("SELECT keep_partitions(:parent, make_interval(days => :days))")


def retention_loop(settings: Settings, keep_inbox_longer: int) -> Loop:
    """Make the coming months' partitions and drop those past their time."""
    days = {
        "event_log": settings.event_log_days,
        "inbox": settings.event_log_days + keep_inbox_longer,
        "audit": settings.audit_days,
    }

    async def tick(tx: Tx, now: datetime) -> None:
        for parent, kept in days.items():
            await tx.execute(_KEEP, {"parent": parent, "days": kept})

    return Loop("retention", tick, EVERY)
