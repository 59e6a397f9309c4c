"""A small organisation to choose from, and what was chosen and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dispatch.assignment.rules import (
    Decision,
    Job,
    Loads,
    Situation,
    Staff,
)
from dispatch.organisation.roster import Hours, Shift, Working
from dispatch.organisation.rules import (
    Centre,
    Organisation,
    Person,
    Region,
    Skill,
    Team,
)
from shared.events.terms import Severity
from shared.i18n import ZONE

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=ZONE)  # a Monday
HOUR = timedelta(hours=1)
OFFICE = Shift(
    code="office",
    weekly=(Working(days=("mon", "tue", "wed", "thu", "fri"), hours=(Hours(begins="09:00", ends="18:00"),)),),
)
A, B, C, D, E, F, G, H = (UUID(int=number) for number in range(1, 9))


def engineer(id: UUID, tier: str = "junior", region: str = "east", **more: Any) -> Person:
    facts = {"display_name": "x", "roles": ("engineer",), "regions": (region,), "centre": region, **more}
    return Person.model_validate({"id": id, "tier": tier, **facts})


def region(code: str, lead: UUID, supervisor: UUID, leader: UUID, expert: UUID) -> Region:
    return Region(
        code=code,
        duty_lead=lead,
        supervisors=(supervisor,),
        emergency_leader=leader,
        emergency_experts=(expert,),
        leadership=(lead,),
    )


def organised(*people: Person, teams: Sequence[Team] = (), skills: Sequence[Skill] = ()) -> Organisation:
    """East (which stands in for others) and north; who answers for both are E to H."""
    some = (
        engineer(E, "senior", regions=("south",)),
        engineer(F, "emergency", regions=("south",), substitutes=(G,)),
        engineer(G, "emergency", regions=("east",), certificates=(), substitutes=(F,)),
        Person(id=H, display_name="x", roles=("dispatcher",), substitutes=(E,)),
    )
    regions = (region("east", H, E, F, G), region("north", H, E, F, G), region("south", H, E, F, G))
    return Organisation(
        default_region="east",
        regions=regions,
        centres=tuple(Centre(code=code, region=code, city=code) for code in ("east", "north", "south")),
        people=(*people, *some),
        teams=tuple(teams),
        skills=tuple(skills),
        shifts=(OFFICE,),
    )


def at_work(organisation: Organisation, **situation: Any) -> Staff:
    return Staff.of(organisation).at(Situation(**{"now": NOW, **situation}))


def idle() -> Loads:
    return Loads(Counter(), Counter())


def job(severity: Severity = "general", **more: Any) -> Job:
    return Job(severity, more.pop("region", "east"), more.pop("city", "east"), **more)


def chosen(decision: Decision) -> UUID | None:
    return decision.engineer_id


def rules_of(decision: Decision) -> list[str]:
    return [finding.rule for finding in decision.findings]


def refused(decision: Decision, who: UUID) -> list[str]:
    [found] = [each for each in decision.candidates if each.person_id == who]
    assert found.cost is None
    return [finding.rule for finding in found.findings]
