"""Appointments and resolution: what else a ticket is promised, and a policy as data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts.stories import CHINA, Story, agreed, friday, monday, request, ticket
from sla_monitor.clocks.rules import evaluate
from sla_monitor.policies.rules import Policy, Promise, Step, Wall
from sla_monitor.policies.shipped import FIRST_REPLY, SHIPPED

# Decision 6: an appointment is a promise of its own.


def test_an_appointment_is_kept_by_arriving_at_the_agreed_time() -> None:
    for minute, outcome in ((0, "met"), (1, "breached")):
        story = agreed(ticket("general", friday(10)), friday(11), monday(14))
        story.then("engineer_arrived", monday(14, minute))
        clock = story.clock("appointment_kept")
        assert (clock.deadline, clock.outcome) == (monday(14), outcome)


def test_a_visit_that_is_moved_in_time_is_due_at_the_new_time() -> None:
    story = agreed(ticket("general", friday(10)), friday(11), monday(14))
    agreed(story, monday(9), monday(16)).then("engineer_arrived", monday(15, 30))
    assert story.clock("appointment_kept", 2).outcome == "cancelled"
    assert (story.clock("appointment_kept", 3).deadline, story.clock("appointment_kept", 3).outcome) == (
        monday(16),
        "met",
    )


def test_moving_a_visit_that_was_missed_does_not_undo_it() -> None:
    story = agreed(ticket("general", friday(10)), friday(11), monday(14))
    agreed(story, monday(14, 5), monday(16))
    assert story.clock("appointment_kept", 2).outcome == "breached"


@pytest.mark.parametrize("starts_at", ["2026-11-20T10:59:00+08:00", "soon", None, "9999-12-31T23:59:59Z"])
def test_an_agreement_on_no_time_to_come_promises_none(starts_at: str | None) -> None:
    story = ticket("general", friday(10)).then("visit_agreed", friday(11), starts_at=starts_at)
    assert "appointment_kept" not in story.promises()


# R60, decision 13.


@pytest.mark.parametrize(("severity", "hours"), [("urgent", 24), ("important", 72), ("general", 7 * 24)])
def test_a_problem_is_solved_in_time_not_counting_while_the_customer_tries(severity: str, hours: int) -> None:
    story = Story("dispatch").then("ticket_opened", friday(9), severity=severity, episode=1)
    clock = story.clock("resolution")
    assert (clock.deadline, clock.requirement) == (friday(9) + timedelta(hours=hours), "R60")
    story.then("ticket_resolved", clock.deadline - timedelta(hours=1), episode=1)
    story.then("result_rejected", clock.deadline + timedelta(days=2), episode=1)
    story.then("ticket_resolved", clock.deadline + timedelta(days=2, minutes=59), episode=1)
    story.then("ticket_closed", clock.deadline + timedelta(days=9), severity=severity, episode=1)
    assert story.clock("resolution").outcome == "met"  # a minute of its last hour was left


# A policy is data.


def test_a_policy_survives_being_stored() -> None:
    assert Policy.model_validate_json(SHIPPED.model_dump_json()) == SHIPPED


def test_a_policy_that_named_percentages_only_is_still_read() -> None:
    body = FIRST_REPLY.model_dump(mode="json", exclude={"ladder", "enabled"}) | {"warns": [50, 75]}
    read = Promise.model_validate(body)
    assert read.warns == (50, 75)
    assert read.ladder[-1] == Step(at=100, tell=("owner",))
    assert read.enabled


@pytest.mark.parametrize(
    ("ladder", "fault"),
    [
        ([{"at": 75, "tell": ["owner"]}, {"at": 50, "tell": ["owner"]}], "rise"),
        ([{"at": 75, "tell": ["owner"]}, {"at": 75, "tell": ["supervisor"]}], "rise"),
        ([{"at": 75, "tell": ["owner"], "minutes_after": 5}], "from the breach"),
        ([{"at": 101, "tell": ["owner"]}], "less than or equal to 100"),
        ([{"at": 75, "tell": []}], "at least 1 item"),
        ([{"at": 75, "tell": ["everybody"]}], "Input should be"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_refused(ladder: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Promise.model_validate(FIRST_REPLY.model_dump(mode="json") | {"ladder": ladder})


def test_what_is_switched_off_is_not_promised() -> None:
    silent = FIRST_REPLY.model_copy(update={"enabled": False})
    assert (
        evaluate(Policy(calendar="cn", promises=(silent,)), CHINA, request("email", friday(10)).events) == ()
    )


# What nobody promised anything to.


@pytest.mark.parametrize(
    ("about", "facts", "covered"),
    [
        ("ticket", {"severity": "general"}, True),
        ("ticket", {}, True),  # nothing is known yet
        ("request", {"channel": "email"}, True),
        ("request", {"channel": "phone"}, True),  # on purpose: the call has promises of its own
        ("request", {"channel": "fax"}, False),
        ("ticket", {"severity": "critical"}, False),
        ("call", {"region": "east"}, True),
    ],
)
def test_a_policy_knows_what_it_leaves_out(about: Any, facts: dict[str, Any], covered: bool) -> None:
    assert SHIPPED.covers(about, facts) is covered


def test_a_promise_stands_once_in_a_policy() -> None:
    with pytest.raises(ValueError, match="Each promise has a code of its own"):
        Policy(calendar="cn", promises=(FIRST_REPLY, FIRST_REPLY))


@pytest.mark.parametrize("seconds", [0, -60, 10**9 * 60])
def test_a_target_that_makes_no_sense_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="length"):
        Wall.model_validate({"length": seconds, "requirement": "R54"})
