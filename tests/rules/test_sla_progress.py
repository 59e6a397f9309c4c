"""Customers hear how it goes, again and again (R62, decision 13); beside each case the arithmetic."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.stories import CHINA, Story, agreed, friday, monday, shanghai
from sla_monitor.clocks.rules import Clock, Happening, evaluate
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.shipped import PROGRESS, SHIPPED

CODE = PROGRESS.code
SECOND = timedelta(seconds=1)
AGENT = "00000000-0000-0000-0000-000000000009"


def opened(severity: str, at: datetime) -> Story:
    return Story("dispatch").then("ticket_opened", at, severity=severity, episode=1)


def told(story: Story, at: datetime) -> Story:
    return story.then("customer_informed", at, by=AGENT)


def clocks(story: Story, now: datetime | None = None) -> list[Clock]:
    return [each for each in evaluate(SHIPPED, CHINA, story.events, now) if each.promise == CODE]


def dues(story: Story) -> list[tuple[datetime, str]]:
    return [(each.deadline, each.outcome) for each in clocks(story)]


GOLDEN = [
    ("urgent", friday(10), friday(12), "10:00 + 2 h"),
    ("urgent", shanghai(11, 21, 23, 10), shanghai(11, 22, 1, 10), "Saturday, over midnight: 23:10 + 2 h"),
    ("important", friday(9, 30), friday(17, 30), "09:30 + 8 h"),
    ("important", friday(17), shanghai(11, 21, 1), "by the wall clock, over closing time: 17:00 + 8 h"),
    ("general", friday(9, 0, 7), shanghai(11, 21, 9, 0, 7), "+ 24 h, to the second"),
    ("general", shanghai(10, 1, 8), shanghai(10, 2, 8), "on a holiday: + 24 h"),
]  # fmt: skip


@pytest.mark.parametrize(("severity", "begins", "due", "why"), GOLDEN)
def test_it_is_kept_at_its_deadline_missed_a_second_later_and_due_anew(
    severity: str, begins: datetime, due: datetime, why: str
) -> None:
    for late, outcome in ((timedelta(0), "met"), (SECOND, "breached")):
        first, second = clocks(told(opened(severity, begins), due + late))
        assert (first.requirement, first.deadline, first.outcome) == ("R62", due, outcome), why
        assert (first.measure, first.severity) == ("wall", severity)
        # From when the customer heard, and as long as the first time.
        assert (second.started_at, second.deadline) == (due + late, due + late + (due - begins))
        assert (second.severity, second.outcome) == (severity, "running")


def test_nobody_telling_is_one_miss_and_not_one_every_two_hours() -> None:
    story = opened("urgent", friday(10))
    assert [each.outcome for each in clocks(story, friday(12))] == ["running"]
    assert [each.outcome for each in clocks(story, monday(12))] == ["breached"]


def test_agreeing_on_a_visit_arriving_and_the_end_are_news_too() -> None:
    story = told(opened("urgent", friday(10)), friday(11, 30))
    agreed(story, friday(13), friday(15))
    told(story, friday(14, 59))
    story.then("engineer_arrived", friday(16, 59)).then("ticket_resolved", friday(19), episode=1)
    assert dues(story) == [
        (friday(12), "met"),  # 10:00 + 2 h, told at 11:30
        (friday(13, 30), "met"),  # 11:30 + 2 h, agreed at 13:00
        (friday(15), "met"),  # 13:00 + 2 h, told at 14:59
        (friday(16, 59), "met"),  # 14:59 + 2 h, arrived at 16:59
        (friday(18, 59), "breached"),  # 16:59 + 2 h, resolved at 19:00
    ]


def test_while_the_customer_tries_the_result_nothing_is_due_and_a_rejection_begins_anew() -> None:
    story = opened("important", friday(10)).then("ticket_resolved", friday(15), episode=1)
    assert dues(story) == [(friday(18), "met")]  # 10:00 + 8 h; solved at 15:00, and no clock from there
    story.then("result_rejected", monday(9), episode=1)
    assert dues(story)[1:] == [(monday(17), "running")]  # 09:00 + 8 h
    story.then("ticket_closed", monday(12), severity="important", episode=1)
    (_, last) = clocks(story)
    assert (last.outcome, last.reason) == ("cancelled", "dispatch.ticket_closed")


def test_another_severity_counts_from_when_the_customer_heard_last() -> None:
    """Decision 18: important at 10:00 (18:00), urgent from 11:00 on: 10:00 + 2 h; then 11:30 + 2 h."""
    story = opened("important", friday(10)).then("ticket_regraded", friday(11), severity="urgent")
    assert dues(told(story, friday(11, 30))) == [(friday(12), "met"), (friday(13, 30), "running")]


def test_a_pause_by_hand_takes_its_time_out() -> None:
    """10:00–10:30 counted (30 min), paused until 11:30, 11:30 + 1 h 30 min = 13:00."""
    story = opened("urgent", friday(10))
    facts: dict[str, Any] = {"pause_reason": "customer_asked", "pause_note": "", "paused_by": AGENT}
    facts["until"] = friday(11, 30).isoformat()
    story.events.append(Happening(UUID(int=2), "sla.promises_paused", 2, friday(10, 30), facts))
    assert dues(story) == [(friday(13), "running")]


def test_what_was_told_in_time_is_kept_however_late_it_becomes_known() -> None:
    """Told at 11:55, known after the visit of 12:05 was agreed on."""
    story = agreed(opened("urgent", friday(10)), friday(12, 5), friday(15))
    assert dues(story) == [(friday(12), "breached"), (friday(14, 5), "running")]
    assert dues(told(story, friday(11, 55))) == [
        (friday(12), "met"),  # 10:00 + 2 h, told at 11:55
        (friday(13, 55), "met"),  # 11:55 + 2 h, agreed at 12:05
        (friday(14, 5), "running"),
    ]


def test_shuffled_and_doubled_it_is_the_same() -> None:
    chance = random.Random(62)
    story = told(told(opened("general", friday(10)), friday(11)), monday(9))
    story.then("engineer_arrived", monday(10)).then("ticket_resolved", monday(11), episode=1)
    expected = clocks(story)
    # 11:00 + 24 h is Saturday; all other times somebody told within 24 h.
    assert [each.outcome for each in expected] == ["met", "breached", "met", "met"]
    for _ in range(50):
        order = [*story.events, *chance.sample(story.events, 3)]
        chance.shuffle(order)
        assert [each for each in evaluate(SHIPPED, CHINA, order) if each.promise == CODE] == expected


def test_it_is_no_response_time_and_climbs_to_no_leader() -> None:
    assert not PROGRESS.is_response  # decision 7: R114 counts R50–R58
    assert [(step.at, step.tell) for step in PROGRESS.ladder] == [
        (75, ("owner",)), (100, ("owner", "supervisor")),
    ]  # fmt: skip


def test_a_house_may_switch_it_off() -> None:
    silent = Policy(calendar="cn", promises=(PROGRESS.model_copy(update={"enabled": False}),))
    assert evaluate(silent, CHINA, told(opened("urgent", friday(10)), friday(11)).events) == ()
