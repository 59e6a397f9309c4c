"""Tickets and their history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Double,
    Identity,
    Integer,
    SmallInteger,
    Table,
    Text,
    TextClause,
    Uuid,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from dispatch.tables import among, metadata
from dispatch.tickets.rules import WORKING, State, Step, Ticket
from shared.db import Tx, insert_rows
from shared.events.terms import PersonId, Severity, Site

ticket: Final = Table(
    "ticket",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("request_id", Uuid, nullable=False, unique=True),
    Column("request_version", BigInteger, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Column("customer_level", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("difficulty", SmallInteger, nullable=False),
    Column("skills", JSONB, nullable=False),
    Column("product_line", Text),
    Column("region", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner_id", Uuid, nullable=False),
    Column("engineer_id", Uuid),
    Column("supervisor_id", Uuid),
    Column("group_ids", JSONB, nullable=False),
    Column("declined_ids", JSONB, nullable=False),
    Column("tier", Text),
    Column("centre", Text),
    Column("same_city", Boolean),
    Column("episode", Integer, nullable=False),
    Column("arrivals", Integer, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("waiting_for", Text),
    Column("paused_in", Text),
    Column("ended_as", Text),
    Column("duplicate_of", Uuid),
    Column("job_kind", Text, nullable=False, server_default="repair"),
    Column("planned_minutes", Integer),
    Column("device_id", Uuid),
    Column("support_level", Text, nullable=False, server_default="l1"),
    Column("helper_id", Uuid),
)
IS_OPEN: Final[ColumnElement[bool]] = literal_column("ticket.state NOT IN ('closed', 'cancelled')", Boolean)
"""Written out: an index serves it only where the planner can read which states are meant."""

history: Final = Table(
    "history",
    metadata,
    Column("ticket_id", Uuid, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("what", Text, nullable=False),
    Column("by", Text),
    Column("facts", JSONB, nullable=False),
    comment="Each version of a ticket, once, with who made it and why; append-only.",
)

# What no step ever changes.
_FIXED: Final = frozenset({"id", "number", "request_id", "customer_id", "device_id", "latitude", "longitude"})
_CHANGING: Final = tuple(column for column in ticket.columns if column.name not in _FIXED)
_SITE: Final = ("region", "city", "latitude", "longitude")
_LISTS: Final = ("group_ids", "declined_ids")


def ticket_of(row: Any) -> Ticket:
    """The ticket in a row that has (at least) all columns of `ticket`."""
    values: dict[str, Any] = {column.name: getattr(row, column.name) for column in ticket.columns}
    values["site"] = Site.model_construct(**{name: values.pop(name) for name in _SITE})
    values["skills"] = tuple(values["skills"])
    values |= {name: tuple(map(UUID, values[name])) for name in _LISTS}
    return Ticket(**values)


def _row_of(each: Ticket) -> dict[str, Any]:
    row = {name: getattr(each, name) for name in Ticket.__slots__ if name not in ("site", "number")}
    row |= {name: getattr(each.site, name) for name in _SITE}
    row |= {name: [str(person_id) for person_id in row[name]] for name in _LISTS}
    return row | {"skills": list(each.skills)}


async def load_tickets(tx: Tx, found_by: ColumnElement[bool], *, lock: bool = False) -> list[Ticket]:
    """Every ticket that fits, in the order of ids; with `lock` nobody else changes them until the end."""
    chosen = select(ticket).where(found_by).order_by(ticket.c.id)
    if lock:
        chosen = chosen.with_for_update(key_share=True)  # the history's foreign keys may still refer to it
    return [ticket_of(row) for row in await tx.execute(chosen)]


async def load_ticket(tx: Tx, ticket_id: UUID, *, lock: bool = False) -> Ticket | None:
    found = await load_tickets(tx, ticket.c.id == ticket_id, lock=lock)
    return found[0] if found else None


async def lock_by_request(tx: Tx, request_ids: Collection[UUID]) -> dict[UUID, Ticket]:
    """The tickets of requests, by request; requests that have none are missing."""
    found = await load_tickets(tx, among(ticket.c.request_id, request_ids), lock=True)
    return {each.request_id: each for each in found}


async def lock_of_customers(tx: Tx, customers: Collection[UUID]) -> list[Ticket]:
    """Every ticket of any of `customers`."""
    return await load_tickets(tx, among(ticket.c.customer_id, customers), lock=True)


# An array, so that each part of the condition has its index.
_ANSWERING: Final = text(
    "ticket.id = ANY(ARRAY(SELECT ticket_id FROM department_task WHERE owner_id = ANY(:people) "
    "AND state IN ('asked', 'accepted')))"
).bindparams(bindparam("people", type_=ARRAY(Uuid)))


async def lock_open_of(tx: Tx, people: Collection[PersonId]) -> list[Ticket]:
    """The open tickets that `people` own, work on, guide or help with, or where they answer for a task."""
    columns = (ticket.c.owner_id, ticket.c.engineer_id, ticket.c.supervisor_id, ticket.c.helper_id)
    answering = _ANSWERING.bindparams(people=list(people))
    involved = or_(*(among(column, people) for column in columns), answering)
    return await load_tickets(tx, and_(IS_OPEN, involved), lock=True)


async def lock_not_begun(tx: Tx, people: Collection[PersonId], protected: datetime) -> list[Ticket]:
    """General and important work that `people` have not set out for, and that nobody else is changing.

    A ticket with a visit that begins before `protected` is left with whom the customer expects.
    """
    not_begun = select(ticket).where(
        among(ticket.c.engineer_id, people),
        ticket.c.severity.in_(("general", "important")),
        ticket.c.state.in_(("assigned", "accepted", "visit_agreed")),
        text(
            "NOT EXISTS (SELECT FROM visit WHERE visit.ticket_id = ticket.id AND visit.state = 'agreed' "
            "AND visit.starts_at < :protected)"
        ).bindparams(protected=protected),
    )
    locked = not_begun.order_by(ticket.c.id).with_for_update(key_share=True, skip_locked=True)
    return [ticket_of(row) for row in await tx.execute(locked)]


async def lock_resolved(tx: Tx, ids: Collection[UUID]) -> list[Ticket]:
    """Those of `ids` that wait for their customer and that nobody else is changing right now."""
    chosen = select(ticket).where(among(ticket.c.id, ids), ticket.c.state == "resolved").order_by(ticket.c.id)
    locked = chosen.with_for_update(key_share=True, skip_locked=True)
    return [ticket_of(row) for row in await tx.execute(locked)]


async def list_tickets(
    tx: Tx,
    seen_by: ColumnElement[bool],
    *,
    state: State | None,
    severity: Severity | None,
    region: str | None,
    owner_id: PersonId | None,
    open_only: bool,
    before: UUID | None,
    limit: int,
) -> list[Ticket]:
    """The newest first, from before the ticket `before`."""
    filters = {
        ticket.c.state: state,
        ticket.c.severity: severity,
        ticket.c.region: region,
        ticket.c.owner_id: owner_id,
    }
    chosen = select(ticket).where(seen_by)
    chosen = chosen.where(*(column == value for column, value in filters.items() if value is not None))
    if open_only:
        chosen = chosen.where(IS_OPEN)
    if before is not None:
        chosen = chosen.where(ticket.c.id < before)
    return [ticket_of(row) for row in await tx.execute(chosen.order_by(ticket.c.id.desc()).limit(limit))]


async def has_ticket(tx: Tx, customer_id: UUID, seen_by: ColumnElement[bool]) -> bool:
    """Whether one of a customer's tickets, open or ended, is to be seen."""
    chosen = select(ticket.c.id).where(ticket.c.customer_id == customer_id, seen_by)
    return (await tx.execute(chosen.limit(1))).first() is not None


