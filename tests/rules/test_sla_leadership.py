"""Leadership acknowledges an urgent ticket within a quarter of an hour (R23); beside it the arithmetic."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from contracts.stories import CHINA, Story, friday, shanghai
from sla_monitor.alerts.ladder import steps_after, steps_at
from sla_monitor.clocks.rules import Clock, evaluate
from sla_monitor.policies.rules import Policy, Wall
from sla_monitor.policies.shipped import LEADERSHIP_ACKNOWLEDGED, SHIPPED

CODE = LEADERSHIP_ACKNOWLEDGED.code
SECOND = timedelta(seconds=1)
LEADERS = ["00000000-0000-0000-0000-000000000001"]


def informed(at: datetime, story: Story | None = None) -> Story:
    begun = story or Story("dispatch").then("ticket_opened", at, severity="urgent", episode=1)
    return begun.then("leadership_informed", at, severity="urgent", leader_ids=LEADERS)


def acknowledged(story: Story, at: datetime) -> Story:
    return story.then("leadership_acknowledged", at, by=LEADERS[0])


def clocks(story: Story, now: datetime | None = None) -> list[Clock]:
    return [each for each in evaluate(SHIPPED, CHINA, story.events, now) if each.promise == CODE]


GOLDEN = [
    (friday(10), friday(10, 15), "10:00 + 15 min"),
    (friday(17, 55), friday(18, 10), "by the wall clock, over closing time"),
    (
        shanghai(11, 21, 23, 50),
        shanghai(11, 22, 0, 5),
        "Saturday night, over midnight: urgent is day and night",
    ),
    (shanghai(10, 1, 8, 0, 7), shanghai(10, 1, 8, 15, 7), "on a holiday, to the second"),
]


@pytest.mark.parametrize(("begins", "due", "why"), GOLDEN)
def test_it_is_kept_at_its_deadline_and_missed_a_second_later(
    begins: datetime, due: datetime, why: str
) -> None:
    for late, outcome in ((timedelta(0), "met"), (SECOND, "breached")):
        (clock,) = clocks(acknowledged(informed(begins), due + late))
        assert (clock.requirement, clock.deadline, clock.outcome) == ("R23", due, outcome), why
        assert (clock.measure, clock.severity, clock.pauses) == ("wall", "urgent", ())


def test_nobody_acknowledging_is_a_miss_from_the_second_after() -> None:
    story = informed(friday(10))
    assert [each.outcome for each in clocks(story, friday(10, 15))] == ["running"]
    assert [each.outcome for each in clocks(story, friday(10, 15, 1))] == ["breached"]


@pytest.mark.parametrize(("closes", "outcome"), [(friday(10, 15), "cancelled"), (friday(10, 16), "breached")])
def test_a_closed_ticket_asks_nobody_any_more_but_forgives_nothing(closes: datetime, outcome: str) -> None:
    story = informed(friday(10)).then("ticket_closed", closes, severity="urgent", episode=1)
    (clock,) = clocks(story)
    assert (clock.outcome, clock.reason) == (outcome, "dispatch.ticket_closed")


def test_a_ticket_that_is_not_urgent_any_more_asks_nobody() -> None:
    story = informed(friday(10)).then("ticket_regraded", friday(10, 5), severity="general")
    (clock,) = clocks(story)
    assert (clock.outcome, clock.stopped_at, clock.reason) == ("cancelled", friday(10, 5), "regraded")
    informed(friday(15), story.then("ticket_regraded", friday(15), severity="urgent"))
    assert [each.deadline for each in clocks(story)][1:] == [friday(15, 15)]  # 15:00 + 15 min, not 10:15


def test_a_regrading_after_the_acknowledgement_takes_nothing_back() -> None:
    story = acknowledged(informed(friday(10)), friday(10, 5))
    (clock,) = clocks(story.then("ticket_regraded", friday(10, 20), severity="important"))
    assert (clock.outcome, clock.stopped_at) == ("met", friday(10, 5))


def test_who_is_informed_anew_acknowledges_anew() -> None:
    story = acknowledged(informed(friday(10)), friday(10, 5))
    informed(friday(11), story)
    assert [(each.outcome, each.deadline) for each in clocks(story)] == [
        ("met", friday(10, 15)),
        ("running", friday(11, 15)),
    ]
    acknowledged(story, friday(11, 16))
    assert [each.outcome for each in clocks(story)] == ["met", "breached"]


@pytest.mark.parametrize(
    ("again", "outcome"), [(friday(10, 14), "cancelled"), (friday(10, 15, 1), "breached")]
)
def test_informing_anew_takes_the_place_of_the_one_before_unless_that_was_missed(
    again: datetime, outcome: str
) -> None:
    first, second = clocks(acknowledged(informed(again, informed(friday(10))), again + 15 * 60 * SECOND))
    assert (first.outcome, second.outcome) == (outcome, "met")


def test_general_and_important_tickets_ask_no_leader() -> None:
    for severity in ("general", "important"):
        story = Story("dispatch").then("ticket_opened", friday(10), severity=severity, episode=1)
        story.then("leadership_informed", friday(10), severity=severity, leader_ids=LEADERS)
        assert clocks(story) == []


def test_the_order_in_which_it_is_told_does_not_matter() -> None:
    story = acknowledged(informed(friday(10)), friday(10, 9))
    expected = clocks(story)
    assert [each.outcome for each in expected] == ["met"]
    for order in permutations(story.events):
        found = evaluate(SHIPPED, CHINA, (*order, order[0]))
        assert [each for each in found if each.promise == CODE] == expected


def test_it_is_no_response_time_and_has_a_ladder_of_its_own() -> None:
    assert not LEADERSHIP_ACKNOWLEDGED.is_response  # decision 7
    assert steps_at(LEADERSHIP_ACKNOWLEDGED, 50) == ("leadership",)
    assert steps_at(LEADERSHIP_ACKNOWLEDGED, 100) == ("owner", "leadership")
    (last,) = steps_after(LEADERSHIP_ACKNOWLEDGED)
    assert (last.minutes_after, last.tell) == (15, ("owner", "team_lead", "leadership"))


def test_a_house_may_promise_another_time_and_nothing_at_all() -> None:
    policy: dict[str, Any] = SHIPPED.model_dump(mode="json")
    (its,) = [each for each in policy["promises"] if each["code"] == CODE]
    its["cases"][0]["target"]["length"] = "PT30M"
    story = informed(friday(10))
    assert isinstance(LEADERSHIP_ACKNOWLEDGED.cases[0].target, Wall)
    assert friday(10, 30) in [
        each.deadline for each in evaluate(Policy.model_validate(policy), CHINA, story.events)
    ]
    its["enabled"] = False
    found = evaluate(Policy.model_validate(policy), CHINA, story.events)
    assert CODE not in {each.promise for each in found}
