"""Requests, their sources and judgements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, DateTime, Text, Uuid, bindparam, func, select, text, update

from intake.requests.numbers import spoken
from intake.requests.rules import Identity
from intake.tables import request, set_aside, triage
from intake.tables.sending import acknowledgement
from shared.db import Tx, insert_rows, insert_together
from shared.db.rows import Rows
from shared.errors import AftercareError


class NoSuchRequest(AftercareError):
    """There is no such request here, or it is not yours to see."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it stands."""

    id: UUID
    number: int
    channel: str
    customer_id: UUID
    kind: str
    severity: str
    region: str
    city: str
    product_line: str | None
    title: str
    received_at: datetime
    call_id: UUID | None
    ticket_id: UUID | None
    answered_at: datetime | None
    solved_at: datetime | None
    closed_at: datetime | None
    version: int

    @property
    def spoken_number(self) -> str:
        """By which people name it to each other."""
        return spoken(self.number)

    @property
    def solved_at_once(self) -> bool:
        """Whether the first answer was all it took (R11)."""
        return self.solved_at is not None and self.solved_at == self.answered_at


COLUMNS = [request.c[name] for name in Request.__slots__]

# What opened a request, and what joined one later. Each is looked up by itself (OFFSET 0 keeps it so): a plan
# made while the tables were empty would pair everything asked with everything that ever came.
_KNOWN = text(
    """
    WITH asked (channel, account, external_id) AS (
        SELECT * FROM unnest(CAST(:channels AS text[]), CAST(:accounts AS text[]), CAST(:externals AS text[]))
    )
    SELECT opened.id, asked.channel, asked.account, asked.external_id FROM asked CROSS JOIN LATERAL (
        SELECT id FROM request
        WHERE request.channel = asked.channel AND request.account = asked.account
          AND request.external_id = asked.external_id OFFSET 0
    ) AS opened
    UNION
    SELECT joined.id, asked.channel, asked.account, asked.external_id FROM asked CROSS JOIN LATERAL (
        SELECT request_id FROM message
        WHERE message.external_id = asked.external_id AND message.direction = 'in' OFFSET 0
    ) AS said CROSS JOIN LATERAL (
        SELECT id FROM request
        WHERE request.id = said.request_id
          AND request.channel = asked.channel AND request.account = asked.account OFFSET 0
    ) AS joined
    UNION ALL
    (SELECT NULL, digest, '', '' FROM triage_rules ORDER BY version DESC LIMIT 1)
    """
).bindparams(*(bindparam(name, type_=ARRAY(Text)) for name in ("channels", "accounts", "externals")))
"""The row without an id names the triage rules in force: asked here, it costs no further round trip."""

Place = tuple[str, str, str]
"""Channel, account and external id: what makes two messages the same."""


async def load_known(tx: Tx, places: Sequence[Place]) -> tuple[dict[Place, UUID], str | None]:
    """What these messages already are or joined, however long ago; the digest of published rules, if any."""
    asked = sorted(set(places))
    rows = await tx.execute(
        _KNOWN,
        {
            "channels": [channel for channel, _, _ in asked],
            "accounts": [account for _, account, _ in asked],
            "externals": [external for _, _, external in asked],
        },
    )
    known: dict[Place, UUID] = {}
    digest = None
    for row in rows:
        if row.id is None:
            digest = row.channel
        else:
            known[row.channel, row.account, row.external_id] = row.id
    return known, digest


@dataclass(frozen=True, slots=True)
class Thread:
    """A request that somebody says a message belongs to.

    known  which of the identities that were asked about are its customer's
    """

    request_id: UUID
    known: frozenset[Identity]


_THREADS = text(
    """
    SELECT request.account, message.external_id, request.id, identity.kind, identity.value
    FROM message JOIN request ON request.id = message.request_id
    LEFT JOIN (
        identity JOIN unnest(CAST(:kinds AS text[]), CAST(:texts AS text[])) AS asked (kind, value)
          ON identity.kind = asked.kind AND identity.value = asked.value
    ) ON identity.customer_id = request.customer_id
    WHERE message.external_id = ANY(:externals)
    """
).bindparams(*(bindparam(name, type_=ARRAY(Text)) for name in ("kinds", "texts", "externals")))


