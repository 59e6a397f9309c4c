"""Somebody writes down what colleagues should know and the customer should not read (R04)."""

from __future__ import annotations

from uuid import UUID

from intake.customers import store as customers
from intake.notes import store
from intake.requests.store import Request
from shared.clock import uuid7
from shared.db import Tx
from shared.http.auth import Principal


async def write(tx: Tx, request: Request, text: str, by: Principal) -> UUID:
    """Keep a note on a request, which is held: so an erasure comes before it or clears it. `Forgotten`."""
    await customers.require_known(tx, request.customer_id)
    row = {
        "id": (id := uuid7()),
        "request_id": request.id,
        "author": by.id,
        "author_name": by.name or "",
        "text": text,
        "at": tx.now,
    }
    await store.save(tx, row)
    return id
