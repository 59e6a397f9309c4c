"""The turns of tickets, out of their history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from dispatch.progress.rules import TURNS
from dispatch.tables import among
from dispatch.tickets.store import history
from shared.db import Tx

Turns = Mapping[UUID, Sequence[Mapping[str, Any]]]


async def load_turns(tx: Tx, tickets: Collection[UUID]) -> Turns:
    """By ticket, the newest first."""
    chosen = select(history.c.ticket_id, history.c.what, history.c.at).where(
        among(history.c.ticket_id, tickets), history.c.what.in_(TURNS)
    )
    turns: dict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
    for row in (await tx.execute(chosen.order_by(history.c.version.desc()))).mappings():
        turns[row["ticket_id"]].append(dict(row))
    return turns
