"""Solutions that were proposed, and whom leadership is where."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text, Uuid, select, update
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.organisation.store import organisation
from dispatch.solutions.rules import Solution, State
from dispatch.tables import among, metadata
from dispatch.tickets.store import ticket
from shared.db import Tx, insert_rows
from shared.events.terms import PersonId

solution: Final = Table(
    "solution",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("episode", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("cost", BigInteger),
    Column("currency", Text, nullable=False),
    Column("grounds", JSONB, nullable=False),
    Column("flags", JSONB, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposer_id", Uuid),
    Column("proposed_at", DateTime(timezone=True), nullable=False),
    Column("leader_ids", JSONB, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("note", Text, nullable=False),
    comment="How tickets are to be solved, and what leadership said to it; one of a ticket waits at most.",
)


async def list_solutions(tx: Tx, tickets: Collection[UUID]) -> list[Solution]:
    """Of `tickets`, the newest first."""
    chosen = select(solution).where(among(solution.c.ticket_id, tickets)).order_by(solution.c.id.desc())
    return [_solution_of(row) for row in await tx.execute(chosen)]


async def list_standing(tx: Tx, tickets: Collection[UUID]) -> dict[UUID, State]:
    """By ticket, how the newest solution of its episode stands that was not taken back."""
    same = (ticket.c.id == solution.c.ticket_id) & (ticket.c.episode == solution.c.episode)
    chosen = select(solution.c.ticket_id, solution.c.state).join(ticket, same)
    chosen = chosen.where(
        among(solution.c.ticket_id, tickets), solution.c.state.not_in(("withdrawn", "superseded"))
    )
    return {row.ticket_id: row.state for row in await tx.execute(chosen.order_by(solution.c.id))}


def _solution_of(row: Any) -> Solution:
    values = dict(row._mapping)
    values["grounds"], values["flags"] = tuple(values["grounds"]), tuple(values["flags"])
    return Solution(**values | {"leader_ids": tuple(map(UUID, values["leader_ids"]))})


async def add_solution(tx: Tx, proposed: Solution) -> None:
    row = {each.name: getattr(proposed, each.name) for each in fields(Solution)}
    lists = {name: list(row[name]) for name in ("grounds", "flags")}
    leaders = [str(each) for each in proposed.leader_ids]
    await insert_rows(tx, solution, [{**row, **lists, "leader_ids": leaders}])


async def save_verdict(tx: Tx, decided: Solution) -> None:
    """How it stands now, who decided and why."""
    told = {name: getattr(decided, name) for name in ("state", "decided_by", "decided_at", "note")}
    await tx.execute(update(solution).where(solution.c.id == decided.id).values(told))


async def was_asked(tx: Tx, ticket_id: UUID, person_id: PersonId) -> bool:
    """Whether somebody was asked about a solution of a ticket as its leadership."""
    chosen = select(solution.c.id).where(
        solution.c.ticket_id == ticket_id, solution.c.leader_ids.has_key(str(person_id))
    )
    return (await tx.execute(chosen.limit(1))).first() is not None


async def load_leadership(tx: Tx, region: str) -> tuple[PersonId, ...]:
    """The leadership group that answers for a region; nobody before the first import."""
    row = (await tx.execute(select(organisation.c.regions, organisation.c.default_region))).first()
    if row is None:
        return ()
    regions = {each["code"]: each for each in row.regions}
    answering = regions.get(region) or regions[row.default_region]
    return tuple(map(UUID, answering["leadership"]))


async def forget(tx: Tx, tickets: Collection[UUID]) -> None:
    """What was written about `tickets` becomes a dash; what was decided, when and by whom stays."""
    words = {"text": "—", "note": "—"}
    await tx.execute(update(solution).where(among(solution.c.ticket_id, tickets)).values(words))
