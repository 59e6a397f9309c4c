"""What speaks for and against one engineer: hard constraints refuse, soft ones cost.

What depends on time is asked of the whole time of the work, not of its beginning alone.

What follows from the organisation alone is worked out once per kind of work and kept; the words are found for
those only whom somebody may read about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest
from operator import itemgetter
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from dispatch.assignment.decisions import Candidate
from dispatch.assignment.policy import Policy
from dispatch.assignment.staff import Job, Loads, Place, Staff, lasts_until
from dispatch.assignment.ways import Spot, driving, road_kilometres, way
from dispatch.assignment.words import Finding
from dispatch.organisation.roster import Interval, day_of, earliest, joined
from dispatch.organisation.rules import Person, Region
from shared.events.terms import Severity, Tier
from shared.i18n import ZONE

TIERS: Final[tuple[Tier, ...]] = ("junior", "senior", "emergency")
MOST_CANDIDATES: Final = 50  # kept with a decision; nobody reads more
MOST_KINDS: Final = 2000  # of work that are remembered


@dataclass(frozen=True, slots=True)
class Way:
    """How far it is for somebody: what it costs, how long it takes, and how to say it."""

    cost: int
    takes: timedelta
    finding: Finding


def needed_tier(severity: Severity, policy: Policy) -> Tier:
    return "emergency" if severity == "urgent" else policy.tiers[severity]


def above(job: Job, person: Person, policy: Policy) -> int:
    """By how many levels somebody is more (or less) than is needed; the group's experts are just right."""
    if job.severity == "urgent" or person.tier is None:
        return 0
    return TIERS.index(person.tier) - TIERS.index(needed_tier(job.severity, policy))


_Look: TypeAlias = tuple[tuple[Finding, ...], int, datetime]