async def load_threads(
    tx: Tx, externals: Sequence[str], senders: Sequence[Identity]
) -> dict[tuple[str, str], Thread]:
    """The request that earlier messages belong to, by the account they came to and their external id."""
    if not externals:
        return {}
    asked = sorted({(each.kind, each.value) for each in senders})
    rows = await tx.execute(
        _THREADS,
        {
            "kinds": [kind for kind, _ in asked],
            "texts": [value for _, value in asked],
            "externals": sorted(set(externals)),
        },
    )
    found: dict[tuple[str, str], Thread] = {}
    for row in rows:
        place = row.account, row.external_id
        known = found[place].known if place in found else frozenset()
        more = frozenset({Identity(row.kind, row.value)} if row.kind else ())
        found[place] = Thread(row.id, known | more)
    return found


async def load_existing(tx: Tx, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these requests are there."""
    if not ids:
        return set()
    found = await tx.execute(select(request.c.id).where(request.c.id.in_(sorted(set(ids)))))
    return {row.id for row in found}


async def load_channels(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The channel that each request came in by."""
    query = select(request.c.id, request.c.channel).where(request.c.id.in_(sorted(set(ids))))
    return {row.id: row.channel for row in await tx.execute(query)}


async def save_new(
    tx: Tx, requests: Sequence[dict[str, Any]], judgements: Sequence[dict[str, Any]], *others: Rows
) -> None:
    """Keep new requests with what belongs to them, in one round trip."""
    await insert_together(tx, *others, (request, requests), (triage, judgements))


async def save_judgements(tx: Tx, judgements: Sequence[dict[str, Any]]) -> None:
    await insert_rows(tx, triage, judgements)


async def put_aside(tx: Tx, rows: Sequence[dict[str, Any]]) -> set[Place]:
    """Keep what asks for nothing; which of it is new, by channel, account and external id."""
    tail = "ON CONFLICT DO NOTHING RETURNING channel, account, external_id"
    return {tuple(row) for row in await insert_rows(tx, set_aside, rows, tail=tail)}


async def load(tx: Tx, id: UUID) -> Request:
    """Raises `NoSuchRequest`."""
    return await _one(tx, select(*COLUMNS).where(request.c.id == id))


async def lock(tx: Tx, id: UUID) -> Request:
    """The same, held until the transaction ends."""
    return await _one(tx, select(*COLUMNS).where(request.c.id == id).with_for_update())


async def load_number(tx: Tx, id: UUID) -> str:
    """By which people name it to each other."""
    return spoken((await tx.execute(select(request.c.number).where(request.c.id == id))).scalar_one())


async def find_numbered(tx: Tx, number: int) -> UUID | None:
    """The request that has this number."""
    return (await tx.execute(select(request.c.id).where(request.c.number == number))).scalar_one_or_none()


async def save(tx: Tx, id: UUID, **changes: Any) -> None:
    """Change a locked request, one version further."""
    changes["version"] = request.c.version + 1
    await tx.execute(update(request).where(request.c.id == id).values(changes))


async def load_newest(
    tx: Tx, most: int, before: UUID | None = None, conditions: Sequence[ColumnElement[bool]] = ()
) -> list[Request]:
    """The newest first, of those that fulfil the conditions."""
    query = select(*COLUMNS).where(*conditions).order_by(request.c.id.desc()).limit(most)
    if before is not None:
        query = query.where(request.c.id < before)
    return [Request(**row._mapping) for row in await tx.execute(query)]


async def load_judgements(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, list[Any]]:
    """Every judgement of each request, the newest last."""
    judgements: dict[UUID, list[Any]] = {id: [] for id in ids}
    query = select(triage).where(triage.c.request_id.in_(sorted(ids))).order_by(triage.c.id)
    for row in await tx.execute(query):
        judgements[row.request_id].append(row)
    return judgements


_LINK = text(
    """
    UPDATE request SET ticket_id = opened.ticket_id, version = request.version + 1
    FROM unnest(CAST(:requests AS uuid[]), CAST(:tickets AS uuid[])) AS opened (request_id, ticket_id)
    WHERE request.id = opened.request_id AND request.ticket_id IS NULL
    """
).bindparams(bindparam("requests", type_=ARRAY(Uuid)), bindparam("tickets", type_=ARRAY(Uuid)))


async def link_tickets(tx: Tx, tickets: dict[UUID, UUID]) -> None:
    """Note which ticket each request has become."""
    pairs = sorted(tickets.items())
    await tx.execute(_LINK, {"requests": [each for each, _ in pairs], "tickets": [each for _, each in pairs]})


_CLOSE = text(
    """
    UPDATE request SET closed_at = closed.at, version = request.version + 1
    FROM unnest(CAST(:requests AS uuid[]), CAST(:moments AS timestamptz[])) AS closed (request_id, at)
    WHERE request.id = closed.request_id AND request.closed_at IS NULL
      AND (request.reopened_at IS NULL OR request.reopened_at < closed.at)
    RETURNING request.id, request.version
    """
).bindparams(
    bindparam("requests", type_=ARRAY(Uuid)), bindparam("moments", type_=ARRAY(DateTime(timezone=True)))
)


async def close(tx: Tx, closed: dict[UUID, datetime]) -> dict[UUID, int]:
    """Note when each request's ticket was closed; the versions of those that were still open."""
    pairs = sorted(closed.items())
    known = {"requests": [each for each, _ in pairs], "moments": [at for _, at in pairs]}
    return {row.id: row.version for row in await tx.execute(_CLOSE, known)}


_REOPEN = text(
    """
    UPDATE request SET closed_at = CASE WHEN closed_at < opened.at THEN NULL ELSE closed_at END,
        solved_at = CASE WHEN solved_at < opened.at THEN NULL ELSE solved_at END,
        reopened_at = opened.at, version = request.version + 1
    FROM unnest(CAST(:requests AS uuid[]), CAST(:moments AS timestamptz[])) AS opened (request_id, at)
    WHERE request.id = opened.request_id AND (request.reopened_at IS NULL OR request.reopened_at < opened.at)
    RETURNING request.id, request.version
    """
).bindparams(
    bindparam("requests", type_=ARRAY(Uuid)), bindparam("moments", type_=ARRAY(DateTime(timezone=True)))
)


async def reopen(tx: Tx, reopened: dict[UUID, datetime]) -> dict[UUID, int]:
    """Note when each request's ticket went on, in another episode: so it was not solved.

    The versions of those of which that is news.
    """
    pairs = sorted(reopened.items())
    known = {"requests": [each for each, _ in pairs], "moments": [at for _, at in pairs]}
    return {row.id: row.version for row in await tx.execute(_REOPEN, known)}


async def count_without_ticket(tx: Tx, before: datetime) -> int:
    """Requests that dispatch should have opened a ticket for by now."""
    open_ones = request.c.ticket_id.is_(None) & request.c.solved_at.is_(None)
    waiting = select(func.count()).where(open_ones, request.c.received_at < before)
    found: int = (await tx.execute(waiting)).scalar_one()
    return found


async def load_versions(tx: Tx, most: int) -> tuple[tuple[UUID, int, datetime | None], ...]:
    """Of the newest requests and of what is promised to them; looking costs the same for however many."""
    newest = select(request.c.id, request.c.version).order_by(request.c.id.desc()).limit(most).subquery()
    promised = newest.outerjoin(acknowledgement, acknowledgement.c.request_id == newest.c.id)
    query = select(newest.c.id, newest.c.version, acknowledgement.c.until).select_from(promised)
    return tuple((row.id, row.version, row.until) for row in await tx.execute(query.order_by(newest.c.id)))


async def _one(tx: Tx, query: Any) -> Request:
    row = (await tx.execute(query)).first()
    if row is None:
        raise NoSuchRequest
    return Request(**row._mapping)
