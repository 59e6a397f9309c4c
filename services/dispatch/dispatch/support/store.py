"""The versions of the support policy, and repair plans with what became of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, DateTime, Integer, Table, Text, Uuid, cast, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.support.policy import SHIPPED, Policy
from dispatch.support.rules import Plan, PlanState
from dispatch.tables import among, metadata
from dispatch.tickets.store import history
from shared.db import Tx, insert_rows

Row = Mapping[str, Any]

support_policy: Final = Table(
    "support_policy",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("note", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    comment="Every version of the support policy there was; append-only. Without any, what ships counts.",
)
repair_plan: Final = Table(
    "repair_plan",
    metadata,
    Column("ticket_id", Uuid, primary_key=True),
    Column("episode", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("steps", JSONB, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("parts", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("reason", Text, nullable=False),
)


async def load_policy(tx: Tx) -> tuple[Policy, int]:
    """The policy in force and its version: 0 while it is what ships."""
    newest = select(cast(support_policy.c.body, Text).label("body"), support_policy.c.version)
    row = (await tx.execute(newest.order_by(support_policy.c.version.desc()).limit(1))).first()
    return (_policy(row.body), row.version) if row else (SHIPPED, 0)


@lru_cache(maxsize=8)
def _policy(body: str) -> Policy:
    return Policy.model_validate_json(body)


async def save_policy(tx: Tx, version: int, body: Row, note: str, by: str) -> None:
    row = {"version": version, "body": body, "note": note, "made_by": by, "made_at": tx.now}
    await insert_rows(tx, support_policy, [row])


async def list_policies(tx: Tx, before: int | None, limit: int) -> list[Row]:
    """The versions, the newest first."""
    chosen = select(support_policy).order_by(support_policy.c.version.desc()).limit(limit)
    if before is not None:
        chosen = chosen.where(support_policy.c.version < before)
    return [dict(row) for row in (await tx.execute(chosen)).mappings()]


def _plans(rows: Any) -> list[Plan]:
    found = []
    for row in rows:
        values = {name: getattr(row, name) for name in Plan.__slots__}
        found.append(Plan(**values | {"steps": tuple(row.steps), "parts": tuple(row.parts)}))
    return found


async def list_plans(tx: Tx, ticket_id: UUID) -> list[Plan]:
    """All of a ticket, the newest first."""
    chosen = select(repair_plan).where(repair_plan.c.ticket_id == ticket_id)
    newest = chosen.order_by(repair_plan.c.episode.desc(), repair_plan.c.number.desc())
    return _plans(await tx.execute(newest))


async def newest_plan(tx: Tx, ticket_id: UUID, episode: int) -> Plan | None:
    """What holds in an episode; None where nobody has written any."""
    found = await list_plans(tx, ticket_id)
    return next((each for each in found if each.episode == episode), None)


async def save_plan(tx: Tx, plan: Plan) -> None:
    """A new plan takes the place of those before it in its episode."""
    await tx.execute(
        update(repair_plan)
        .where(repair_plan.c.ticket_id == plan.ticket_id, repair_plan.c.episode == plan.episode)
        .where(repair_plan.c.state.in_(("proposed", "signed")))
        .values(state="superseded")
    )
    row = {name: getattr(plan, name) for name in Plan.__slots__}
    await insert_rows(tx, repair_plan, [row | {"steps": [*plan.steps], "parts": [*plan.parts]}])


async def decide_plan(tx: Tx, plan: Plan) -> None:
    names = ("state", "decided_by", "decided_at", "reason")
    await tx.execute(
        update(repair_plan)
        .where(
            repair_plan.c.ticket_id == plan.ticket_id,
            repair_plan.c.episode == plan.episode,
            repair_plan.c.number == plan.number,
        )
        .values({name: getattr(plan, name) for name in names})
    )


_NEWEST: Final = text(
    "SELECT DISTINCT ON (ticket_id) ticket_id, repair_plan.state FROM repair_plan "
    "JOIN ticket ON ticket.id = ticket_id AND ticket.episode = repair_plan.episode "
    "WHERE ticket_id = ANY(:tickets) ORDER BY ticket_id, repair_plan.number DESC"
)


async def newest_states(tx: Tx, tickets: Collection[UUID]) -> Mapping[UUID, PlanState]:
    """How the newest plan of each of `tickets` stands in its episode; of the others: there is none."""
    found = await tx.execute(_NEWEST, {"tickets": list(tickets)})
    return {row.ticket_id: row.state for row in found}


async def tasks_of_escalations(tx: Tx, ticket_id: UUID) -> list[UUID]:
    """What R&D was asked for by escalating a ticket."""
    task = history.c.facts["task_id"].astext
    chosen = select(task).where(history.c.ticket_id == ticket_id, history.c.what == "ticket_escalated")
    return [UUID(each) for each in (await tx.execute(chosen.where(task.is_not(None)))).scalars()]


async def forget(tx: Tx, tickets: Collection[UUID]) -> None:
    """What was written in plans for `tickets` becomes a dash; who wrote and signed, and when, stays."""
    chosen = update(repair_plan).where(among(repair_plan.c.ticket_id, tickets))
    await tx.execute(chosen.values(steps=["—"], reason="—"))
