"""What slots are made from, read for any number of tickets in the same few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text

from dispatch.assignment.policy import Policy
from dispatch.assignment.staff import Staff
from dispatch.assignment.store import load_policy, read_staff
from dispatch.assignment.ways import Spot, way
from dispatch.organisation.roster import Interval, joined
from dispatch.promises.store import deadlines
from dispatch.supply.store import load_arrivals
from dispatch.tickets.rules import Ticket
from dispatch.visits.slots import AHEAD, NOTICE, Question, Stop, visiting_hours
from dispatch.visits.window import limits_of
from shared.db import Tx
from shared.events.terms import PersonId


@dataclass(frozen=True, slots=True)
class _Time:
    """What is known of the time of all who are asked about, by person."""

    away: Mapping[PersonId, Sequence[Interval]]
    on_call: Mapping[PersonId, Sequence[Interval]]
    stops: Mapping[PersonId, Sequence[tuple[UUID, Stop]]]
    outside: Mapping[PersonId, Spot]


_TIMES: Final = text(
    """
    SELECT 'away' AS what, person_id AS who, NULL::uuid AS ticket_id, starts_at, ends_at,
           NULL::double precision AS latitude, NULL::double precision AS longitude, NULL AS city
    FROM absence WHERE person_id = ANY(:people) AND state = 'approved'
        AND ends_at > :now AND starts_at < :until
    UNION ALL
    SELECT 'on_call', person_id, NULL, starts_at, ends_at, NULL, NULL, NULL
    FROM duty WHERE person_id = ANY(:people) AND part = 'engineer' AND ends_at > :now AND starts_at < :until
    UNION ALL
    SELECT 'stop', visit.engineer_id, visit.ticket_id, starts_at, ends_at, latitude, longitude, city
    FROM visit JOIN ticket ON ticket.id = visit.ticket_id
    WHERE visit.engineer_id = ANY(:people) AND visit.state IN ('agreed', 'kept')
        AND ends_at > :now - interval '1 day' AND starts_at < :until
    UNION ALL
    SELECT 'outside', engineer_id, id, NULL, NULL, latitude, longitude, city
    FROM ticket WHERE engineer_id = ANY(:people) AND state IN ('travelling', 'on_site', 'working')
    ORDER BY starts_at
    """
).bindparams(bindparam("people", type_=ARRAY(Uuid)))


async def load_questions(tx: Tx, tickets: Collection[Ticket]) -> dict[UUID, Question]:
    """What slots of each ticket that has an engineer are made from, by ticket."""
    given = [ticket for ticket in tickets if ticket.engineer_id is not None]
    if not given:
        return {}
    staff, policy = await read_staff(tx), await load_policy(tx)
    until = tx.now + AHEAD
    people = sorted({ticket.given_to for ticket in given})
    rows = (await tx.execute(_TIMES, {"people": people, "now": tx.now, "until": until})).all()
    times = _times(rows)
    ids = [ticket.id for ticket in given]
    owed, arrivals = await deadlines(tx, ids), await load_arrivals(tx, ids)
    asked = {ticket.id: _question(ticket, staff, policy, times, tx.now, until) for ticket in given}
    limits = {key: limits_of(owed[key], arrivals.get(key), None) for key in asked}
    return {
        key: replace(
            each, deadline=limits[key].due_at, since=max(each.since, limits[key].parts_at or each.since)
        )
        for key, each in asked.items()
    }


def _times(rows: Iterable[Any]) -> _Time:
    away, on_call = defaultdict[PersonId, list[Interval]](list), defaultdict[PersonId, list[Interval]](list)
    stops, outside = defaultdict[PersonId, list[tuple[UUID, Stop]]](list), dict[PersonId, Spot]()
    for row in rows:
        spot = Spot(_place(row.latitude, row.longitude), row.city)
        match row.what:
            case "away":
                away[row.who].append((row.starts_at, row.ends_at))
            case "on_call":
                on_call[row.who].append((row.starts_at, row.ends_at))
            case "stop":
                stops[row.who].append((row.ticket_id, Stop(row.starts_at, row.ends_at, spot)))
            case _:
                outside[row.who] = spot
    return _Time(away, on_call, stops, outside)


def _place(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    return None if latitude is None or longitude is None else (latitude, longitude)


def _question(
    ticket: Ticket, staff: Staff, policy: Policy, times: _Time, now: datetime, until: datetime
) -> Question:
    engineer = ticket.given_to
    spot = Spot(_place(ticket.site.latitude, ticket.site.longitude), ticket.site.city)
    shift = staff.shifts.get(staff.shift_codes.get(engineer, ""))
    worked = shift.intervals(now, until) if shift else None
    on_call = times.on_call.get(engineer, ())
    here = times.outside.get(engineer) or _home(staff, engineer)
    minutes = ticket.planned_minutes or policy.work_minutes[ticket.severity]
    reach = now + way(here, spot, policy.travel)
    return Question(
        reach=reach,
        since=max(now + NOTICE, reach),
        until=until,
        length=timedelta(minutes=minutes),
        working=None if worked is None else joined([*worked, *on_call]),
        offered=visiting_hours(worked, on_call, now, until),
        away=times.away.get(engineer, ()),
        stops=[stop for ticket_id, stop in times.stops.get(engineer, ()) if ticket_id != ticket.id],
        spot=spot,
        travel=policy.travel,
    )


def _home(staff: Staff, engineer: PersonId) -> Spot:
    person = staff.people.get(engineer)
    centre = staff.centre_of(person) if person else None
    if centre is None:
        return Spot(None, None)
    return Spot(_place(centre.latitude, centre.longitude), centre.city)
