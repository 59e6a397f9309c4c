"""What holds for every history, whatever the policy promises."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks.rules import Clock, Happening, evaluate, explain
from sla_monitor.policies.shipped import SHIPPED

CHINA = Calendar(ZONE, WEEK, {each.day: each.windows for each in chinese_days(2026, 2027)[1]})


def friday(hour: int) -> datetime:
    return datetime(2026, 11, 20, hour, tzinfo=ZoneInfo(ZONE))


def monday(hour: int) -> datetime:
    return datetime(2026, 11, 23, hour, tzinfo=ZoneInfo(ZONE))


def judged(events: Sequence[Happening], now: datetime | None) -> tuple[Clock, ...]:
    return evaluate(SHIPPED, CHINA, events, now)


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("dispatch.ticket_opened", {"severity": "general", "episode": 1}),
    ("dispatch.ticket_assigned", {"severity": "urgent", "same_city": True, "episode": 1}),
    ("dispatch.ticket_assigned", {"severity": "important", "same_city": False, "episode": 1}),
    ("dispatch.ticket_assigned", {"severity": "general", "same_city": True, "episode": 2}),
    ("dispatch.assignment_accepted", {}),
    ("dispatch.assignment_declined", {}),
    ("dispatch.ticket_regraded", {"severity": "important"}),
    ("dispatch.ticket_regraded", {"severity": "general"}),
    ("dispatch.visit_agreed", {"at_customers_wish": True, "starts_at": monday(9).isoformat()}),
    ("dispatch.visit_agreed", {"at_customers_wish": False, "starts_at": monday(11).isoformat()}),
    ("dispatch.engineer_arrived", {}),
    ("dispatch.ticket_resolved", {"episode": 1}),
    ("dispatch.result_rejected", {"episode": 1}),
    ("dispatch.ticket_closed", {"severity": "urgent", "episode": 1}),
    ("intake.call_rang", {}),
    ("intake.call_answered", {}),
    ("intake.call_missed", {}),
    ("intake.call_ended", {}),
    ("intake.call_returned", {}),
]  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[Happening]:
    owner = draw(st.sampled_from(["dispatch.", "intake."]))
    kinds = [each for each in KINDS if each[0].startswith(owner)]
    chosen = draw(st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 400_000)), max_size=12))
    return [
        Happening(UUID(int=n), kind, n, friday(9) + timedelta(seconds=seconds), facts)
        for n, ((kind, facts), seconds) in enumerate(chosen, start=1)
    ]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(histories(), st.integers(), st.integers(0, 500_000))
def test_order_and_repetition_of_delivery_change_nothing(
    history: list[Happening], seed: int, seconds: int
) -> None:
    now = friday(9) + timedelta(seconds=seconds)
    shuffled = history + random.Random(seed).sample(history, len(history) // 2)
    random.Random(seed).shuffle(shuffled)
    assert judged(shuffled, now) == judged(history, now)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(histories())
def test_the_proof_of_a_deadline_adds_up(history: list[Happening]) -> None:
    for clock in judged(history, None):
        if clock.standing:
            continue
        pieces = explain(CHINA, clock.measure, clock.started_at, clock.deadline, clock.pauses)
        counted = [each.ends - each.begins for each in pieces if each.counted and each.ends]
        assert sum(counted, timedelta(0)) == clock.allowance
        assert pieces[0].begins == clock.started_at
        assert pieces[-1].ends == clock.deadline
        assert all(a.ends == b.begins for a, b in pairwise(pieces))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(histories())
def test_outcomes_follow_from_comparing_instants(history: list[Happening]) -> None:
    for clock in judged(history, None):
        match clock.outcome:
            case "met":
                assert clock.stopped_at is not None
                assert clock.stopped_at <= clock.deadline
            case "breached":
                assert clock.stopped_at is not None
                assert clock.stopped_at > clock.deadline
            case "running":
                assert clock.stopped_at is None
