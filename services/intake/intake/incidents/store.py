"""Incidents, what belongs to them, and who was told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Text, Uuid, bindparam, select, text, update

from intake.incidents.rules import (
    Complaint,
    Delivery,
    Linked,
    Notice,
    Proposal,
    Reach,
    Signature,
    State,
    reach,
)
from intake.tables import message, request
from intake.tables.incidents import incident, incident_link, incident_notice, incident_revision
from shared.clock import uuid7_floor
from shared.db import Tx, insert_rows, insert_together
from shared.errors import AftercareError


class NoSuchIncident(AftercareError):
    """There is no such incident here, or it is not yours to see."""

    kind = "not_found"


class LinkedElsewhere(AftercareError):
    """A request belongs to one incident at most; take it out of the other one first."""

    kind = "conflict"


class UnknownRequest(AftercareError):
    """One of these requests is not here; look at its number again."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Incident:
    """One cause as it stands; revision 0 until somebody declares it."""

    id: UUID
    state: State
    product_line: str | None
    region: str
    symptom: str
    customers: int
    usual: float
    title: str
    cause: str
    recovery_at: datetime | None
    revision: int
    proposed_at: datetime
    settled_at: datetime | None

    @property
    def signature(self) -> Signature:
        return Signature(self.product_line, self.region, self.symptom)


_COLUMNS = [incident.c[name] for name in Incident.__slots__]

# What triage by rules found; a person's words about it are no symptoms. Ids carry the time they were made.
# Of the reasons nothing but words is read: whole, those of thousands of requests take as much memory as code.
_RECENT = text(
    """
    SELECT request.id, request.customer_id, request.product_line, request.region, request.received_at,
           ARRAY(SELECT reason ->> 'because' FROM jsonb_array_elements(triage.reasons) AS reason
                 WHERE reason ->> 'rule' = ANY(CAST(:trouble AS text[]))) AS symptoms
    FROM request JOIN triage ON triage.request_id = request.id AND triage.by IS NULL
    WHERE request.id >= :since
      AND NOT EXISTS (SELECT FROM incident_link WHERE request_id = request.id AND linked)
    ORDER BY request.id DESC LIMIT :most
    """
).bindparams(bindparam("since", type_=Uuid), bindparam("trouble", type_=ARRAY(Text)))

_BASELINE = text(
    """
    SELECT product_line, region, symptom, count(DISTINCT (customer_id, received_at::date)) AS customers
    FROM request JOIN triage ON triage.request_id = request.id AND triage.by IS NULL,
         LATERAL (SELECT DISTINCT reason ->> 'because' AS symptom
                  FROM jsonb_array_elements(triage.reasons) AS reason
                  WHERE reason ->> 'because' = ANY(CAST(:symptoms AS text[]))) AS named
    WHERE request.id >= :since AND request.id < :until AND region = ANY(CAST(:regions AS text[]))
    GROUP BY product_line, region, symptom
    """
).bindparams(
    bindparam("since", type_=Uuid),
    bindparam("until", type_=Uuid),
    *(bindparam(name, type_=ARRAY(Text)) for name in ("symptoms", "regions")),
)

_SUGGESTED = text(
    """
    SELECT request.id, request.customer_id, request.channel, request.title FROM request
    WHERE request.id >= :since AND region = :region
      AND product_line IS NOT DISTINCT FROM CAST(:product_line AS text)
      AND (:symptom = '' OR EXISTS (
           SELECT FROM triage, jsonb_array_elements(reasons) AS reason
           WHERE request_id = request.id AND triage.by IS NULL AND reason ->> 'because' = :symptom))
      AND NOT EXISTS (
           SELECT FROM incident_link
           WHERE request_id = request.id AND (linked OR incident_id = :incident))
    ORDER BY request.id LIMIT :most
    """
).bindparams(
    bindparam("since", type_=Uuid),
    bindparam("incident", type_=Uuid),
    bindparam("symptom", type_=Text),
)