async def save_tickets(tx: Tx, fresh: Sequence[Ticket], changed: Sequence[Ticket]) -> None:
    """Insert those that are new and update the others, which the caller has locked."""
    await insert_rows(tx, ticket, [_row_of(each) for each in fresh])
    if changed:
        rows = [_row_of(each) for each in sorted(changed, key=lambda each: each.id)]
        await tx.execute(_update(), {name: [row[name] for row in rows] for name in _UPDATED})


_UPDATED: Final = ("id", *(column.name for column in _CHANGING))


@cache
def _update() -> TextClause:
    columns = [ticket.c[name] for name in _UPDATED]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    arrays = ", ".join(f"CAST(:{each.name} AS {each.type.compile(dialect)}[])" for each in columns)
    changes = ", ".join(f"{each.name} = given.{each.name}" for each in _CHANGING)
    names = ", ".join(_UPDATED)
    statement = (
        f"UPDATE ticket SET {changes} FROM unnest({arrays}) AS given ({names}) WHERE ticket.id = given.id"
    )
    return text(statement).bindparams(
        *(bindparam(each.name, type_=ARRAY(each.type, dimensions=1)) for each in columns)
    )


async def add_history(tx: Tx, steps: Iterable[Step], by: str | None, at: datetime) -> None:
    """One line per step; `at` is when those happened that do not say it themselves."""
    rows = [
        {
            "ticket_id": step.ticket.id,
            "version": step.ticket.version,
            "at": step.at or at,
            "what": step.what,
            "by": by,
            "facts": _facts(step),
        }
        for step in steps
    ]
    await insert_rows(tx, history, rows)


