"""Every number of the requirements, R50 to R58, to the second: kept at its deadline, missed a second later.

Beside each case stands its arithmetic. The days are those of the announced calendar of 2026: 1–7 October are
off, Saturday 10 October and Sunday 20 September are worked (decision 2).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks.rules import Clock, Happening, evaluate
from sla_monitor.policies.shipped import SHIPPED

CHINA = Calendar(ZONE, WEEK, {each.day: each.windows for each in chinese_days(2026, 2027)[1]})
SECOND = timedelta(seconds=1)


def at(moment: str) -> datetime:
    """A moment of 2026 in Shanghai: `11-20 17:50`, a Friday."""
    return datetime.fromisoformat(f"2026-{moment}").replace(tzinfo=ZoneInfo(ZONE))


Happened = tuple[str, datetime, dict[str, Any]]


def clock_of(promise: str, *happened: Happened) -> Clock | None:
    history = [
        Happening(UUID(int=number), kind, number, instant, facts)
        for number, (kind, instant, facts) in enumerate(happened, start=1)
    ]
    found = [each for each in evaluate(SHIPPED, CHINA, history) if each.promise == promise]
    return found[0] if found else None


Beginning = tuple[str, str, dict[str, Any]]
"""The promise, the event that starts it, and its facts."""

RINGS: Beginning = ("answer_call", "intake.call_rang", {})
MISSED: Beginning = ("return_call", "intake.call_missed", {})
ANSWERED, RETURNED = "intake.call_answered", "intake.call_returned"
MAIL = ("first_reply", "intake.request_registered", {"channel": "email", "severity": "general"})
CHAT = ("first_reply", "intake.request_registered", {"channel": "web_chat", "severity": "general"})
REPLIED, ARRIVED, AGREED = "intake.request_answered", "dispatch.engineer_arrived", "dispatch.visit_agreed"


def assigned(severity: str, *, same_city: bool) -> Beginning:
    """Decision 3: the promise begins when the task is delivered; decision 4: the same city, or another."""
    promise = "visit_agreed" if severity == "general" else "on_site"
    facts = {"severity": severity, "same_city": same_city, "engineer_id": "1", "episode": 1}
    return promise, "dispatch.ticket_assigned", facts


GOLDEN = [
    ("R50", RINGS, "11-20 10:00:00", ANSWERED, "11-20 10:01:00", "10:00 + 1 min"),
    ("R50", RINGS, "11-20 17:59:30", ANSWERED, "11-20 18:00:30", "by the wall clock, over closing time"),
    ("R51", MISSED, "11-20 10:00:30", RETURNED, "11-20 10:03:30", "10:00:30 + 3 min"),
    ("R51", MISSED, "11-20 18:00:00", RETURNED, "11-23 09:00:00", "decision 19: Monday 09:00"),
    ("R51", MISSED, "09-30 22:00:00", RETURNED, "10-08 09:00:00", "1–7 October are off, Thursday 8"),
    ("R52", MAIL, "11-20 09:00:00", REPLIED, "11-20 10:00:00", "open from 09:00: 09:00 + 1 h"),
    ("R52", CHAT, "11-20 13:13:13", REPLIED, "11-20 14:13:13", "13:13:13 + 1 h"),
    ("R52", MAIL, "11-20 17:50:00", REPLIED, "11-20 18:50:00", "decision 1: 17:50 + 1 h of wall clock"),
    ("R52", MAIL, "11-20 17:59:59", REPLIED, "11-20 18:59:59", "the last second of working time"),
    ("R52", MAIL, "09-20 10:00:00", REPLIED, "09-20 11:00:00", "a make-up Sunday is worked (decision 2)"),
    ("R53", MAIL, "11-20 18:00:00", REPLIED, "11-23 09:00:00", "closed at 18:00: Monday 09:00"),
    ("R53", MAIL, "11-20 08:59:00", REPLIED, "11-20 09:59:00", "decision 20: 08:59 + 1 h is after 09:00"),
    ("R53", MAIL, "11-20 08:00:00", REPLIED, "11-20 09:00:00", "decision 20: 08:00 + 1 h is 09:00"),
    ("R53", MAIL, "11-23 02:00:00", REPLIED, "11-23 09:00:00", "decision 17: the day that is about to begin"),
    ("R53", MAIL, "11-21 23:00:00", REPLIED, "11-23 09:00:00", "decision 17: Saturday night, Monday"),
    ("R53", MAIL, "09-19 23:00:00", REPLIED, "09-20 09:00:00", "decision 17: the make-up Sunday"),
    ("R53", CHAT, "10-01 12:00:00", REPLIED, "10-08 09:00:00", "1–7 October are off, Thursday 8"),
    ("R53", MAIL, "10-09 18:30:00", REPLIED, "10-10 09:00:00", "Saturday 10 October is worked"),
    ("R54", assigned("urgent", same_city=True), "11-20 17:30:00", ARRIVED, "11-20 19:30:00", "17:30 + 2 h"),
    ("R54", assigned("urgent", same_city=True), "11-21 23:00:00", ARRIVED, "11-22 01:00:00",
     "decision 5: day and night"),
    ("R55", assigned("urgent", same_city=False), "11-20 17:30:00", ARRIVED, "11-21 17:30:00", "17:30 + 24 h"),
    ("R56", assigned("important", same_city=True), "10-01 08:00:00", ARRIVED, "10-02 08:00:00",
     "decision 5: 24 h also on a holiday"),
    ("R57", assigned("important", same_city=False), "11-20 17:30:00", ARRIVED, "11-22 17:30:00", "+ 48 h"),
    ("R58", assigned("general", same_city=True), "11-20 17:30:00", AGREED, "11-22 17:30:00",
     "decision 6: agreed within 48 h"),
    ("R58", assigned("general", same_city=False), "11-20 17:30:00", AGREED, "11-22 17:30:00",
     "wherever the customer is"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "started", "begins", "stop", "due", "why"), GOLDEN)
def test_a_promise_is_kept_at_its_deadline_and_missed_a_second_later(
    row: str, started: Beginning, begins: str, stop: str, due: str, why: str
) -> None:
    promise, kind, facts = started
    begun = (kind, at(begins), facts)
    for late, outcome in ((timedelta(0), "met"), (SECOND, "breached")):
        clock = clock_of(promise, begun, (stop, at(due) + late, {}))
        assert clock is not None
        assert (clock.requirement, clock.deadline, clock.outcome) == (row, at(due), outcome), why


def test_every_row_has_its_cases() -> None:
    assert {case[0] for case in GOLDEN} == {f"R{number}" for number in range(50, 59)}


@pytest.mark.parametrize("seconds", [0, 59, 60])
def test_a_caller_who_hangs_up_within_the_minute_was_not_missed_but_is_called_back(seconds: int) -> None:
    """Decision 19: the answer clock is cancelled, the call-back clock starts."""
    rang, ended = at("11-20 10:00:00"), at("11-20 10:00:00") + seconds * SECOND
    happened: list[Happened] = [("intake.call_rang", rang, {}), ("intake.call_ended", ended, {})]
    answer, back = clock_of("answer_call", *happened), clock_of("return_call", *happened)
    assert answer is not None
    assert back is not None
    assert answer.outcome == "cancelled"
    assert back.deadline == ended + timedelta(minutes=3)


def test_a_ring_that_ends_as_missed_after_two_minutes_was_kept_waiting_too_long() -> None:
    """Decision 19: a ring without any end counts as missed after 120 s, which is 60 s too late."""
    rang, missed = at("11-20 10:00:00"), at("11-20 10:02:00")
    happened: list[Happened] = [("intake.call_rang", rang, {}), ("intake.call_missed", missed, {})]
    answer, back = clock_of("answer_call", *happened), clock_of("return_call", *happened)
    assert answer is not None
    assert back is not None
    assert answer.outcome == "breached"
    assert back.deadline == at("11-20 10:05:00")  # 10:02 + 3 min


def test_outside_of_service_hours_nobody_is_promised_an_answer_within_the_minute() -> None:
    """Decision 19: R50 switches to being called back by 09:00."""
    assert clock_of("answer_call", ("intake.call_rang", at("11-20 18:00:00"), {})) is None
    assert clock_of("answer_call", ("intake.call_rang", at("10-01 10:00:00"), {})) is None


@pytest.mark.parametrize(
    ("severity", "due"),
    [("urgent", "11-20 10:05:00"), ("important", "11-20 10:30:00"), ("general", "11-20 14:00:00")],
)
def test_accepting_the_task_has_a_clock_of_its_own(severity: str, due: str) -> None:
    """Decision 3: 10:00 + 5 min, 30 min, 4 h; it is no response time (decision 7)."""
    _, kind, facts = assigned(severity, same_city=True)
    clock = clock_of("accept", (kind, at("11-20 10:00:00"), facts))
    assert clock is not None
    assert clock.deadline == at(due)
    counted = {each.code for each in SHIPPED.promises if each.is_response}
    assert counted == {"answer_call", "return_call", "first_reply", "on_site", "visit_agreed"}


def test_another_severity_counts_from_the_first_assignment() -> None:
    """Decision 18: important at 10:00, urgent from 11:30 on: due at 10:00 + 2 h, not 11:30 + 2 h."""
    promise, kind, facts = assigned("important", same_city=True)
    regraded = ("dispatch.ticket_regraded", at("11-20 11:30:00"), {"severity": "urgent"})
    again = (kind, at("11-20 11:40:00"), {**facts, "severity": "urgent", "engineer_id": "2"})
    clock = clock_of(promise, (kind, at("11-20 10:00:00"), facts), regraded, again)
    assert clock is not None
    assert (clock.requirement, clock.deadline) == ("R54", at("11-20 12:00:00"))


@pytest.mark.parametrize("stays", [True, False])
def test_another_place_counts_from_the_first_assignment(stays: bool) -> None:
    """Decision 18: nobody knew the city at 10:00 (24 h); at 11:30 it is this one: due at 10:00 + 2 h."""
    promise, kind, facts = assigned("urgent", same_city=False)
    corrected: dict[str, object] = {"severity": "urgent", "region": "east", "city": "shanghai"}
    after = [("dispatch.ticket_regraded", at("11-20 11:30:00"), {**corrected, "same_city": True})]
    if not stays:
        after = [
            ("dispatch.ticket_regraded", at("11-20 11:30:00"), corrected),
            (kind, at("11-20 11:30:00"), {**facts, "same_city": True, "engineer_id": "2"}),
            (kind, at("11-20 11:50:00"), {**facts, "same_city": False, "engineer_id": "3"}),  # declined
        ]
    clock = clock_of(promise, (kind, at("11-20 10:00:00"), facts), *after)
    assert clock is not None
    assert (clock.requirement, clock.deadline) == ("R54", at("11-20 12:00:00"))


def test_a_later_visit_at_the_customers_wish_takes_its_time_out() -> None:
    """Decision 5: 10:00–10:30 is counted, the wish lasts till Monday 09:00, 1:30 h of the 2 h are left."""
    promise, kind, facts = assigned("urgent", same_city=True)
    starts_at = at("11-23 09:00:00").isoformat()
    wish = (AGREED, at("11-20 10:30:00"), {"starts_at": starts_at, "at_customers_wish": True})
    clock = clock_of(promise, (kind, at("11-20 10:00:00"), facts), wish)
    assert clock is not None
    assert clock.deadline == at("11-23 10:30:00")
