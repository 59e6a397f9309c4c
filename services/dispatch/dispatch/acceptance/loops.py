"""The loop that heeds silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dispatch.acceptance.actions import heed_silence
from shared.context import ServiceContext
from shared.db import Tx
from shared.process.loops import Loop


def acceptance_loops(context: ServiceContext) -> Sequence[Loop]:
    """One look a minute; days are waited for."""

    async def tick(tx: Tx, now: datetime) -> datetime | None:
        return await heed_silence(tx, now, context.settings.public_url)

    return (Loop("acceptance", tick, every=timedelta(minutes=1)),)
