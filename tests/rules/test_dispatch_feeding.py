"""What a decision makes of the agreed visit, of parts that come and of what is promised (R24, R54, R73)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts.dispatching import JUNIOR_A, JUNIOR_B, SAMPLE
from dispatch.assignment.judging import late_by
from dispatch.assignment.rules import Assignment, Decision, Job, Loads, Situation, Staff, decide
from shared.i18n import ZONE

NOW = datetime(2026, 11, 23, 10, tzinfo=ZONE)  # a Monday
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
VISIT = (NOW + 24 * HOUR, NOW + 26 * HOUR)


def staff(**situation: Any) -> Staff:
    return Staff.of(SAMPLE).at(Situation(**{"now": NOW, **situation}))


def idle() -> Loads:
    return Loads(Counter(), Counter())


def job(**more: Any) -> Job:
    return Job("general", "east", "shanghai", **more)


def said(decision: Decision, who: object) -> list[str]:
    [candidate] = [each for each in decision.candidates if each.person_id == who]
    return [finding.reason().because for finding in candidate.findings]


def test_who_would_arrive_late_costs_and_it_is_said_by_how_much() -> None:
    """R54: an hour of way, and the promise runs out in 46 minutes; who is out there already is in time."""
    promised = job(due_at=NOW + 46 * MINUTE, place=(31.23, 121.47))
    there = staff(places={JUNIOR_B: (31.2301, 121.4701), JUNIOR_A: (31.23, 121.95)})
    loaded = Loads(Counter({JUNIOR_B: 9}), Counter())
    decision = decide(promised, there, loaded)
    assert decision.engineer_id == JUNIOR_B
    assert [each for each in said(decision, JUNIOR_A) if "late" in each] == ["Would be 26 min late"]
    assert not [each for each in said(decision, JUNIOR_B) if "late" in each]
    assert decide(job(place=(31.23, 121.47)), there, loaded).engineer_id == JUNIOR_A, "nothing was promised"


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (14 * MINUTE, "Would be 14 min late"),
        (13 * MINUTE + timedelta(seconds=1), "Would be 14 min late"),
        (119 * MINUTE, "Would be 119 min late"),
        (179 * MINUTE, "Would be 2 h late"),
    ],
)
def test_lateness_is_told_in_minutes_then_in_hours(late: timedelta, words: str) -> None:
    """R54."""
    assert late_by(late, 50).reason().because == words


def test_an_agreed_time_is_kept_by_somebody_who_is_free_then() -> None:
    """R58: however much else they have to do."""
    busy = staff(visits={JUNIOR_A: [VISIT]})
    loaded = Loads(Counter({JUNIOR_B: 9}), Counter())
    assert decide(job(appointment=VISIT), busy, loaded).engineer_id == JUNIOR_B


def test_where_nobody_is_free_at_the_agreed_time_somebody_goes_at_another_and_it_is_said() -> None:
    """R24: an appointment leaves no ticket with nobody."""
    everybody = {person.id: [VISIT] for person in SAMPLE.people}
    decision = decide(job(appointment=VISIT), staff(visits=everybody), idle())
    assert isinstance(decision, Assignment)
    assert decision.findings[-1].rule == "appointment_lapses"


def test_somebody_is_not_kept_from_work_by_their_own_visit_for_it() -> None:
    """R24: neither at the agreed time nor when it has lapsed."""
    alone = {person.id: [VISIT] for person in SAMPLE.people}
    decision = decide(job(appointment=VISIT, held=(JUNIOR_A, VISIT)), staff(visits=alone), idle())
    assert decision.engineer_id == JUNIOR_A
    assert decision.findings[-1].rule != "appointment_lapses"
