"""How promises have been kept today (R110, decision 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from shared.db import Tx
from shared.http.auth import Principal
from sla_monitor.calendars.rules import instant_of
from sla_monitor.clocks.queries import count_outcomes
from sla_monitor.policies.store import load_rulebook


@dataclass(frozen=True, slots=True)
class Attainment:
    """Clocks kept, missed and still running."""

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
    """The figures of a day; `response` is over the promises that count into R110."""

    day: date
    zone: str
    response: Attainment
    promises: Mapping[str, Attainment]


async def midnight(tx: Tx) -> datetime:
    """When today began in the calendar's zone."""
    calendar = (await load_rulebook(tx)).at(tx.now).calendar
    return instant_of(calendar, calendar.local(tx.now).date())


async def attainment_today(tx: Tx, viewer: Principal | None = None) -> Today:
    """Since midnight in the calendar's zone, for what `viewer` may see."""
    governing = (await load_rulebook(tx)).at(tx.now)
    day = governing.calendar.local(tx.now).date()
    counts = await count_outcomes(tx, viewer, instant_of(governing.calendar, day))
    promises = {
        promise.code: Attainment(
            *(counts.get((promise.code, outcome), 0) for outcome in ("met", "breached", "running"))
        )
        for promise in governing.policy.promises
    }
    response = _sum(promises[each.code] for each in governing.policy.promises if each.is_response)
    return Today(day, governing.calendar.zone, response, promises)


def _sum(parts: Iterable[Attainment]) -> Attainment:
    kept = list(parts)
    return Attainment(
        sum(each.met for each in kept),
        sum(each.breached for each in kept),
        sum(each.running for each in kept),
    )