class Jury:
    """Judges everybody for one job, in one territory."""

    def __init__(self, job: Job, region: Region, staff: Staff, loads: Loads) -> None:
        self._job, self._region, self._staff, self._loads = job, region, staff, loads
        situation = staff.situation
        self._policy, self._now = situation.policy, situation.now
        self._weights = situation.policy.weights
        wishes = situation.preferences.get(job.customer, {})
        self._blocked = {each for each, wish in wishes.items() if wish == "blocked"}
        self._preferred = {each for each, wish in wishes.items() if wish == "preferred"}
        self._familiar = situation.familiar.get(job.customer)
        self._versed = situation.versed.get(job.device)
        self._since = max(self._now, job.not_before or self._now)
        self._work = timedelta(minutes=self._policy.work_minutes[job.severity])
        self._latest = self._now + timedelta(hours=self._policy.set_out_within_hours[job.severity])
        self._certified = staff.certified.intersection(job.skills)
        self._most = self._policy.most_open
        promise = self._policy.promises[job.severity]
        self._due_near = job.due_at or self._now + timedelta(hours=promise.same_city)
        self._due_far = job.due_at or self._now + timedelta(hours=promise.cross_region)
        self._ways: dict[object, Way] = {}
        self._beginnings: dict[UUID, datetime | None] = {}
        self._looks: dict[object, _Look] = {}
        # Who is not like the others of their centre, tier and shift, and whether anybody may be.
        self._apart = frozenset((*job.declined, *wishes, self._familiar, self._versed)), situation.apart
        self._all_differ = bool(self._certified or self._policy.softened)

    def judge(self, people: Sequence[Person]) -> list[Candidate]:
        """The candidates that are worth to be told of, the best first and those who were refused behind."""
        fit, refused = self._sorted_out(people)
        passed: list[tuple[int, UUID, Person, datetime]] = []
        working, each = self._loads.working, self._weights.open_ticket
        for person in fit:
            found, cost, at = self._looked_at(person)
            if self._most and not found:
                found = self._is_full(person)
            if found:
                refused.append((person, found))
            else:
                passed.append((cost + each * working.get(person.id, 0), person.id, person, at))
        best = nsmallest(MOST_CANDIDATES, passed, key=itemgetter(0, 1))
        told = [self._passed(person, cost, at) for cost, _, person, at in best]
        rest = nsmallest(MOST_CANDIDATES - len(told), refused, key=_least_refused)
        return told + [self._refused(person, findings) for person, findings in rest]

    def verdict(self, person: Person) -> Candidate:
        """What is said of one of them, whoever else there is."""
        if self.leads(person):
            return self.lead(person)
        [candidate] = self.judge((person,))
        return candidate

    def way_of(self, person: Person) -> timedelta:
        """How long it takes somebody to get there."""
        return self._way(person).takes

    def length_of(self, person: Person) -> timedelta:
        """The same and the work."""
        return self._length(person)

    def promised(self, person: Person) -> datetime:
        """By when they have to be there; where nothing runs yet, if they got it now."""
        same_city = self._staff.city_of(person) == self._job.city
        return self._due_near if same_city else self._due_far

    def sets_out(self, person: Person) -> datetime | None:
        """When somebody could go, by their shift, their leave and their visits; None when too late."""
        return self._begins(person)

    def _looked_at(self, person: Person) -> _Look:
        """Whom nothing sets apart is like everybody else of their centre, tier and shift: looked at once."""
        own, anyway = self._apart
        if self._all_differ or person.id in anyway or person.id in own:
            return self._look(person)
        alike = (person.centre, person.tier, self._staff.shift_codes.get(person.id))
        if alike not in self._looks:
            self._looks[alike] = self._look(person)
        return self._looks[alike]

    def _look(self, person: Person) -> _Look:
        """What stands against somebody, else what sending them costs but for their load, and when."""
        if found := self._against(person):
            return found, 0, self._since
        cost, at = self._cost(person)
        return (), cost, at

    def _refused(self, person: Person, findings: Sequence[Finding]) -> Candidate:
        said = {finding.rule for finding in findings}
        more = [finding for finding in self._refusals(person) if finding.rule not in said]
        return Candidate(person.id, cast("Tier", person.tier), None, (*findings, *more))

    def _sorted_out(
        self, people: Sequence[Person]
    ) -> tuple[Sequence[Person], list[tuple[Person, Sequence[Finding]]]]:
        """Who is fit by the organisation alone, and who is not and why."""
        if people is not self._staff.engineers_of(self._region.code):
            return self._divided(people)
        job, memo = self._job, self._staff.memo
        key = (self._region.code, job.severity, job.product_line, job.skills, id(self._policy))
        if key not in memo:
            if len(memo) > MOST_KINDS:
                memo.clear()
            fit, refused = self._divided(people)
            few = nsmallest(MOST_CANDIDATES, refused, key=_least_refused)
            memo[key] = (fit, few, self._policy)  # kept with it, so that its id is not given to another
        fit, few, _ = cast("Any", memo[key])
        return fit, list(few)

    def _divided(
        self, people: Sequence[Person]
    ) -> tuple[list[Person], list[tuple[Person, Sequence[Finding]]]]:
        lacking = [(person, self._lacks(person)) for person in people]
        fit = [person for person, found in lacking if not found]
        return fit, [(person, found) for person, found in lacking if found]

    def _lacks(self, person: Person) -> tuple[Finding, ...]:
        return tuple(each for each in self._lacking(person) if each.rule not in self._policy.softened)

    def _lacking(self, person: Person) -> Iterator[Finding]:
        job = self._job
        if not person.active:
            yield Finding("inactive")
        if self._region.code not in person.regions:
            yield Finding("other_region", {"region": self._region.code})
        if job.product_line and person.product_lines and job.product_line not in person.product_lines:
            yield Finding("other_product_line", {"product_line": job.product_line})
        if lacking := sorted(set(job.skills) - set(person.skills)):
            yield Finding("lacks_skills", {"skills": ", ".join(lacking)})
        if above(job, person, self._policy) < 0:
            yield Finding("below_tier")

    def leads(self, person: Person) -> bool:
        """Accountable anyway: not being fit in a detail is no reason to send nobody."""
        return self._job.severity == "urgent" and person.id == self._region.emergency_leader

    def lead(self, person: Person) -> Candidate:
        """The leader of the group: refused only where they cannot, and behind all others."""
        grave = ("inactive", "declined", "blocked", "away", "busy", "full")
        found = [*self._lacking(person), *self._refusals(person)]
        if refused := tuple(each for each in found if each.rule in grave):
            return Candidate(person.id, cast("Tier", person.tier), None, refused)
        cost, at = self._cost(person)
        cost += self._weights.open_ticket * self._loads.working[person.id]
        return self._passed(person, cost, at)

    def _refusals(self, person: Person) -> tuple[Finding, ...]:
        """What stands against somebody right now, their load with it."""
        return (*self._against(person), *self._is_full(person))

    def _is_full(self, person: Person) -> tuple[Finding, ...]:
        most, working = self._most.get(cast("Tier", person.tier)), self._loads.working[person.id]
        return (Finding("full", {"count": working}),) if most is not None and working >= most else ()

    def _against(self, person: Person) -> tuple[Finding, ...]:
        found: list[Finding] = []
        if person.id in self._job.declined:
            found.append(Finding("declined"))
        if person.id in self._blocked:
            found.append(Finding("blocked"))
        found += self._cannot_come(person)
        if self._certified:
            found += self._uncertified(person)
        return tuple(each for each in found if each.rule not in self._policy.softened)

    def _uncertified(self, person: Person) -> Iterator[Finding]:
        """R38: good until the end of the work, not at its beginning alone."""
        begins = self._begins(person) or self._since
        day = day_of(begins + self._length(person))
        until = {skill: lasts_until(person, skill) for skill in sorted(self._certified)}
        if never := [skill for skill, last in until.items() if last is not None and last.year == 1]:
            yield Finding("lacks_certificate", {"skills": ", ".join(never)})
        old = [skill for skill, last in until.items() if last is not None and last.year > 1 and last < day]
        if old:
            yield Finding("certificate_expires", {"skills": ", ".join(old)})

    def _cannot_come(self, person: Person) -> Iterator[Finding]:
        """R24: who is away now owns nothing, however soon they are back."""
        here = self._is_here(person)
        if here and self._begins(person) is not None:
            return
        since, until = self._since, self._since + self._length(person)
        if self._job.appointment is not None:
            since, until = self._job.appointment
        since = since if here else self._now
        situation = self._staff.situation
        away, visits = situation.away.get(person.id, ()), self._visits(person)
        for rule, taken in (("away", away), ("busy", visits)):
            meeting = [ends for begins, ends in taken if begins < until and ends > since]
            if meeting:
                yield Finding(rule, {"until": _moment(max(meeting))})
                return
        yield Finding("off_shift")

    def _visits(self, person: Person) -> Sequence[Interval]:
        """What somebody has agreed with other customers."""
        visits = self._staff.situation.visits.get(person.id, ())
        held = self._job.held
        if held is None or held[0] != person.id:
            return visits
        return [each for each in visits if each != held[1]]

    def _busy(self, person: Person) -> Sequence[Interval]:
        held = self._job.held
        if held is None or held[0] != person.id:
            return self._staff.busy(person.id)
        return joined([*self._staff.situation.away.get(person.id, ()), *self._visits(person)])

    def _is_here(self, person: Person) -> bool:
        now = self._now
        away = self._staff.situation.away.get(person.id, ())
        return not any(begins <= now < ends for begins, ends in away)

    def _begins(self, person: Person) -> datetime | None:
        """When somebody can set out so that the way and the work fit into their time; None when too late."""
        if person.id not in self._beginnings:
            self._beginnings[person.id] = self._beginning(person)
        return self._beginnings[person.id]

    def _beginning(self, person: Person) -> datetime | None:
        working, busy = self._staff.working(person.id), self._busy(person)
        if working is not None and "off_shift" in self._policy.softened:
            working = None
        if self._job.appointment is not None:
            begins, ends = self._job.appointment
            return earliest(begins, ends - begins, begins, working, busy)
        if working is None and not busy:
            return self._since
        latest = max(self._latest, self._since)
        return earliest(self._since, self._length(person), latest, working, busy)

    def _length(self, person: Person) -> timedelta:
        return self._way(person).takes + self._work

    def _way(self, person: Person) -> Way:
        place = self._staff.situation.places.get(person.id)
        key: object = person.id if place else person.centre
        if key not in self._ways:
            self._ways[key] = self._measured(person, place)
        return self._ways[key]

    def _measured(self, person: Person, place: Place | None) -> Way:
        """From where somebody is at work, else from their centre; by city where coordinates are not known."""
        travel, centre = self._policy.travel, self._staff.centre_of(person)
        if place is None and centre and centre.latitude is not None and centre.longitude is not None:
            place = (centre.latitude, centre.longitude)
        if place is not None and self._job.place is not None:
            km = road_kilometres(place, self._job.place, travel)
            cost = round(km / self._weights.km_per_ticket)
            return Way(cost, driving(km, travel), Finding("distance", {"km": round(km), "cost": cost}))
        city = centre.city if centre else None
        takes = way(Spot(None, city), Spot(None, self._job.city), travel)
        if city == self._job.city:
            return Way(0, takes, Finding("same_city", {"cost": 0}))
        cost = self._weights.other_city
        return Way(cost, takes, Finding("other_city", {"city": city, "cost": cost}))

    def _cost(self, person: Person) -> tuple[int, datetime]:
        """What sending somebody costs but for their load, in open tickets, and when they could set out."""
        way, weights = self._way(person), self._weights
        at = self._begins(person) or self._since
        cost = way.cost + weights.level_above * max(0, above(self._job, person, self._policy))
        if self.leads(person):
            cost += weights.leads_group
        if person.id == self._versed:
            cost -= weights.versed
        elif person.id == self._familiar:
            cost -= weights.familiar
        if person.id in self._preferred:
            cost -= weights.preferred
        if at > self._now:
            cost += weights.day_of_waiting * _days(at - self._now)
        if self._late_by(person, at):
            cost += weights.late
        return cost + self._softened(person), at

    def _softened(self, person: Person) -> int:
        softened = self._policy.softened
        return sum(cost for _, cost in self._soft(person)) if softened else 0

    def _soft(self, person: Person) -> Iterator[tuple[Finding, int]]:
        softened: Any = self._policy.softened
        for finding in (*self._lacking(person), *self._uncertified(person)):
            if finding.rule in softened:
                yield finding, softened[finding.rule]
        if "off_shift" in softened and not self._staff.is_on_duty(person.id):
            yield Finding("off_shift"), softened["off_shift"]

    def _late_by(self, person: Person, at: datetime) -> timedelta | None:
        """How much later than was promised somebody would arrive; an agreed time is everybody's."""
        if self._job.appointment is not None:
            return None
        arrives, due = at + self._way(person).takes, self.promised(person)
        return arrives - due if arrives > due else None

    def _passed(self, person: Person, cost: int, at: datetime) -> Candidate:
        return Candidate(person.id, cast("Tier", person.tier), cost, tuple(self._scores(person, at)))

    def _scores(self, person: Person, at: datetime) -> Iterator[Finding]:
        """Each thing that counted in `_cost`, with what it counted."""
        weights, working = self._weights, self._loads.working[person.id]
        yield self._way(person).finding
        yield Finding("open_tickets", {"count": working, "cost": weights.open_ticket * working})
        levels = max(0, above(self._job, person, self._policy))
        if levels:
            yield Finding("over_qualified", {"cost": weights.level_above * levels})
        if self.leads(person):
            yield Finding("leads_group", {"cost": weights.leads_group})
        if person.id == self._versed:
            yield Finding("versed", {"cost": -weights.versed})
        elif person.id == self._familiar:
            yield Finding("familiar", {"cost": -weights.familiar})
        if person.id in self._preferred:
            yield Finding("preferred", {"cost": -weights.preferred})
        if at > self._now:
            waiting = weights.day_of_waiting * _days(at - self._now)
            yield Finding("waits", {"at": _moment(at), "cost": waiting})
        if late := self._late_by(person, at):
            yield late_by(late, weights.late)
        for finding, cost in self._soft(person) if self._policy.softened else ():
            yield Finding(finding.rule, {**finding.facts, "cost": cost})


def late_by(late: timedelta, cost: int) -> Finding:
    """How to say how late somebody would be: in minutes below two hours, cut to hours above."""
    minutes = math.ceil(late / timedelta(minutes=1))
    if minutes < 120:
        return Finding("late_by", {"minutes": minutes, "cost": cost})
    return Finding("late_by_hours", {"hours": minutes // 60, "cost": cost})


def _least_refused(each: tuple[Person, Sequence[Finding]]) -> tuple[int, UUID]:
    return len(each[1]), each[0].id


def _days(waiting: timedelta) -> int:
    return round(waiting / timedelta(days=1))


def _moment(instant: datetime) -> str:
    return instant.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")
