"""Who could do a ticket, when they would be there, and what speaks for and against them.

The jury of the assignment judges each of them; what it does not ask is the rest of their day and the parts:
who would be free by their shift alone has other work planned, and nobody repairs without the part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from dispatch.assignment.decisions import Candidate
from dispatch.assignment.judging import Jury
from dispatch.assignment.objections import against
from dispatch.assignment.staff import HORIZON, Job, Loads, Staff
from dispatch.assignment.words import Finding
from dispatch.days.rules import Block, Day
from dispatch.organisation.roster import Interval, earliest, joined
from dispatch.organisation.rules import Person
from dispatch.tickets.rules import Ticket
from shared.events.terms import PersonId, Severity

Verdict = Literal["fits", "late", "lacks_parts", "refused", "holds"]
"""The gravest of what is found; `holds` is who has the ticket already."""
_ORDER: Final[Mapping[Verdict, int]] = {"fits": 0, "late": 1, "lacks_parts": 2, "holds": 3, "refused": 4}


@dataclass(frozen=True, slots=True)
class Lacking:
    """Parts that are not there; `until` is when they are expected, None where nobody knows."""

    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """One engineer for one ticket.

    arrives_at  when they could be there; None where they could not within the time that anybody may wait
    late_by     how much after the promise that is
    lacking     the parts that would not be there by then
    objections  what has to be named to choose them all the same
    """

    person: Person
    verdict: Verdict
    candidate: Candidate
    arrives_at: datetime | None
    late_by: timedelta | None
    lacking: Lacking | None
    objections: tuple[Finding, ...]

    @property
    def order(self) -> tuple[int, int, timedelta, str]:
        """The best first."""
        cost = self.candidate.cost
        refused = len(self.objections)
        return (
            _ORDER[self.verdict],
            refused if cost is None else cost,
            self.late_by or timedelta(),
            str(self.person.id),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A ticket for which somebody is looked for.

    due  when somebody has to be there, where that runs
    job  with what was agreed and promised, where that is known
    """

    ticket: Ticket
    due: datetime | None = None
    lacking: Lacking | None = None
    job: Job | None = None


def fit_for(
    asked: Asked, people: Iterable[Person], staff: Staff, loads: Loads, days: Mapping[PersonId, Day]
) -> list[Fit]:
    """What is said of each of `people`, the best first; `days` are their plans for the day it is."""
    job = asked.job or asked.ticket.job
    region = staff.answering(job.region)
    jury = Jury(job, region, staff, loads)
    found = []
    for person in people:
        candidate = jury.verdict(person)
        objections = against(job, person, candidate, region, staff)
        found.append(_fit(asked, person, candidate, objections, jury, staff, days.get(person.id)))
    return sorted(found, key=lambda each: each.order)


def _fit(
    asked: Asked,
    person: Person,
    candidate: Candidate,
    objections: tuple[Finding, ...],
    jury: Jury,
    staff: Staff,
    day: Day | None,
) -> Fit:
    arrives_at = _arrival(asked, person, jury, staff, day)
    due = asked.due or jury.promised(person)
    late_by = arrives_at - due if arrives_at is not None and arrives_at > due else None
    lacking = asked.lacking
    if lacking and lacking.until and arrives_at and lacking.until <= arrives_at:
        lacking = None
    verdict: Verdict = "fits"
    if person.id == asked.ticket.engineer_id:
        verdict = "holds"
    elif objections:
        verdict = "refused"
    elif lacking:
        verdict = "lacks_parts"
    elif late_by:
        verdict = "late"
    return Fit(person, verdict, candidate, arrives_at, late_by, lacking, objections)


def _arrival(asked: Asked, person: Person, jury: Jury, staff: Staff, day: Day | None) -> datetime | None:
    """When somebody could be there, between what is planned of their day already."""
    sets_out = jury.sets_out(person)
    if sets_out is None:
        return None
    planned = [*_planned(asked.ticket, day, staff.situation.now)] if day else []
    busy = joined([*staff.busy(person.id), *planned])
    working = staff.working(person.id)
    leaves = earliest(sets_out, jury.length_of(person), sets_out + HORIZON, working, busy)
    return (leaves or sets_out) + jury.way_of(person)


def _planned(ticket: Ticket, day: Day, now: datetime) -> Iterator[Interval]:
    for block in day.blocks:
        is_busy = block.kind in ("travel", "visit", "work") and block.ticket_id != ticket.id
        if is_busy and _stands(block, ticket.severity, now):
            yield block.starts_at, block.ends_at


def _stands(block: Block, severity: Severity, now: datetime) -> bool:
    """Urgent work goes before what nobody has agreed with a customer and nobody has begun (R22)."""
    return severity != "urgent" or block.kind == "visit" or block.starts_at <= now


def counts_of(found: Sequence[Fit]) -> Mapping[Verdict, int]:
    """How many there are of each verdict."""
    return {name: sum(each.verdict == name for each in found) for name in _ORDER}
