"""What the days of engineers are planned from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Text, and_, cast, func, or_, select, tuple_

from dispatch.assignment.staff import Staff
from dispatch.assignment.store import load_policy
from dispatch.availability.store import absence, duty
from dispatch.days.rules import Day, bounds, plan_ahead
from dispatch.days.stops import UNDER_WAY, Known, Visit, stops_of, worker_of
from dispatch.jobs.store import load_catalogue
from dispatch.organisation.roster import Interval, Shift, day_of
from dispatch.organisation.rules import Centre, Person, Team
from dispatch.organisation.store import load_persons, organisation, person, person_of
from dispatch.promises.store import deadlines
from dispatch.supply.store import load_arrivals
from dispatch.tables import among
from dispatch.tickets.rules import WORKING, Ticket
from dispatch.tickets.store import history, ticket, ticket_of
from dispatch.visits.rules import LONGEST
from dispatch.visits.store import visit
from shared.db import Tx
from shared.events.terms import PersonId

MOST_DAYS: Final = 31  # ahead; what is open today is nobody's guess by then


async def load_days(tx: Tx, person_ids: Collection[PersonId], day: date) -> dict[UUID, Day]:
    """The day of each of `person_ids`; who is unknown is missing.

    A number of statements that depends on neither how many people nor how many days there are. What is open
    is planned from today on, and what is left over on one day is open on the next; a day that is over has its
    visits alone. `day` is at most `MOST_DAYS` ahead.
    """
    today = day_of(tx.now)
    days = [min(today, day) + timedelta(days=each) for each in range(max((day - today).days, 0) + 1)]
    known = await _load(tx, person_ids, days)
    planned = {}
    for person_id in known.staff.people:
        given = [(worker_of(known, person_id, each), each, stops_of(known, person_id, each)) for each in days]
        planned[person_id] = plan_ahead(given, known.policy)
    return planned


async def _load(tx: Tx, people: Collection[PersonId], days: Sequence[date]) -> Known:
    since, until = bounds(days[0])[0], bounds(days[-1])[1]
    visits = await _visits(tx, people, since, until)
    tickets = await _tickets(tx, people, {each.ticket_id for theirs in visits.values() for each in theirs})
    return Known(
        now=tx.now,
        policy=await load_policy(tx),
        catalogue=(await load_catalogue(tx))[0],
        staff=await _staff(tx, people),
        leave=await _leave(tx, people, since, until),
        on_call=await _on_call(tx, people, since, until),
        visits=visits,
        tickets=tickets,
        begun=await _begun(tx, _going(visits, tickets)),
        owed=await deadlines(tx, tickets.keys()),
        arrivals=await load_arrivals(tx, tickets.keys()),
    )


async def _staff(tx: Tx, people: Collection[PersonId]) -> Staff:
    """`people` with their centres and shifts, and nothing else of the organisation."""
    columns = (
        organisation.c.default_region,
        organisation.c.centres,
        organisation.c.teams,
        organisation.c.shifts,
    )
    row = (await tx.execute(select(*columns))).first()
    if row is None:
        return Staff("", {}, {}, {})
    return Staff(
        row.default_region,
        {},
        {centre.code: centre for centre in map(Centre.model_validate, row.centres)},
        dict(await load_persons(tx, people)),
        tuple(map(Team.model_validate, row.teams)),
        shifts={shift.code: shift for shift in map(Shift.model_validate, row.shifts)},
    )


async def _leave(
    tx: Tx, people: Collection[PersonId], since: datetime, until: datetime
) -> Mapping[PersonId, Sequence[Interval]]:
    columns = absence.c.person_id, absence.c.starts_at, absence.c.ends_at
    chosen = select(*columns).where(
        among(absence.c.person_id, people),
        absence.c.state == "approved",
        absence.c.ends_at > since,
        absence.c.starts_at < until,
    )
    return _by_person(await tx.execute(chosen.order_by(absence.c.starts_at)))


async def _on_call(
    tx: Tx, people: Collection[PersonId], since: datetime, until: datetime
) -> Mapping[PersonId, Sequence[Interval]]:
    """As engineers; who answers as duty lead sits at a desk."""
    columns = duty.c.person_id, duty.c.starts_at, duty.c.ends_at
    chosen = select(*columns).where(
        among(duty.c.person_id, people),
        duty.c.part == "engineer",
        duty.c.ends_at > since,
        duty.c.starts_at < until,
    )
    return _by_person(await tx.execute(chosen.order_by(duty.c.starts_at)))


def _by_person(rows: Any) -> Mapping[PersonId, Sequence[Interval]]:
    found: defaultdict[PersonId, list[Interval]] = defaultdict(list)
    for person_id, begins, ends in rows:
        found[person_id].append((begins, ends))
    return found


async def _visits(
    tx: Tx, people: Collection[PersonId], since: datetime, until: datetime
) -> Mapping[PersonId, Sequence[Visit]]:
    """What is agreed, also after `until`, and what was kept."""
    columns = visit.c.engineer_id, visit.c.ticket_id, visit.c.starts_at, visit.c.ends_at, visit.c.state
    chosen = select(*columns).where(
        among(visit.c.engineer_id, people),
        visit.c.ends_at > since,
        visit.c.starts_at > since - LONGEST,
        or_(visit.c.state == "agreed", and_(visit.c.state == "kept", visit.c.starts_at < until)),
    )
    found: defaultdict[PersonId, list[Visit]] = defaultdict(list)
    for row in await tx.execute(chosen.order_by(visit.c.starts_at, visit.c.id)):
        each = Visit(row.ticket_id, row.starts_at, row.ends_at, row.state == "kept")
        found[row.engineer_id].append(each)
    return found


async def _tickets(tx: Tx, people: Collection[PersonId], visited: Collection[UUID]) -> Mapping[UUID, Ticket]:
    """What they have, and what they visit or visited."""
    has = and_(among(ticket.c.engineer_id, people), ticket.c.state.in_(sorted(WORKING)))
    found = await tx.execute(select(ticket).where(or_(has, among(ticket.c.id, visited))))
    return {row.id: ticket_of(row) for row in found}


def _going(visits: Mapping[PersonId, Sequence[Visit]], tickets: Mapping[UUID, Ticket]) -> set[UUID]:
    """What was begun and may have to be shown as it went."""
    kept = {each.ticket_id for theirs in visits.values() for each in theirs if each.kept}
    return kept | {each.id for each in tickets.values() if each.state in UNDER_WAY}


async def _begun(tx: Tx, tickets: Collection[UUID]) -> Mapping[UUID, Mapping[str, datetime]]:
    """When somebody set out for each, arrived, began and was done, the last time."""
    what = ("engineer_departed", "engineer_arrived", "ticket_progressed", "ticket_resolved")
    chosen = (
        select(history.c.ticket_id, history.c.what, func.max(history.c.at).label("at"))
        .where(among(history.c.ticket_id, tickets), history.c.what.in_(what))
        .group_by(history.c.ticket_id, history.c.what)
    )
    found: defaultdict[UUID, dict[str, datetime]] = defaultdict(dict)
    for row in await tx.execute(chosen):
        found[row.ticket_id][row.what] = row.at
    return found


async def list_engineers(
    tx: Tx,
    *,
    regions: Collection[str] | None,
    centre: str | None,
    person_id: PersonId | None,
    after: tuple[str, UUID] | None,
    limit: int,
) -> list[Person]:
    """Active engineers by name, after (display name, id); of `regions` alone where those are named."""
    chosen = select(person).where(person.c.active, person.c.roles.has_key("engineer"))
    if regions is not None:
        chosen = chosen.where(person.c.regions.has_any(cast(sorted(regions), ARRAY(Text))))
    if centre is not None:
        chosen = chosen.where(person.c.centre == centre)
    if person_id is not None:
        chosen = chosen.where(person.c.id == person_id)
    if after is not None:
        chosen = chosen.where(tuple_(person.c.display_name, person.c.id) > after)
    found = await tx.execute(chosen.order_by(person.c.display_name, person.c.id).limit(limit))
    return [person_of(row) for row in found]
