"""Calls whose signature leaves the body out: one that was overheard must not come again with another."""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import select

from intake.channels.contract import Account, NotGenuine
from shared.db import Tx, insert_rows
from shared.db.tables import idempotency

_ROUTE: Final = "intake.channel"


async def only(tx: Tx, account: Account, name: str, body: bytes) -> None:
    """Take `name` for this body; the same again is a provider's repetition. Raises `NotGenuine`.

    What is kept goes with the answers that callers were given, days after any signature has run out.
    """
    digest = hashlib.sha256(body).digest()
    place = {
        "principal": account.place,
        "route": _ROUTE,
        "key": hashlib.sha256(name.encode(errors="replace")).hexdigest(),
    }
    row = {**place, "body_hash": digest, "created_at": tx.now}
    await insert_rows(tx, idempotency, [row], tail="ON CONFLICT DO NOTHING")
    which = [idempotency.c[column] == value for column, value in place.items()]
    taken = (await tx.execute(select(idempotency.c.body_hash).where(*which))).scalar_one()
    if taken != digest:
        raise NotGenuine(channel=account.channel)