def _facts(step: Step) -> dict[str, Any]:
    return {**step.payload.model_dump(mode="json", exclude_none=True), **step.notes}


async def list_history(tx: Tx, ticket_id: UUID) -> list[Mapping[str, Any]]:
    """What became of a ticket, the newest first."""
    chosen = select(history).where(history.c.ticket_id == ticket_id).order_by(history.c.version.desc())
    return [dict(row) for row in (await tx.execute(chosen)).mappings()]


_TRANSFERS: Final = text(
    """
    SELECT ticket_id, count(*) FILTER (WHERE engineer <> before) AS transfers
    FROM (SELECT ticket_id, facts ->> 'engineer_id' AS engineer,
                 lag(facts ->> 'engineer_id') OVER (PARTITION BY ticket_id ORDER BY version) AS before
            FROM history WHERE what = 'ticket_assigned' AND ticket_id = ANY(:tickets)) AS given
    GROUP BY ticket_id
    """
).bindparams(bindparam("tickets", type_=ARRAY(Uuid)))


async def count_transfers(tx: Tx, tickets: Collection[UUID]) -> Mapping[UUID, int]:
    """How often each of `tickets` went to another engineer than before (R128).

    What was never given to anybody is missing.
    """
    found = await tx.execute(_TRANSFERS, {"tickets": list(tickets)})
    return {row.ticket_id: row.transfers for row in found}


async def last_change(tx: Tx, ticket_id: UUID, *, but: Collection[str]) -> int:
    """The newest version of a ticket that something else than any of `but` made."""
    newest = select(func.max(history.c.version)).where(
        history.c.ticket_id == ticket_id, history.c.what.not_in(but)
    )
    version: int = (await tx.execute(newest)).scalar_one()
    return version


_SHIFT: Final = text(
    """
    WITH shift AS (
        SELECT * FROM unnest(CAST(:people AS uuid[]), CAST(:working AS integer[]),
                             CAST(:supervising AS integer[])) AS shift (person_id, working, supervising)
    ), held AS (
        SELECT person_id FROM capacity WHERE person_id = ANY(CAST(:people AS uuid[]))
        ORDER BY person_id FOR UPDATE
    )
    UPDATE capacity SET working = capacity.working + shift.working,
                        supervising = capacity.supervising + shift.supervising
    FROM shift JOIN held USING (person_id) WHERE capacity.person_id = shift.person_id
    """
).bindparams(bindparam("people", type_=ARRAY(Uuid)))


async def shift_loads(tx: Tx, changes: Iterable[tuple[Ticket | None, Ticket]]) -> None:
    """Keep the loads of engineers and supervisors what their open tickets are: (before, after)."""
    working: Counter[PersonId] = Counter()
    supervising: Counter[PersonId] = Counter()
    for before, after in changes:
        for each, sign in ((before, -1), (after, 1)):
            if each is not None and each.state in WORKING:
                working[each.given_to] += sign
                if each.supervisor_id is not None:
                    supervising[each.supervisor_id] += sign
    people = sorted({each for counted in (working, supervising) for each in counted if counted[each]})
    if people:
        await tx.execute(
            _SHIFT,
            {
                "people": people,
                "working": [working[each] for each in people],
                "supervising": [supervising[each] for each in people],
            },
        )
