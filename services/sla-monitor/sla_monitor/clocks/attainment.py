"""How promises have been kept today (R110, decision 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from shared.db import Tx
from sla_monitor.calendars.rules import instant_of
from sla_monitor.clocks.queries import count_matters, count_outcomes
from sla_monitor.clocks.view import View
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.store import load_rulebook


@dataclass(frozen=True, slots=True)
class Attainment:
    """Kept, missed, and running: still to be decided before the day ends."""

    met: int
    breached: int
    running: int

    @property
    def share(self) -> float | None:
        """Kept of decided; None before anything is decided."""
        decided = self.met + self.breached
        return self.met / decided if decided else None


@dataclass(frozen=True, slots=True)
class Today:
    """The figures of a day by clock.

    response  over the promises that count into R110
    promises  by code
    missed    by the hour of the day, 0 to 23
    """

    day: date
    zone: str
    response: Attainment
    promises: Mapping[str, Attainment]
    missed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """A day in the zone of the calendar in force, from its midnight to the next."""

    date: date
    zone: str
    begins: datetime
    ends: datetime
    policy: Policy

    @property
    def responses(self) -> list[str]:
        """The promises that count into R110."""
        return [promise.code for promise in self.policy.promises if promise.is_response]


async def today(tx: Tx) -> Day:
    """The present one, and the policy in force."""
    governing = (await load_rulebook(tx)).at(tx.now)
    calendar = governing.calendar
    day = calendar.local(tx.now).date()
    ends = instant_of(calendar, day + timedelta(days=1))
    return Day(day, calendar.zone, instant_of(calendar, day), ends, governing.policy)


async def attainment_today(tx: Tx, view: View) -> Today:
    """Since midnight in the calendar's zone, for what `view` lets through."""
    day = await today(tx)
    rows = await count_outcomes(tx, view, day.begins, day.ends, day.zone)
    return Today(
        day=day.date,
        zone=day.zone,
        response=_sum(rows, day.responses),
        promises={each.code: _sum(rows, [each.code]) for each in day.policy.promises if each.enabled},
        missed=tuple(
            sum(row.clocks for row in rows if row.outcome == "breached" and row.hour == hour)
            for hour in range(24)
        ),
    )


async def tickets_today(tx: Tx, view: View) -> Attainment:
    """By whole matters: a ticket, its request and its call together, kept when all response promises were."""
    day = await today(tx)
    found = await count_matters(tx, view, day.begins, day.ends, day.responses)
    return Attainment(found.met, found.breached, found.running)


def _sum(rows: Sequence[Any], promises: Sequence[str]) -> Attainment:
    def count(outcome: str) -> int:
        return sum(row.clocks for row in rows if row.outcome == outcome and row.promise in promises)

    return Attainment(count("met"), count("breached"), count("running"))
