"""What decisions are made from, locked while they are made, and the decisions with their reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Table, Text, Uuid, select
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.assignment.rules import Decision, Finding, Kept, Loads, Staff
from dispatch.organisation.rules import Centre, Region
from dispatch.organisation.store import capacity, organisation, person, person_of, working_in
from dispatch.tables import metadata
from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.errors import AftercareError
from shared.events.terms import PersonId

decision: Final = Table(
    "decision",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Column("decided_by", Text),
    Column("engineer_id", Uuid),
    Column("explanation", JSONB, nullable=False),
    comment="Why a ticket went where it went; append-only.",
)


class NobodyToOwn(AftercareError):
    """No organisation has been imported, so nobody could own a ticket; what comes in waits for one."""

    kind = "unavailable"


async def lock_staff(
    tx: Tx, regions: Collection[str], people: Collection[PersonId] = ()
) -> tuple[Staff, Loads]:
    """Everybody who may have a say about tickets in `regions`, or is named, and how loaded they are.

    Their loads cannot change until the transaction ends, and no organisation is imported meanwhile. Two
    statements. `NobodyToOwn` before the first import.
    """
    row = (await tx.execute(select(organisation).with_for_update(read=True))).first()
    if row is None:
        raise NobodyToOwn
    listed = {each["code"]: Region(**each) for each in row.regions}
    answering = {code: listed.get(code) or listed[row.default_region] for code in regions}
    named = {each for region in answering.values() for _, each in region.answerable()} | set(people)
    found = await tx.execute(
        select(person, capacity.c.working, capacity.c.supervising)
        .join(capacity, capacity.c.person_id == person.c.id)
        .where(working_in({region.code for region in answering.values()}, named))
        .order_by(person.c.id)
        .with_for_update(of=capacity)
    )
    rows = found.all()
    staff = Staff(
        row.default_region,
        listed,
        {each["code"]: Centre(**each) for each in row.centres},
        {each.id: person_of(each) for each in rows},
    )
    working = Counter({each.id: each.working for each in rows})
    return staff, Loads(working, Counter({each.id: each.supervising for each in rows}))


async def save_decisions(tx: Tx, made: Sequence[tuple[UUID, int, Decision | Kept]], by: str | None) -> None:
    """Keep why: (ticket, the version of it that the decision led to, the decision)."""
    await insert_rows(
        tx,
        decision,
        [
            {
                "id": uuid7(),
                "ticket_id": ticket_id,
                "version": version,
                "decided_at": tx.now,
                "decided_by": by,
                "engineer_id": each.engineer_id,
                "explanation": _explanation(each),
            }
            for ticket_id, version, each in made
        ],
    )


def _explanation(made: Decision | Kept) -> dict[str, Any]:
    # Spelled out: dataclasses.asdict took a third of the time that opening a ticket takes.
    return {
        "findings": _plain(made.findings),
        "candidates": [
            {
                "person_id": str(candidate.person_id),
                "tier": candidate.tier,
                "cost": candidate.cost,
                "findings": _plain(candidate.findings),
            }
            for candidate in made.candidates
        ],
    }


def _plain(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [{"rule": finding.rule, "facts": finding.facts} for finding in findings]


async def list_decisions(tx: Tx, ticket_id: UUID) -> list[Mapping[str, Any]]:
    """The decisions about a ticket, the newest first."""
    chosen = select(decision).where(decision.c.ticket_id == ticket_id).order_by(decision.c.id.desc())
    return [dict(row) for row in (await tx.execute(chosen)).mappings()]
