"""Engineers by hours: their day as it is planned, and of the tickets in it what the viewer may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import and_

from dispatch.access import Viewer, visible_to
from dispatch.assignment.staff import Loads, Staff
from dispatch.assignment.store import NobodyToOwn, see_staff
from dispatch.board.filters import Filters, engineers_for, shown_on
from dispatch.board.fit import Asked, Fit, Lacking, fit_for
from dispatch.board.queue import Due
from dispatch.days.rules import Day, bounds
from dispatch.days.store import MOST_DAYS, load_days
from dispatch.organisation.roster import day_of
from dispatch.organisation.rules import Person
from dispatch.promises.store import deadlines
from dispatch.supply.store import list_requisitions
from dispatch.tables import among
from dispatch.tickets.jobs import load_jobs
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import load_tickets
from dispatch.tickets.store import ticket as table
from shared.db import Tx
from shared.http.problem import invalid
from shared.i18n import N_

_SHOWN: Final = ("travel", "visit", "work", "away")
_EARLIEST, _LATEST = timedelta(hours=7), timedelta(hours=21)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of somebody's day; `ticket` is None where it is not for these eyes, like `due` then."""

    kind: Literal["travel", "visit", "work", "away"]
    starts_at: datetime
    ends_at: datetime
    late_by: timedelta | None = None
    ticket: Ticket | None = None
    due: Due | None = None


@dataclass(frozen=True, slots=True)
class Centre:
    """The head of those who belong to one centre; `count` is how many of them there are on all pages."""

    code: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """An engineer's row.

    has     how many open tickets
    left    what has no place in the day
    hidden  how much of that is not for these eyes
    """

    person: Person
    day: date
    has: int
    pieces: tuple[Piece, ...]
    left: tuple[Ticket, ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class Grid:
    """One page of engineers; `count` is how many there are on all pages."""

    day: date
    count: int
    lines: tuple[Line, ...]
    centres: Mapping[str | None, int]
    staff: Staff | None = None

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The hours to draw: those of a usual day, and whatever lies beside them with somebody at work."""
        midnight, end = bounds(self.day)
        first, last = midnight + _EARLIEST, midnight + _LATEST
        for line in self.lines:
            for piece in line.pieces:
                if piece.kind != "away":
                    first, last = min(first, piece.starts_at), max(last, piece.ends_at)
        whole = timedelta(hours=1)
        first = max(midnight, first - (first - midnight) % whole)
        return first, min(end, last + (midnight - last) % whole)


async def load_grid(tx: Tx, viewer: Viewer, filters: Filters) -> Grid:
    """What `viewer` sees; a number of statements that does not depend on how many engineers there are."""
    today = day_of(tx.now)
    day = filters.day or today
    if abs(day - today) > timedelta(days=MOST_DAYS):
        raise invalid(
            "query", ("day",), N_("the board shows days up to {days} days away"), "day", days=MOST_DAYS
        )
    try:
        staff, loads = await see_staff(tx)
    except NobodyToOwn:
        return Grid(day, 0, (), {})
    people = engineers_for(staff, viewer, filters)
    shown = shown_on(people, filters)
    days = await load_days(tx, [each.id for each in shown], day)
    lines = await _lines(tx, viewer, shown, loads, days, day)
    centres: dict[str | None, int] = {}
    for each in people:
        centres[each.centre] = centres.get(each.centre, 0) + 1
    return Grid(day, len(people), lines, centres, staff)


async def _lines(
    tx: Tx, viewer: Viewer, people: Sequence[Person], loads: Loads, days: Mapping[UUID, Day], day: date
) -> tuple[Line, ...]:
    ids = {block.ticket_id for each in days.values() for block in each.blocks if block.ticket_id}
    ids |= {left.ticket_id for each in days.values() for left in each.left_over}
    seen = await load_tickets(tx, and_(among(table.c.id, ids), visible_to(viewer)))
    tickets = {each.id: each for each in seen}
    owed = await deadlines(tx, tickets.keys())
    due = {ticket_id: Due.of(each) for ticket_id, each in owed.items()}
    return tuple(
        _line(person, days.get(person.id), day, loads.working[person.id], tickets, due) for person in people
    )


def _line(
    person: Person,
    planned: Day | None,
    day: date,
    has: int,
    tickets: Mapping[UUID, Ticket],
    due: Mapping[UUID, Due | None],
) -> Line:
    if planned is None:
        return Line(person, day, has, (), (), 0)
    pieces = tuple(
        Piece(
            block.kind,
            block.starts_at,
            block.ends_at,
            block.late_by,
            tickets.get(block.ticket_id) if block.ticket_id else None,
            due.get(block.ticket_id) if block.ticket_id else None,
        )
        for block in planned.blocks
        if block.kind in _SHOWN
    )
    left = [tickets.get(each.ticket_id) for each in planned.left_over]
    known = tuple(each for each in left if each is not None)
    return Line(person, day, has, pieces, known, len(left) - len(known))


async def load_fit(
    tx: Tx, viewer: Viewer, ticket: Ticket, filters: Filters
) -> tuple[Sequence[Fit], Due | None]:
    """What is said of every engineer that `viewer` sees through `filters`, on whatever page; and what is due.

    A number of statements that does not depend on how many engineers there are. `NobodyToOwn`.
    """
    staff, loads = await see_staff(tx, {ticket.customer_id}, {ticket.device_id})
    people = engineers_for(staff, viewer, filters)
    days = await load_days(tx, [each.id for each in people], day_of(tx.now))
    owed = (await deadlines(tx, [ticket.id]))[ticket.id]
    # Who would stand there without the parts is a verdict of its own.
    job = replace((await load_jobs(tx, [ticket]))[ticket.id], not_before=None)
    asked = Asked(ticket, owed.on_site, await _lacking(tx, ticket), job)
    return fit_for(asked, people, staff, loads, days), Due.of(owed)


async def _lacking(tx: Tx, ticket: Ticket) -> Lacking | None:
    """The parts that are asked for and not there, until the last of them is expected."""
    asked_for = await list_requisitions(tx, [ticket.id])
    short = [each["expected_at"] for each in asked_for if each["state"] == "short"]
    if not short:
        return None
    return Lacking(None if None in short else max(short))
