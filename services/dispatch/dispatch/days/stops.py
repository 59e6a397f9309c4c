"""From what is known of tickets, visits and shifts to the stops of one day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from dispatch.assignment.policy import Policy
from dispatch.assignment.staff import Staff
from dispatch.assignment.ways import Spot
from dispatch.days.rules import Stop, Worker, bounds
from dispatch.jobs.rules import Catalogue
from dispatch.organisation.roster import Interval, day_of, joined
from dispatch.promises.rules import NOTHING_PROMISED, Deadlines
from dispatch.tickets.rules import WORKING, State, Ticket
from shared.events.terms import PersonId

UNDER_WAY: Final[tuple[State, ...]] = ("travelling", "on_site", "working")
_STEP: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Visit:
    """A time that was agreed, and whether somebody came."""

    ticket_id: UUID
    starts_at: datetime
    ends_at: datetime
    kept: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What days are made from at `now`.

    leave, on_call, visits  each person's, in order of time
    tickets                 what people have, and what they visit or visited
    begun                   by ticket: when somebody set out, arrived, began and was done, the last time
    owed                    what is promised, by ticket
    arrivals                when the parts that tickets wait for are expected, where that is known
    """

    now: datetime
    policy: Policy
    catalogue: Catalogue
    staff: Staff
    leave: Mapping[PersonId, Sequence[Interval]]
    on_call: Mapping[PersonId, Sequence[Interval]]
    visits: Mapping[PersonId, Sequence[Visit]]
    tickets: Mapping[UUID, Ticket]
    begun: Mapping[UUID, Mapping[str, datetime]]
    owed: Mapping[UUID, Deadlines]
    arrivals: Mapping[UUID, datetime]


def worker_of(known: Known, person_id: PersonId, day: date) -> Worker:
    """Whose day it is; on the day that has begun, from now on."""
    staff, (begins, ends) = known.staff, bounds(day)
    shift = staff.shifts.get(staff.shift_codes.get(person_id, ""))
    working = None
    if shift is not None:
        working = joined([*shift.intervals(begins, ends), *known.on_call.get(person_id, ())])
    since = rounded(known.now) if begins <= known.now < ends else None
    return Worker(person_id, _start(staff, person_id), working, known.leave.get(person_id, ()), since)


def _start(staff: Staff, person_id: PersonId) -> Spot:
    centre = staff.centre_of(staff.people[person_id])
    if centre is None:
        return Spot(None, None)
    return _spot(centre.latitude, centre.longitude, centre.city)


def _spot(north: float | None, east: float | None, city: str) -> Spot:
    return Spot(None if north is None or east is None else (north, east), city)


def rounded(instant: datetime) -> datetime:
    """The next full five minutes: nobody sets out to the second."""
    full = instant.replace(minute=instant.minute // 5 * 5, second=0, microsecond=0)
    return full if full == instant else full + _STEP


def stops_of(known: Known, person_id: PersonId, day: date) -> list[Stop]:
    """What has its time on `day`; on the day that has begun also what is under way and all that is open."""
    begins, ends = bounds(day)
    theirs = known.visits.get(person_id, ())
    visits = [each for each in theirs if each.starts_at < ends and each.ends_at > begins]
    if not begins <= known.now < ends:
        return [_visited(known, each) for each in visits]
    has = [each for each in known.tickets.values() if each.engineer_id == person_id]
    current = {each.id: _current(each, visits) for each in has if each.state in UNDER_WAY}
    expected = {each.ticket_id for each in theirs if not each.kept}
    return [
        *(_visited(known, each) for each in visits if each not in current.values()),
        *(_under_way(known, each, person_id, current[each.id]) for each in has if each.id in current),
        *(_open(known, each) for each in _waiting(has) if each.id not in expected),
    ]


def _current(ticket: Ticket, visits: Sequence[Visit]) -> Visit | None:
    """The visit that somebody is on the way to or at."""
    theirs = [each for each in visits if each.ticket_id == ticket.id]
    return max(theirs, key=lambda each: (not each.kept, each.starts_at), default=None)


def _waiting(tickets: Sequence[Ticket]) -> Iterator[Ticket]:
    return (each for each in tickets if each.state in WORKING and each.state not in UNDER_WAY)


def _visited(known: Known, visit: Visit) -> Stop:
    """What is agreed, or how it went: as far as is known, at the agreed time."""
    stop = replace(_open(known, known.tickets[visit.ticket_id]), waits=False)
    agreed = visit.starts_at, visit.ends_at
    if not visit.kept:
        return replace(stop, agreed=agreed)
    went = known.begun.get(visit.ticket_id, {})
    arrived, begins = went.get("engineer_arrived"), visit.starts_at
    if arrived is not None and arrived < begins and day_of(arrived) == day_of(begins):
        begins = arrived
    done = went.get("ticket_resolved", known.now)
    ends = min(visit.ends_at, done) if done > begins else visit.ends_at
    return replace(stop, agreed=agreed, taken=(begins, ends))


def _under_way(known: Known, ticket: Ticket, person_id: PersonId, visit: Visit | None) -> Stop:
    stop, went = _open(known, ticket), known.begun.get(ticket.id, {})
    if visit is not None:
        stop = replace(stop, agreed=(visit.starts_at, visit.ends_at), length=visit.ends_at - visit.starts_at)
    if ticket.state == "travelling":
        return replace(stop, set_out=went.get("engineer_departed", known.now))
    if ticket.arrivals == 0:  # from afar: at the desk
        stop = replace(stop, spot=_start(known.staff, person_id))
    began = went.get("engineer_arrived" if ticket.arrivals else "ticket_progressed", known.now)
    return replace(stop, taken=(began, max(began + stop.length, rounded(known.now))))


def _open(known: Known, ticket: Ticket) -> Stop:
    site = ticket.site
    minutes = ticket.planned_minutes or known.catalogue.job(ticket.job_kind).planned_minutes
    owed = known.owed.get(ticket.id, NOTHING_PROMISED)
    comes = ticket.waiting_for == "parts" and ticket.id in known.arrivals
    return Stop(
        ticket.id,
        _spot(site.latitude, site.longitude, site.city),
        timedelta(minutes=minutes),
        arrive_by=owed.on_site,
        done_by=owed.resolution,
        agree_by=owed.visit_agreed,
        not_before=known.arrivals.get(ticket.id),
        waits=ticket.state == "waiting" and not comes,
    )
