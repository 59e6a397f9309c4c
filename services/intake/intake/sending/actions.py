"""What people decide about messages that did not get through, or nobody knows whether they did."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from intake.customers import store as customers
from intake.requests import access
from intake.requests import store as requests
from intake.sending import store
from intake.sending.fates import fate_of
from intake.sending.rules import Decision, may_decide
from shared.db import Tx
from shared.db.audit import record
from shared.errors import AftercareError
from shared.http.auth import Principal


class NotNow(AftercareError):
    """The message is {state}: there is nothing to decide about it now."""

    kind = "conflict"


async def decide(tx: Tx, id: UUID, decision: Decision, viewer: Principal) -> UUID:
    """Let a message be sent again, or say that it arrived; the id of its request.

    Raises `NoSuchMessage`, `NotNow`, `Forgotten`.
    """
    row = await store.lock(tx, id)
    if not await access.visible(tx, viewer, {row.request_id}):
        raise store.NoSuchMessage
    await customers.require_known(tx, (await requests.load(tx, row.request_id)).customer_id)
    told = (await store.load_told(tx, [row.request_id])).get(id)
    state = fate_of(row, told).state
    if not may_decide(state, decision):
        raise NotNow(state=state)
    await store.save(tx, id, **(_again(row, tx) if decision == "send_again" else _arrived(tx)))
    await record(tx, viewer.id, f"message_{decision}", str(id), {"was": state})
    request_id: UUID = row.request_id
    return request_id


def _again(row: Any, tx: Tx) -> dict[str, Any]:
    """As if it were new; but in a new round, or a mail server would drop what it had refused before."""
    again = {"state": "waiting", "queued_at": tx.now, "round": row.round + 1, "attempts": 0}
    return again | dict.fromkeys(("lane", "due_at", "why", "detail", "sent_id"))


def _arrived(tx: Tx) -> dict[str, Any]:
    return {"state": "sent", "sent_at": tx.now, "due_at": None, "why": "person", "detail": None}
