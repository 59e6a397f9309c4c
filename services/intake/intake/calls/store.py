"""Calls and what was told of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from intake.tables import call, call_event
from shared.db import Tx, insert_rows


async def lock_or_make(tx: Tx, new: dict[str, Any]) -> Row[Any]:
    """The call of an account's external id, held; made from `new` when it was unknown."""
    await insert_rows(tx, call, [new], tail="ON CONFLICT (account, external_id) DO NOTHING")
    which = (call.c.account == new["account"]) & (call.c.external_id == new["external_id"])
    return (await tx.execute(select(call).where(which).with_for_update())).one()


async def note(tx: Tx, call_id: UUID, kind: str, happened_at: datetime) -> bool:
    """Remember an event of a call; False when it was told before."""
    row = {"call_id": call_id, "kind": kind, "happened_at": happened_at}
    return bool(await insert_rows(tx, call_event, [row], tail="ON CONFLICT DO NOTHING RETURNING kind"))


async def save(tx: Tx, call_id: UUID, **changes: Any) -> None:
    changes["version"] = call.c.version + 1
    await tx.execute(update(call).where(call.c.id == call_id).values(changes))


async def lock_ringing(tx: Tx, since: datetime, most: int) -> list[Row[Any]]:
    """Calls that have been ringing since before `since`."""
    query = select(call).where(call.c.state == "ringing", call.c.rang_at <= since)
    return list(await tx.execute(query.order_by(call.c.id).limit(most).with_for_update(skip_locked=True)))
