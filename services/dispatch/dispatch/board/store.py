"""What the live pages show of the open tickets."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, func, select, text

from dispatch.incidents.store import load_incidents
from dispatch.organisation.store import load_names
from dispatch.promises.rules import Deadlines
from dispatch.promises.store import deadlines, version_of_owed
from dispatch.solutions.rules import State as SolutionState
from dispatch.solutions.store import list_standing
from dispatch.supply.store import load_arrivals, requisition
from dispatch.support.reading import Mark, marks
from dispatch.tables import among
from dispatch.tasks.store import Open
from dispatch.tasks.store import count_open as count_open_tasks
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import IS_OPEN, count_transfers, ticket, ticket_of
from dispatch.visits.store import list_lapsed, visit
from dispatch.visits.window import Fight, fights_of, limits_of
from shared.db import Tx
from shared.events.terms import PersonId

MOST_ROWS: Final = 500
"""The most pressing ones; whoever has more open tickets than that needs people, not rows."""
MOST_EACH: Final = 50

_PRESSING: Final = case(
    (ticket.c.state == "needs_decision", 0),
    (ticket.c.severity == "urgent", 1),
    (ticket.c.severity == "important", 2),
    else_=3,
)
_RESOLVED_LAST: Final = case((ticket.c.state == "resolved", 1), else_=0)


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """One row: the ticket, who is who, the next visit, and how the parts stand.

    order  the rows' place: decisions first, then by severity and age; what waits for its customer last
    transfers  how often it went to another engineer (R128)
    plan  how it stands where it is to be signed off and is not yet; None elsewhere (R21)
    tasks  what other departments are still to do; None when that is nothing
    parts  `short`, `requested` or `reserved`, the worst of them; None when nothing was asked for
    owed   what is promised and by when
    parts_at  when what is short will be there, where that is known
    visit_lapsed  what was agreed cannot be kept, and nothing else is agreed yet
    solution  how it is to be solved stands with leadership; None while nobody proposed anything
    has_room  it has a war room
    """

    ticket: Ticket
    order: str
    owner: str
    engineer: str | None
    visit: tuple[Any, Any] | None
    parts: str | None
    owed: Deadlines
    parts_at: datetime | None
    visit_lapsed: bool = False
    tasks: Open | None = None
    transfers: int = 0
    solution: SolutionState | None = None
    has_room: bool = False
    plan: Mark | None = None

    @property
    def fights(self) -> Sequence[Fight]:
        """Why a visit cannot be as it is agreed or promised; nobody is moved by it."""
        return tuple(fights_of(limits_of(self.owed, self.parts_at, self.visit)))

    @property
    def due(self) -> str:
        """When something is to be done next, to sort by: a promise runs out or a visit begins; else last."""
        instants = [self.owed.next[1]] if self.owed.next else []
        if self.visit:
            instants.append(self.visit[0])
        return f"{min(instants).timestamp():013.0f}" if instants else "9" * 13


_OPEN: Final = select(ticket, _RESOLVED_LAST.label("resolved_last"), _PRESSING.label("pressing")).where(
    IS_OPEN
)


async def list_open(tx: Tx) -> list[OpenTicket]:
    """The most pressing open tickets of all."""
    chosen = _OPEN.order_by("resolved_last", "pressing", ticket.c.id).limit(MOST_ROWS)
    return await _shown(tx, (await tx.execute(chosen)).all())


async def list_open_of_each(tx: Tx) -> list[OpenTicket]:
    """The most pressing open tickets of each engineer, and of each owner where nobody works yet."""
    whose = func.coalesce(ticket.c.engineer_id, ticket.c.owner_id)
    place = func.row_number().over(partition_by=whose, order_by=(_RESOLVED_LAST, _PRESSING, ticket.c.id))
    placed = _OPEN.add_columns(place.label("place")).subquery()
    return await _shown(tx, (await tx.execute(select(placed).where(placed.c.place <= MOST_EACH))).all())


async def _shown(tx: Tx, rows: Sequence[Any]) -> list[OpenTicket]:
    ids = [row.id for row in rows]
    names = await load_names(tx, _people(rows))
    visits = await _visits(tx, ids)
    parts = await _parts(tx, ids)
    owed = await deadlines(tx, ids)
    arrivals = await load_arrivals(tx, ids)
    lapsed = await list_lapsed(tx, ids)
    tasks = await count_open_tasks(tx, ids)
    transfers = await count_transfers(tx, ids)
    solutions = await list_standing(tx, ids)
    incidents = await load_incidents(tx, [row.request_id for row in rows])
    tickets = [ticket_of(row) for row in rows]
    plans = await marks(tx, tickets)
    return [
        OpenTicket(
            each,
            f"{row.resolved_last}{row.pressing} {row.id}",  # ids rise with time
            names[row.owner_id],
            names.get(row.engineer_id),
            visits.get(row.id),
            parts.get(row.id),
            owed[row.id],
            arrivals.get(row.id),
            row.id in lapsed,
            tasks.get(row.id),
            transfers.get(row.id, 0),
            solutions.get(row.id),
            row.severity == "urgent" or row.request_id in incidents,
            plans.get(row.id),
        )
        for each, row in zip(tickets, rows, strict=True)
    ]


def _people(rows: Sequence[Any]) -> Collection[PersonId]:
    return {each for row in rows for each in (row.owner_id, row.engineer_id) if each}


async def _visits(tx: Tx, ids: Collection[Any]) -> Mapping[Any, tuple[Any, Any]]:
    agreed = select(visit).where(among(visit.c.ticket_id, ids), visit.c.state == "agreed")
    return {row.ticket_id: (row.starts_at, row.ends_at) for row in await tx.execute(agreed)}


async def _parts(tx: Tx, ids: Collection[Any]) -> Mapping[Any, str]:
    worst = func.max(case({"short": 2, "requested": 1}, value=requisition.c.state, else_=0))
    chosen = select(requisition.c.ticket_id, worst.label("worst")).where(
        among(requisition.c.ticket_id, ids), requisition.c.ended_as.is_(None)
    )
    found = await tx.execute(chosen.group_by(requisition.c.ticket_id))
    return {row.ticket_id: ("reserved", "requested", "short")[row.worst] for row in found}


_VERSION: Final = text(
    """
    SELECT count(*), sum(version), sum(number), (SELECT count(*) FROM requisition),
           (SELECT sum(version + expected_version + ended_version) FROM requisition),
           (SELECT max(version) FROM organisation)
    FROM ticket WHERE state NOT IN ('closed', 'cancelled')
    """
)


async def version_of_open(tx: Tx) -> Hashable:
    """Differs after each commit that changes what `list_open` returns."""
    return (*(await tx.execute(_VERSION)).one(), await version_of_owed(tx))


async def count_open(tx: Tx) -> Mapping[str, int]:
    """The figures above the board."""
    waiting = func.count().filter
    found = await tx.execute(
        select(
            waiting(ticket.c.state == "needs_decision").label("needs_decision"),
            waiting(ticket.c.severity == "urgent", ticket.c.state != "resolved").label("urgent"),
            waiting(ticket.c.state != "resolved").label("in_work"),
            waiting(ticket.c.state == "resolved").label("with_customer"),
        ).where(IS_OPEN)
    )
    return dict(found.mappings().one())
