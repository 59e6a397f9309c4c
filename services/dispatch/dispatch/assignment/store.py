"""What decisions are made from, locked while they are made, and the decisions with their reasons."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Integer,
    Table,
    Text,
    Uuid,
    bindparam,
    cast,
    delete,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.assignment.policy import SHIPPED, Policy
from dispatch.assignment.rules import Decision, Finding, Kept, Loads, Situation, Staff
from dispatch.assignment.staff import HORIZON, Preference
from dispatch.organisation.roster import Interval
from dispatch.organisation.store import document_of, load_everybody, organisation
from dispatch.tables import metadata
from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.errors import AftercareError
from shared.events.terms import PersonId

Row = Mapping[str, Any]

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
    tx: Tx, customers: Collection[UUID] = (), devices: Collection[UUID | None] = ()
) -> tuple[Staff, Loads]:
    """Everybody who may have a say, how loaded they are, and what is known of `customers` and `devices`.

    Nobody else gives work to anybody until the transaction ends, and no organisation is imported meanwhile:
    the row of the organisation is the one lock of all decisions. Two statements, four after an import.
    `NobodyToOwn` before the first import.
    """
    return await _at(tx, await _staff_of(tx, await lock_organisation(tx)), customers, devices)


async def see_staff(
    tx: Tx, customers: Collection[UUID] = (), devices: Collection[UUID | None] = ()
) -> tuple[Staff, Loads]:
    """The same to look at: nobody waits, and what is read may be different when somebody decides.

    `NobodyToOwn` before the first import.
    """
    return await _at(tx, await read_staff(tx), customers, devices)


async def _at(
    tx: Tx, staff: Staff, customers: Collection[UUID], devices: Collection[UUID | None]
) -> tuple[Staff, Loads]:
    # A statement of its own: it sees what was committed while the one before waited for the lock.
    asked = {"customers": list(customers), "devices": [each for each in devices if each]}
    found = (await tx.execute(_STANDING, {"now": tx.now, "until": tx.now + HORIZON, **asked})).one()
    loads = Loads(
        Counter(dict(zip(found.people or (), found.working or (), strict=True))),
        Counter(dict(zip(found.people or (), found.supervising or (), strict=True))),
    )
    return staff.at(_situation(found, tx.now)), loads


async def read_staff(tx: Tx) -> Staff:
    """Everybody as they were imported last, without the situation; nothing is locked. `NobodyToOwn`."""
    row = (await tx.execute(_SEEN)).first()
    if row is None:
        raise NobodyToOwn
    return await _staff_of(tx, row)


async def _staff_of(tx: Tx, row: Any) -> Staff:
    staff = _known.get(row.import_id)
    if staff is None or staff[0] != row.version:
        staff = (row.version, await _load_staff(tx))
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[row.import_id] = staff
    return staff[1]


async def lock_organisation(tx: Tx) -> Any:
    """The one lock of all decisions; which import it is, and its version. `NobodyToOwn`."""
    row = (await tx.execute(_HELD)).first()
    if row is None:
        raise NobodyToOwn
    return row


_SEEN: Final = select(organisation.c.import_id, organisation.c.version)
_HELD: Final = _SEEN.with_for_update()
_known: Final[dict[UUID, tuple[int, Staff]]] = {}
"""By import, the version and the people in it: read once, because they change with an import alone."""
MOST_KNOWN: Final = 8  # a process reads one database; tests read many


async def _load_staff(tx: Tx) -> Staff:
    row = (await tx.execute(select(organisation))).one()
    everybody = await load_everybody(tx)
    return Staff.of(document_of(row, [each for each in everybody if each.active]), everybody)


_STANDING: Final = text(
    """
    SELECT loads.*, away.away, visits.visits, duties.duties, outside.places, known.familiar, handled.versed,
           wishes.wishes, policy.body
    FROM (SELECT array_agg(person_id) AS people, array_agg(working) AS working,
                 array_agg(supervising) AS supervising
            FROM capacity WHERE working > 0 OR supervising > 0) AS loads,
         (SELECT array_agg(ROW(person_id, starts_at, ends_at) ORDER BY starts_at) AS away FROM absence
           WHERE state = 'approved' AND ends_at > :now AND starts_at < :until) AS away,
         (SELECT array_agg(ROW(engineer_id, starts_at, ends_at) ORDER BY starts_at) AS visits FROM visit
           WHERE state = 'agreed' AND ends_at > :now AND starts_at < :until) AS visits,
         (SELECT array_agg(ROW(region, part, person_id, starts_at, ends_at) ORDER BY starts_at) AS duties
            FROM duty WHERE ends_at > :now AND starts_at < :until) AS duties,
         (SELECT array_agg(ROW(engineer_id, latitude, longitude)) AS places FROM ticket
           WHERE state IN ('travelling', 'on_site', 'working') AND latitude IS NOT NULL
             AND longitude IS NOT NULL) AS outside,
         (SELECT array_agg(ROW(asked.id, last.engineer_id)) AS familiar
            FROM unnest(:customers) AS asked (id), LATERAL (
                SELECT engineer_id FROM ticket WHERE customer_id = asked.id AND engineer_id IS NOT NULL
                ORDER BY id DESC LIMIT 1) AS last) AS known,
         (SELECT array_agg(ROW(asked.id, last.engineer_id)) AS versed
            FROM unnest(:devices) AS asked (id), LATERAL (
                SELECT engineer_id FROM ticket WHERE device_id = asked.id AND engineer_id IS NOT NULL
                ORDER BY id DESC LIMIT 1) AS last) AS handled,
         (SELECT array_agg(ROW(customer_id, person_id, preference)) AS wishes FROM customer_preference
           WHERE customer_id = ANY(:customers)) AS wishes,
         (SELECT (SELECT body::text FROM assignment_policy ORDER BY version DESC LIMIT 1) AS body) AS policy
    """
).bindparams(bindparam("customers", type_=ARRAY(Uuid)), bindparam("devices", type_=ARRAY(Uuid)))


def _situation(found: Any, now: datetime) -> Situation:
    on_call: defaultdict[PersonId, list[Interval]] = defaultdict(list)
    leads: dict[str, PersonId] = {}
    for region, part, person_id, begins, ends in found.duties or ():
        if part == "engineer":
            on_call[person_id].append((begins, ends))
        elif begins <= now < ends:
            leads[region] = person_id
    wishes: defaultdict[object, dict[PersonId, Preference]] = defaultdict(dict)
    for customer_id, person_id, preference in found.wishes or ():
        wishes[customer_id][person_id] = preference
    return Situation(
        now=now,
        policy=_policy(found.body) if found.body else SHIPPED,
        away=_intervals(found.away or ()),
        visits=_intervals(found.visits or ()),
        on_call=on_call,
        duty_leads=leads,
        familiar=dict(found.familiar or ()),
        versed=dict(found.versed or ()),
        preferences=wishes,
        places={engineer_id: (north, east) for engineer_id, north, east in found.places or ()},
    )


def _intervals(rows: Iterable[tuple[PersonId, datetime, datetime]]) -> Mapping[PersonId, Sequence[Interval]]:
    found: defaultdict[PersonId, list[Interval]] = defaultdict(list)
    for person_id, begins, ends in rows:
        found[person_id].append((begins, ends))
    return found


async def load_policy(tx: Tx) -> Policy:
    """The policy in force."""
    newest = select(cast(assignment_policy.c.body, Text)).order_by(assignment_policy.c.version.desc())
    body = (await tx.execute(newest.limit(1))).scalar_one_or_none()
    return _policy(body) if body else SHIPPED


@lru_cache(maxsize=8)
def _policy(body: str) -> Policy:
    return Policy.model_validate_json(body)


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


assignment_policy: Final = Table(
    "assignment_policy",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("note", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    comment="Every version of the assignment policy there was; append-only. Without any, what ships counts.",
)
customer_preference: Final = Table(
    "customer_preference",
    metadata,
    Column("customer_id", Uuid, primary_key=True),
    Column("person_id", Uuid, primary_key=True),
    Column("preference", Text, nullable=False),
    Column("noted_by", Text, nullable=False),
    Column("noted_at", DateTime(timezone=True), nullable=False),
    comment="Whom customers prefer, and whom they asked not to be sent.",
)


async def list_policies(tx: Tx, before: int | None = None, limit: int = 1) -> list[Mapping[str, Any]]:
    """The versions, the newest first."""
    chosen = select(assignment_policy).order_by(assignment_policy.c.version.desc()).limit(limit)
    if before is not None:
        chosen = chosen.where(assignment_policy.c.version < before)
    return [dict(row) for row in (await tx.execute(chosen)).mappings()]


async def save_policy(tx: Tx, version: int, body: Mapping[str, Any], note: str, by: str) -> None:
    row = {"version": version, "body": body, "note": note, "made_by": by, "made_at": tx.now}
    await insert_rows(tx, assignment_policy, [row])


async def list_preferences(tx: Tx, customer_id: UUID) -> list[Mapping[str, Any]]:
    chosen = select(customer_preference).where(customer_preference.c.customer_id == customer_id)
    found = await tx.execute(chosen.order_by(customer_preference.c.person_id))
    return [dict(row) for row in found.mappings()]


async def replace_preferences(
    tx: Tx, customer_id: UUID, wishes: Mapping[PersonId, Preference], by: str
) -> None:
    """What the customer wishes is `wishes` and nothing else."""
    await tx.execute(delete(customer_preference).where(customer_preference.c.customer_id == customer_id))
    rows = [
        {
            "customer_id": customer_id,
            "person_id": person_id,
            "preference": wish,
            "noted_by": by,
            "noted_at": tx.now,
        }
        for person_id, wish in wishes.items()
    ]
    await insert_rows(tx, customer_preference, rows)
