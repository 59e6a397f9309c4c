"""Whom to call back: missed and busy calls that nobody has returned yet (R51)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, select

from intake.calls.store import COUNTED, load_to_return
from intake.requests.access import Limits
from shared.db import Tx
from shared.db.audit import record
from shared.db.tables import audit
from shared.http.auth import Principal

SHOWN: Final = 20
BACK: Final = timedelta(days=3)
"""So far back calls are looked for: over a weekend."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The calls that wait longest, and how many others do; `uncounted` when there may be more."""

    calls: Sequence[Row[Any]]
    others: int
    uncounted: bool


async def look(tx: Tx, viewer: Principal) -> Callbacks:
    """What `viewer` may call back; that they saw who called is recorded, once for each call."""
    found = await load_to_return(tx, Limits.of(viewer), tx.now - BACK, SHOWN)
    await _record_look(tx, viewer.id, [each for each in found if each.caller])
    waiting = found[0].waiting if found else 0
    return Callbacks(found, waiting - len(found), waiting >= COUNTED)


async def _record_look(tx: Tx, actor: str, calls: Sequence[Row[Any]]) -> None:
    """The page asks again and again: who was told a number once has been told."""
    subjects = {_subject(each) for each in calls}
    told = select(audit.c.detail["call"].astext).where(audit.c.subject.in_(subjects), audit.c.actor == actor)
    known = set((await tx.execute(told)).scalars()) if subjects else set()
    for each in calls:
        if str(each.id) not in known:
            action = "customer_read" if each.customer_id else "caller_read"
            await record(tx, actor, action, _subject(each), {"call": str(each.id)})


def _subject(call: Row[Any]) -> str:
    return str(call.customer_id or call.id)
