"""The days of engineers over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from dispatch.access import READERS, Viewer, sees
from dispatch.days import store
from dispatch.days.rules import Because, Block, BlockKind, Day, LeftOver
from dispatch.organisation.roster import day_of
from dispatch.organisation.rules import Person
from dispatch.promises.rules import Deadlines
from dispatch.promises.store import deadlines
from dispatch.tables import among
from dispatch.tickets.rules import State, Ticket
from dispatch.tickets.store import load_tickets
from dispatch.tickets.store import ticket as table
from shared.db import Tx
from shared.events.terms import Code, PersonId, Severity
from shared.http.auth import Caller, allow
from shared.http.cursor import InvalidCursor, Page, Paged
from shared.http.problem import invalid
from shared.http.transaction import ReadTx, ServiceRoute
from shared.i18n import N_

router: Final = APIRouter(route_class=ServiceRoute)

LONGEST_AGO: Final = timedelta(days=366)


class TicketInDay(BaseModel):
    """What a day shows of a ticket."""

    id: UUID
    number: int
    title: str
    severity: Severity
    state: State
    city: str
    version: int
    promise: str | None
    """What is owed next, by the code of its clock; null where nothing is."""
    due_at: datetime | None


class BlockView(BaseModel):
    """A part of a day; `ticket` is null for free time and leave, and where it is not yours to see."""

    kind: BlockKind
    starts_at: datetime
    ends_at: datetime
    ticket: TicketInDay | None
    late_minutes: int | None
    """How much later than agreed or promised somebody arrives or is done; null where they keep to it."""


class LeftOverView(BaseModel):
    """What has no place in the day, and why."""

    ticket: TicketInDay | None
    because: Because


class DayView(BaseModel):
    """The day of one engineer, from midnight to midnight without gaps."""

    person_id: PersonId
    display_name: str
    centre: str | None
    date: date
    blocks: list[BlockView]
    left_over: list[LeftOverView]


@router.get("/days", dependencies=[Depends(allow(*READERS))])
async def days(
    tx: ReadTx,
    caller: Caller,
    paging: Paged,
    day: Annotated[date | None, Query(alias="date", description="Today where none is named.")] = None,
    centre: Annotated[Code | None, Query(description="Of this service centre.")] = None,
    person: Annotated[PersonId | None, Query(description="Of this engineer.")] = None,
) -> Page[DayView]:
    """The days of engineers by name: ways, visits, other work, free time and leave.

    An engineer sees their own day. What is open is planned from today on; a day that is over has its visits.
    """
    viewer, day = Viewer.of(caller), asked_day(day, tx.now)
    if not viewer.oversees:
        person = viewer.person_id if person in (None, viewer.person_id) else UUID(int=0)
    people = await store.list_engineers(
        tx,
        regions=viewer.regions if viewer.oversees else None,
        centre=centre,
        person_id=person,
        after=_after(paging.after),
        limit=paging.limit + 1,
    )
    found = await store.load_days(tx, [each.id for each in people], day)
    tickets = await tickets_of(tx, found)
    owed = await deadlines(tx, tickets.keys())
    shown = {each.id: _ticket(each, owed[each.id]) for each in tickets.values() if sees(viewer, each)}
    views = [_view(each, found[each.id], shown) for each in people]
    return paging.page(views, key=lambda each: (each.display_name, each.person_id))


def asked_day(day: date | None, now: datetime, source: str = "query", name: str = "date") -> date:
    """The day that is meant, near enough to be planned or told of. `InvalidInput`."""
    today = day_of(now)
    day = day or today
    if not today - LONGEST_AGO <= day <= today + timedelta(days=store.MOST_DAYS):
        detail = N_("days are planned 31 days ahead, and told of for a year")
        raise invalid(source, (name,), detail, "day_out_of_reach")
    return day


async def tickets_of(tx: Tx, days: Mapping[UUID, Day]) -> dict[UUID, Ticket]:
    """Every ticket that any of `days` names."""
    named = {each.ticket_id for day in days.values() for each in day.blocks if each.ticket_id}
    named |= {each.ticket_id for day in days.values() for each in day.left_over}
    found = await load_tickets(tx, among(table.c.id, named))
    return {each.id: each for each in found}


def _after(key: tuple[object, ...] | None) -> tuple[str, UUID] | None:
    match key:
        case None:
            return None
        case (str(name), UUID() as person_id):
            return name, person_id
        case _:
            raise InvalidCursor


def _ticket(ticket: Ticket, owed: Deadlines) -> TicketInDay:
    promise, due_at = owed.next or (None, None)
    names = set(TicketInDay.model_fields) - {"city", "promise", "due_at"}
    plain = {name: getattr(ticket, name) for name in names}
    return TicketInDay(city=ticket.site.city, promise=promise, due_at=due_at, **plain)


def _view(person: Person, day: Day, tickets: Mapping[UUID, TicketInDay]) -> DayView:
    return DayView(
        person_id=person.id,
        display_name=person.display_name,
        centre=person.centre,
        date=day.date,
        blocks=[_block(each, tickets) for each in day.blocks],
        left_over=[_left(each, tickets) for each in day.left_over],
    )


def _block(block: Block, tickets: Mapping[UUID, TicketInDay]) -> BlockView:
    late = None if block.late_by is None else max(1, round(block.late_by / timedelta(minutes=1)))
    ticket = tickets.get(block.ticket_id) if block.ticket_id else None
    return BlockView(
        kind=block.kind, starts_at=block.starts_at, ends_at=block.ends_at, ticket=ticket, late_minutes=late
    )


def _left(left: LeftOver, tickets: Mapping[UUID, TicketInDay]) -> LeftOverView:
    return LeftOverView(ticket=tickets.get(left.ticket_id), because=left.because)
