"""What grows is cut: partitions by age, answers under an Idempotency-Key by age."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from shared.db import Tx
from shared.http.idempotency import forget_answers
from shared.process.loops import Loop
from shared.settings import Settings

PARTITIONS_EVERY: Final = timedelta(hours=1)
ANSWERS_EVERY: Final = timedelta(minutes=1)
MOST_ANSWERS: Final = 5_000  # forgotten in one transaction

_KEEP = text("SELECT keep_partitions(:parent, make_interval(days => :days))")


def retention_loops(settings: Settings, keep_inbox_longer: int) -> Sequence[Loop]:
    """Make the coming months' partitions, drop those past their time, forget old answers."""
    days = {
        "event_log": settings.event_log_days,
        "inbox": settings.event_log_days + keep_inbox_longer,
        "audit": settings.audit_days,
    }

    async def keep_partitions(tx: Tx, now: datetime) -> None:
        for parent, kept in days.items():
            await tx.execute(_KEEP, {"parent": parent, "days": kept})

    async def forget(tx: Tx, now: datetime) -> datetime | None:
        gone = await forget_answers(tx, now - timedelta(days=settings.idempotency_days), MOST_ANSWERS)
        return now if gone == MOST_ANSWERS else None

    return (
        Loop("partitions", keep_partitions, PARTITIONS_EVERY),
        Loop("answers", forget, ANSWERS_EVERY),
    )
