"""The clocks of sla-monitor that are about tickets, as it told of them last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Column, DateTime, Table, Text, Uuid, bindparam, text

from dispatch.promises.rules import DONE_BY, ENDED_BY, Clock, Deadlines
from dispatch.tables import metadata
from shared.db import Tx, insert_rows

promise: Final = Table(
    "promise",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("code", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    comment="What sla-monitor promised about tickets; it may tell of one before the ticket's row is here.",
)

_NEWEST: Final = """
ON CONFLICT (id) DO UPDATE SET due_at = EXCLUDED.due_at, state = EXCLUDED.state, version = EXCLUDED.version
WHERE promise.version < EXCLUDED.version
"""


async def save_clocks(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each row is how one clock stands; an older version than what is stored is passed over."""
    newest = {row["id"]: row for row in sorted(rows, key=lambda row: row["version"])}
    await insert_rows(tx, promise, list(newest.values()), tail=_NEWEST)


# Of what was missed nothing more is told when it is done late: the ticket's own history knows.
_OWED: Final = text(
    """
    SELECT ticket_id, code, due_at, state = 'paused' AS stands FROM promise
    WHERE ticket_id = ANY(:tickets) AND (state IN ('running', 'paused') OR state = 'breached' AND NOT EXISTS (
        SELECT FROM history JOIN unnest(:codes, :steps) AS done (code, step) ON done.step = history.what
        WHERE history.ticket_id = promise.ticket_id AND history.at >= promise.due_at
          AND done.code IN (promise.code, '')))
    ORDER BY due_at, id
    """
).bindparams(
    bindparam("tickets", type_=ARRAY(Uuid)),
    bindparam("codes", type_=ARRAY(Text)),
    bindparam("steps", type_=ARRAY(Text)),
)
_DONE: Final = [
    *((code, step) for code, steps in DONE_BY.items() for step in steps),
    *(("", step) for step in ENDED_BY),
]


async def deadlines(tx: Tx, ticket_ids: Collection[UUID]) -> dict[UUID, Deadlines]:
    """What is owed about each of these tickets, one statement for all; each of them has an entry."""
    owed: defaultdict[UUID, list[Clock]] = defaultdict(list)
    asked = {
        "tickets": list(ticket_ids),
        "codes": [code for code, _ in _DONE],
        "steps": [step for _, step in _DONE],
    }
    for row in await tx.execute(_OWED, asked):
        owed[row.ticket_id].append(Clock(row.code, row.due_at, row.stands))
    return {ticket_id: Deadlines(tuple(owed[ticket_id])) for ticket_id in ticket_ids}


# A hash, because one may be met while another begins.
_VERSION: Final = text(
    """
    SELECT count(*), sum(hashtextextended(id::text, version)) FROM promise
    WHERE state IN ('running', 'paused', 'breached')
    """
)


async def version_of_owed(tx: Tx) -> Hashable:
    """Differs after each event that changes what `deadlines` returns."""
    return tuple((await tx.execute(_VERSION)).one())
