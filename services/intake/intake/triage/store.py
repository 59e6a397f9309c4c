"""Versions of the rules, and what became of what they decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, insert, select, text

from intake.tables.triage import triage_rules
from intake.triage.ruleset import FIRST_PUBLISHED, RuleSet, shipped
from shared.clock import uuid7_floor
from shared.db import Tx, lock_subjects
from shared.errors import AftercareError


class NoSuchRules(AftercareError):
    """There is no such version of the triage rules here."""

    kind = "not_found"


async def load_rules(tx: Tx, version: int | None = None) -> RuleSet:
    """One version; the one in force unless a number is given: what was published last, else what was shipped.

    Raises `NoSuchRules`.
    """
    if version == shipped().version:
        return shipped()
    query = select(triage_rules.c.document).order_by(triage_rules.c.version.desc()).limit(1)
    if version is not None:
        query = query.where(triage_rules.c.version == version)
    document = (await tx.execute(query)).scalar_one_or_none()
    if document is not None:
        return RuleSet.model_validate(document)
    if version is None:
        return shipped()
    raise NoSuchRules


async def load_by_digest(tx: Tx, digest: str) -> RuleSet:
    """The published rules whose digest this is."""
    query = select(triage_rules.c.document).where(triage_rules.c.digest == digest).limit(1)
    return RuleSet.model_validate((await tx.execute(query)).scalar_one())


async def load_versions(tx: Tx) -> Sequence[Any]:
    """Every published version without its rules, the newest first."""
    columns = [triage_rules.c[name] for name in ("version", "published_at", "by", "note")]
    return (await tx.execute(select(*columns).order_by(triage_rules.c.version.desc()).limit(200))).all()


async def save_rules(tx: Tx, rules: RuleSet, digest: str, by: str) -> None:
    row = {
        "version": rules.version,
        "digest": digest,
        "published_at": tx.now,
        "by": by,
        "note": rules.note,
        "document": rules.model_dump(mode="json"),
    }
    await tx.execute(insert(triage_rules).values(row))


async def next_version(tx: Tx) -> int:
    """The number of the next version to publish; nobody else publishes until this transaction ends."""
    await lock_subjects(tx, ["triage_rules"])
    newest = (await tx.execute(select(func.max(triage_rules.c.version)))).scalar_one()
    return (newest or FIRST_PUBLISHED - 1) + 1


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something decided, and what persons made of it; `rule` is empty for a version as a whole.

    raised, lowered  overruled to a graver or milder severity
    other_kind       overruled to another kind
    overruled        any of these
    """

    version: int | None
    rule: str
    hits: int
    overruled: int
    raised: int
    lowered: int
    other_kind: int


# The rules' judgements of the period, each with the latest that a person set in its place.
_JUDGED = """
    WITH judged AS (
        SELECT triage.rules_version, triage.reasons, triage.kind, triage.severity, person.kind AS other,
               array_position(ARRAY['general', 'important', 'urgent'], person.severity)
             - array_position(ARRAY['general', 'important', 'urgent'], triage.severity) AS steps
        FROM triage LEFT JOIN LATERAL (
            SELECT kind, severity FROM triage AS later
            WHERE later.request_id = triage.request_id AND later.by IS NOT NULL ORDER BY later.id DESC LIMIT 1
        ) AS person ON true
        WHERE triage.by IS NULL AND triage.id >= :since
    )
"""
_COUNTS = """
    count(*) AS hits, count(*) FILTER (WHERE steps <> 0 OR other <> kind) AS overruled,
    count(*) FILTER (WHERE steps > 0) AS raised, count(*) FILTER (WHERE steps < 0) AS lowered,
    count(*) FILTER (WHERE other <> kind) AS other_kind
"""
_TALLIES = text(
    f"""
    {_JUDGED}
    SELECT rules_version AS version, '' AS rule, {_COUNTS} FROM judged GROUP BY rules_version
    UNION ALL
    SELECT rules_version, reason ->> 'rule', {_COUNTS} FROM judged, jsonb_array_elements(reasons) AS reason
    GROUP BY 1, 2 ORDER BY 1 DESC NULLS LAST, 3 DESC, 2
    """
).bindparams(bindparam("since", type_=Uuid))


async def load_tallies(tx: Tx, since: datetime) -> list[Tally]:
    """Per version and rule, the newest version first, what hit most first; judged from `since` on."""
    rows = await tx.execute(_TALLIES, {"since": uuid7_floor(since)})
    return [Tally(**row._mapping) for row in rows]


@dataclass(frozen=True, slots=True)
class Told:
    """A request as it was told first, and what the rules of its time decided."""

    request_id: UUID
    title: str
    text: str
    kind: str
    severity: str


_RECENT = text(
    """
    SELECT request.id AS request_id, request.title, first.text, triage.kind, triage.severity
    FROM request
    JOIN LATERAL (SELECT text FROM message WHERE request_id = request.id AND direction = 'in'
                  ORDER BY id LIMIT 1) AS first ON true
    JOIN triage ON triage.request_id = request.id AND triage.by IS NULL
    ORDER BY request.id DESC LIMIT :most
    """
)


async def load_recent(tx: Tx, most: int) -> list[Told]:
    """The newest requests."""
    return [Told(**row._mapping) for row in await tx.execute(_RECENT, {"most": most})]