# What providers told later counts as in `intake.sending.store`.
_DELIVERIES = text(
    """
    SELECT notice.incident_id, notice.revision, message.state, coalesce(message.lane = '', false) AS stranded,
           message.why, told.confirmed, count(*) AS messages
    FROM incident JOIN incident_notice AS notice
      ON notice.incident_id = incident.id AND (NOT :last OR notice.revision = incident.revision)
    JOIN message ON message.id = notice.message_id
    LEFT JOIN LATERAL (
        SELECT array_agg(DISTINCT told.state ORDER BY told.state) AS confirmed FROM delivery_told AS told
        WHERE message.state IN ('sent', 'unknown')
          AND told.external_id = coalesce(message.sent_id, message.external_id)
          AND told.channel = split_part(message.lane, '/', 1)
          AND (told.channel = 'email' OR told.account = split_part(message.lane, '/', 2))
    ) AS told ON true
    WHERE incident.id = ANY(CAST(:ids AS uuid[]))
    GROUP BY notice.incident_id, notice.revision, message.state, stranded, message.why, told.confirmed
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("last", type_=Boolean))


async def load_recent(tx: Tx, since: datetime, most: int, trouble: Collection[str]) -> list[Complaint]:
    """The newest requests that belong to no incident; the words of the rules in `trouble` are symptoms.

    A rule with a dot found a danger that is denied, asked about or past: it is none of them.
    """
    asked = {"since": uuid7_floor(since), "most": most, "trouble": sorted(trouble)}
    found = await tx.execute(_RECENT, asked)
    return [
        Complaint(
            row.id,
            row.customer_id,
            row.product_line,
            row.region,
            frozenset(row.symptoms),
            row.received_at,
        )
        for row in found
    ]


async def load_baseline(
    tx: Tx, wanted: Sequence[Signature], since: datetime, until: datetime
) -> dict[Signature, int]:
    """How many customers complained so from `since` to `until`, each once a day."""
    asked = {
        "since": uuid7_floor(since),
        "until": uuid7_floor(until),
        "symptoms": sorted({each.symptom for each in wanted}),
        "regions": sorted({each.region for each in wanted}),
    }
    found = await tx.execute(_BASELINE, asked)
    return {Signature(row.product_line, row.region, row.symptom): row.customers for row in found}


async def load_known(tx: Tx, settled_since: datetime) -> list[Signature]:
    """What is proposed or open, and what was settled not long ago.

    Not proposals without a symptom, of an earlier version: they say nothing of what they hold.
    """
    query = select(*_COLUMNS).where(
        incident.c.state.in_(("proposed", "open")) | (incident.c.settled_at > settled_since),
        (incident.c.symptom != "") | (incident.c.revision > 0),
    )
    return [Incident(**row._mapping).signature for row in await tx.execute(query)]


async def save_proposals(tx: Tx, proposals: Iterable[Proposal], now: datetime, ids: Iterable[UUID]) -> None:
    """Keep proposals; one that another replica made meanwhile is the same one."""
    rows = [
        {
            "id": id,
            "state": "proposed",
            "product_line": each.signature.product_line,
            "region": each.signature.region,
            "symptom": each.signature.symptom,
            "customers": each.customers,
            "usual": each.usual,
            "title": "",
            "cause": "",
            "revision": 0,
            "proposed_at": now,
        }
        for id, each in zip(ids, proposals, strict=False)
    ]
    await insert_rows(tx, incident, rows, tail="ON CONFLICT DO NOTHING")


async def load_all(tx: Tx, most: int) -> list[Incident]:
    """Those that go on first, then the newest."""
    going_on = incident.c.state.in_(("proposed", "open"))
    query = select(*_COLUMNS).order_by(going_on.desc(), incident.c.id.desc()).limit(most)
    return [Incident(**row._mapping) for row in await tx.execute(query)]


async def load_going_on(tx: Tx) -> list[Incident]:
    """What is proposed or open."""
    query = select(*_COLUMNS).where(incident.c.state.in_(("proposed", "open"))).order_by(incident.c.id)
    return [Incident(**row._mapping) for row in await tx.execute(query)]


async def load(tx: Tx, id: UUID) -> Incident:
    """Raises `NoSuchIncident`."""
    return await _one(tx, select(*_COLUMNS).where(incident.c.id == id))


async def lock(tx: Tx, id: UUID) -> Incident:
    """The same, held until the transaction ends: who is told is decided by one at a time."""
    return await _one(tx, select(*_COLUMNS).where(incident.c.id == id).with_for_update())


async def save(tx: Tx, id: UUID, **changes: Any) -> None:
    await tx.execute(update(incident).where(incident.c.id == id).values(changes))


async def save_revision(tx: Tx, row: dict[str, Any]) -> None:
    await insert_rows(tx, incident_revision, [row])


async def load_revisions(tx: Tx, id: UUID) -> Sequence[Any]:
    """What was said, the oldest first."""
    query = select(incident_revision).where(incident_revision.c.incident_id == id)
    return (await tx.execute(query.order_by(incident_revision.c.revision))).all()


async def load_reach(tx: Tx, ids: Collection[UUID], *, last: bool) -> dict[tuple[UUID, int], Reach]:
    """By incident and revision: what became of the messages; of the `last` revision only, or of each."""
    found: dict[tuple[UUID, int], list[Delivery]] = defaultdict(list)
    for row in await tx.execute(_DELIVERIES, {"ids": sorted(ids), "last": last}):
        confirmed = frozenset(row.confirmed or ())
        delivery = Delivery(row.state, row.stranded, row.why, confirmed, row.messages)
        found[row.incident_id, row.revision].append(delivery)
    return {key: reach(deliveries) for key, deliveries in found.items()}


async def load_linked(tx: Tx, id: UUID) -> list[Linked]:
    """The requests that belong to an incident."""
    query = (
        select(request.c.id, request.c.customer_id, request.c.channel, request.c.title)
        .join(incident_link, incident_link.c.request_id == request.c.id)
        .where(incident_link.c.incident_id == id, incident_link.c.linked)
        .order_by(request.c.id)
    )
    return [Linked(row.id, row.customer_id, row.channel, row.title) for row in await tx.execute(query)]


async def load_suggested(tx: Tx, of: Incident, since: datetime, most: int) -> list[Linked]:
    """Requests that look as if they belong, and that nobody decided about."""
    asked = {
        "since": uuid7_floor(since),
        "region": of.region,
        "product_line": of.product_line,
        "symptom": of.symptom,
        "incident": of.id,
        "most": most,
    }
    return [
        Linked(row.id, row.customer_id, row.channel, row.title) for row in await tx.execute(_SUGGESTED, asked)
    ]


async def link_requests(
    tx: Tx, id: UUID, requests: Collection[UUID], linked: bool, by: str
) -> dict[UUID, int]:
    """Put requests in or take them out; the new version of each that was not so before.

    Raises `UnknownRequest`, `LinkedElsewhere`.
    """
    wanted = sorted(set(requests))
    held = select(request.c.id).where(request.c.id.in_(wanted)).order_by(request.c.id).with_for_update()
    if len((await tx.execute(held)).all()) < len(wanted):
        raise UnknownRequest
    query = select(incident_link).where(incident_link.c.request_id.in_(wanted), incident_link.c.linked)
    present = {row.request_id: cast("UUID", row.incident_id) for row in await tx.execute(query)}
    if linked and any(other != id for other in present.values()):
        raise LinkedElsewhere
    changed = [each for each in wanted if (present.get(each) == id) != linked]
    rows = [
        {"incident_id": id, "request_id": each, "linked": linked, "by": by, "at": tx.now} for each in changed
    ]
    tail = """ON CONFLICT (incident_id, request_id)
              DO UPDATE SET linked = excluded.linked, by = excluded.by, at = excluded.at"""
    await insert_rows(tx, incident_link, rows, tail=tail)
    further = update(request).where(request.c.id.in_(changed)).values(version=request.c.version + 1)
    return {
        row.id: row.version for row in await tx.execute(further.returning(request.c.id, request.c.version))
    }


async def load_told(tx: Tx, id: UUID, revision: int) -> set[UUID]:
    """The customers who were told of a revision."""
    query = select(incident_notice.c.customer_id).where(
        incident_notice.c.incident_id == id, incident_notice.c.revision == revision
    )
    return set((await tx.execute(query)).scalars())


async def save_notices(tx: Tx, of: Incident, told: Sequence[tuple[UUID, Notice, str]], author: str) -> None:
    """Queue one message per customer, and remember it under a key that admits no second one."""
    messages = [
        {
            "id": id,
            "request_id": each.request_id,
            "direction": "out",
            "channel": each.channel,
            "author": author,
            "template": "incident",
            "text": words,
            "state": "waiting",
        }
        for id, each, words in told
    ]
    notices = [
        {"incident_id": of.id, "revision": of.revision, "customer_id": each.customer_id, "message_id": id}
        for id, each, _ in told
    ]
    await insert_together(tx, (message, messages), (incident_notice, notices))


async def load_of_request(tx: Tx, request_id: UUID) -> Incident | None:
    """The incident that a request belongs to."""
    query = (
        select(*_COLUMNS)
        .join(incident_link, incident_link.c.incident_id == incident.c.id)
        .where(incident_link.c.request_id == request_id, incident_link.c.linked)
    )
    row = (await tx.execute(query)).first()
    return Incident(**row._mapping) if row else None


async def _one(tx: Tx, query: Any) -> Incident:
    row = (await tx.execute(query)).first()
    if row is None:
        raise NoSuchIncident
    return Incident(**row._mapping)
