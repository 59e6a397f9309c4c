"""Questions to customers and the hashes of the secrets in the links that lead to them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, DateTime, Integer, LargeBinary, Table, Text, Uuid, func, select, update

from dispatch.acceptance.rules import Acceptance, Outcome
from dispatch.tables import among, metadata
from shared.db import Tx, insert_rows

acceptance: Final = Table(
    "acceptance",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("reminders", Integer, nullable=False),
    Column("next_at", DateTime(timezone=True), nullable=False),
    Column("outcome", Text),
    Column("answered_at", DateTime(timezone=True)),
    Column("reason", Text),
)

acceptance_link: Final = Table(
    "acceptance_link",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("acceptance_id", Uuid, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    comment="Each message carries a link of its own; what it holds is known to the customer alone.",
)


def _acceptance_of(row: Any) -> Acceptance:
    return Acceptance(**{column.name: getattr(row, column.name) for column in acceptance.columns})


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def add_acceptance(tx: Tx, asked: Acceptance) -> None:
    row = {name: getattr(asked, name) for name in Acceptance.__slots__}
    await insert_rows(tx, acceptance, [row])


async def add_links(tx: Tx, links: Mapping[str, UUID], expires_at: datetime) -> None:
    """Secrets (by token) that open the page of an acceptance until `expires_at`."""
    rows = [
        {"token_hash": _hash(token), "acceptance_id": acceptance_id, "expires_at": expires_at}
        for token, acceptance_id in links.items()
    ]
    await insert_rows(tx, acceptance_link, rows)


async def find_acceptance(tx: Tx, token: str) -> Acceptance | None:
    """What a link leads to; None when it is unknown or expired."""
    found = await tx.execute(
        select(acceptance)
        .join(acceptance_link, acceptance_link.c.acceptance_id == acceptance.c.id)
        .where(acceptance_link.c.token_hash == _hash(token), acceptance_link.c.expires_at > tx.now)
    )
    row = found.first()
    return _acceptance_of(row) if row else None


async def load_acceptances(tx: Tx, ids: Collection[UUID]) -> list[Acceptance]:
    """As they are now; read again after the tickets were locked."""
    chosen = select(acceptance).where(among(acceptance.c.id, ids)).order_by(acceptance.c.id)
    return [_acceptance_of(row) for row in await tx.execute(chosen)]


async def list_due(tx: Tx, now: datetime, limit: int) -> list[Acceptance]:
    """Those that have waited longest for what comes next."""
    chosen = select(acceptance).where(acceptance.c.outcome.is_(None), acceptance.c.next_at <= now)
    found = await tx.execute(chosen.order_by(acceptance.c.next_at).limit(limit))
    return [_acceptance_of(row) for row in found]


async def next_due(tx: Tx) -> datetime | None:
    """When the next one is due, None when nobody is being asked."""
    found = await tx.execute(select(func.min(acceptance.c.next_at)).where(acceptance.c.outcome.is_(None)))
    instant: datetime | None = found.scalar_one()
    return instant


async def settle(tx: Tx, ids: Collection[UUID], outcome: Outcome, reason: str | None = None) -> None:
    settled = {"outcome": outcome, "answered_at": tx.now, "reason": reason}
    await tx.execute(update(acceptance).where(among(acceptance.c.id, ids)).values(settled))


async def save_reminders(tx: Tx, reminded: Sequence[Acceptance]) -> None:
    """Store how often each was reminded and when the next thing is due."""
    rows = [{name: getattr(each, name) for name in Acceptance.__slots__} for each in reminded]
    tail = "ON CONFLICT (id) DO UPDATE SET reminders = EXCLUDED.reminders, next_at = EXCLUDED.next_at"
    await insert_rows(tx, acceptance, rows, tail=tail)
