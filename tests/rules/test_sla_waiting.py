"""Waiting, cancelled and reopened tickets: which clocks stand, which end, which begin anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.stories import CHINA, Story, friday, ticket
from shared.events.dispatch import TicketCancelled, TicketPaused
from sla_monitor.clocks.consumers import facts_of
from sla_monitor.clocks.rules import evaluate
from sla_monitor.clocks.rules.history import episodes as runs
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.shipped import ON_SITE, SHIPPED

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("waiting_for", "stands"), [
    ("customer", True), ("parts", False), ("vendor", False), ("other_department", False),
])  # fmt: skip
@pytest.mark.parametrize("promise", ["on_site", "resolution"])
def test_only_waiting_for_the_customer_takes_time_out(waiting_for: str, stands: bool, promise: str) -> None:
    story = ticket("urgent", friday(9))
    before = story.clock(promise).deadline
    story.then("ticket_paused", friday(9, 30), waiting_for=waiting_for)
    assert story.clock(promise).standing == stands
    story.then("ticket_resumed", friday(10), to="accepted")
    assert story.clock(promise).deadline == before + HOUR / 2 * stands
    assert [each.reason for each in story.clock(promise).pauses] == ["waiting_for_customer"] * stands


def test_a_policy_may_let_parts_take_time_out_too() -> None:
    body = SHIPPED.model_dump(mode="json")
    for each in body["promises"]:
        for pause in each["pauses"]:
            if "when" in pause:
                pause["when"] = {"waiting_for": ["customer", "parts"]}
    story = ticket("urgent", friday(9)).then("ticket_paused", friday(9, 30), waiting_for="parts")
    [clock] = [
        each
        for each in evaluate(Policy.model_validate(body), CHINA, story.events)
        if each.promise == "on_site"
    ]
    assert clock.standing


def test_a_pause_without_a_condition_is_written_as_before() -> None:
    told = ON_SITE.model_dump(mode="json")["pauses"]
    assert ["when" in each for each in told] == [False, False, True]


def test_cancelling_ends_every_clock_of_the_ticket() -> None:
    story = Story("dispatch").then("ticket_opened", friday(9), severity="urgent", episode=1)
    story.then("ticket_assigned", friday(9), severity="urgent", same_city=True, episode=1)
    story.then("leadership_informed", friday(9)).then("ticket_cancelled", friday(9, 1), episode=1)
    clocks = evaluate(SHIPPED, CHINA, story.events)
    assert len(clocks) == 5
    assert {clock.outcome for clock in clocks} == {"cancelled"}


def test_what_was_late_when_it_was_cancelled_stays_late() -> None:
    story = ticket("urgent", friday(9)).then("ticket_cancelled", friday(12), episode=1)
    assert story.clock("on_site").outcome == "breached"


@pytest.mark.parametrize("end", ["ticket_closed", "ticket_cancelled"])
def test_a_reopened_ticket_has_clocks_of_its_own_decision_14(end: str) -> None:
    story = ticket("urgent", friday(9)).then(end, friday(10), severity="urgent", episode=1)
    story.then("ticket_reopened", friday(14), severity="urgent", episode=2)
    assert story.clock("resolution", 2).deadline == friday(14) + 24 * HOUR
    story.then("ticket_assigned", friday(14, 5), severity="urgent", same_city=True, episode=2)
    assert story.clock("on_site", 1).outcome == "cancelled"
    assert (story.clock("on_site", 2).started_at, story.clock("on_site", 2).deadline) == (
        friday(14, 5), friday(16, 5),
    )  # fmt: skip
    assert story.clock("resolution", 2).started_at == friday(14)
    assert [each.started_at for each in _all(story, "progress")][-1] == friday(14)


def _all(story: Story, promise: str) -> list[Any]:
    return [each for each in evaluate(SHIPPED, CHINA, story.events) if each.promise == promise]


def test_who_cannot_do_it_any_more_owes_no_acceptance() -> None:
    story = ticket("urgent", friday(9)).then("assignment_withdrawn", friday(9, 2))
    assert story.clock("accept").outcome == "cancelled"


def test_work_from_afar_begins_at_the_agreed_time_too_r26() -> None:
    story = ticket("general", friday(9))
    story.then("visit_agreed", friday(10), starts_at=friday(14).isoformat(), at_customers_wish=False)
    story.then("ticket_progressed", friday(13, 59), to="working", remote=True)
    assert story.clock("appointment_kept").outcome == "met"


def test_what_somebody_wrote_is_no_fact() -> None:
    assert facts_of(TicketPaused(waiting_for="customer", note="away")) == {"waiting_for": "customer"}
    assert TicketCancelled.model_fields.keys() >= {"note", "reason"}


# The oracle: seconds, counted one episode at a time, that know nothing of policies, pauses and folds.


@dataclass(frozen=True)
class Lived:
    """One episode as it was lived: (what, seconds since it was assigned)."""

    steps: tuple[tuple[str, int], ...]


@st.composite
def episodes(draw: st.DrawFn) -> Lived:
    """Any lawful sequence: waiting, going on, trying, rejecting; then arrived or not, then an end or none."""
    at, steps = 0, []
    waits: str | None = None
    for _ in range(draw(st.integers(0, 8))):
        at += draw(st.integers(1, 4000))
        if waits is None:
            waits = draw(st.sampled_from(["customer", "parts", "tries", "vendor"]))
            steps.append((waits, at))
        else:
            steps.append(("rejects" if waits == "tries" else "goes on", at))
            waits = None
    for last in draw(st.sampled_from([(), ("arrives",), ("closes",), ("cancels",), ("arrives", "closes")])):
        at += draw(st.integers(1, 4000))
        steps.append((last, at))
    return Lived(tuple(steps))


def counted(lived: Lived, allowance: int) -> tuple[str, int | None]:
    """The outcome, and when the time was or would be used up; None while nobody knows."""
    left, since, stands = allowance, 0, False
    due: int | None = None
    for what, at in lived.steps:
        if not stands:
            if due is None and at - since > left:
                due = since + left
            left = max(left - (at - since), 0)
        since = at
        if what in ("arrives", "closes", "cancels"):
            late = due is not None
            return ("breached" if late else "met" if what == "arrives" else "cancelled"), due
        stands = what in ("customer", "tries")
    return "running", None if stands and due is None else due if due is not None else since + left


_EVENTS = {
    "customer": ("ticket_paused", {"waiting_for": "customer"}),
    "parts": ("ticket_paused", {"waiting_for": "parts"}),
    "vendor": ("ticket_paused", {"waiting_for": "vendor"}),
    "goes on": ("ticket_resumed", {"to": "accepted"}),
    "tries": ("ticket_resolved", {}),
    "rejects": ("result_rejected", {}),
    "arrives": ("engineer_arrived", {}),
    "closes": ("ticket_closed", {}),
    "cancels": ("ticket_cancelled", {}),
}


def told(lived: list[Lived]) -> Iterator[tuple[Story, list[datetime]]]:
    story, starts = Story("dispatch"), []
    now = friday(9)
    for number, each in enumerate(lived, start=1):
        if number > 1:
            story.then("ticket_reopened", now, severity="urgent", episode=number)
        story.then("ticket_assigned", now, severity="urgent", same_city=True, episode=number)
        starts.append(now)
        for what, at in each.steps:
            kind, facts = _EVENTS[what]
            named = {"episode": number} if what in ("tries", "rejects", "closes", "cancels") else {}
            story.then(kind, starts[-1] + timedelta(seconds=at), **facts, **named)
        now = story.events[-1].at + timedelta(hours=3)
    yield story, starts


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        episodes().filter(lambda each: each.steps and each.steps[-1][0] in ("closes", "cancels")), max_size=2
    ),
    episodes(),
)
def test_the_fold_agrees_with_an_oracle_that_counts_seconds(ended: list[Lived], last: Lived) -> None:
    lived = [*ended, last]
    [(story, starts)] = told(lived)
    for number, (each, start) in enumerate(zip(lived, starts, strict=True), start=1):
        clock = story.clock("on_site", number)
        outcome, due = counted(each, 2 * 3600)
        assert (clock.started_at, clock.outcome) == (start, outcome)
        if outcome == "running" and due is None:
            assert clock.standing
        elif due is not None:
            assert clock.deadline == start + timedelta(seconds=due)


@pytest.mark.parametrize("end", ["ticket_closed", "ticket_cancelled"])
def test_what_comes_after_an_end_belongs_to_the_next_episode(end: str) -> None:
    story = Story("dispatch").then(end, friday(9)).then("owner_changed", friday(10))
    assert {number: len(events) for number, events in runs(story.events).items()} == {1: 1, 2: 1}
