"""A first reply is awaited until somebody replies, or until nobody waits any more (R52, R53, R59)."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.stories import CHINA, friday, request
from sla_monitor.clocks.rules import evaluate
from sla_monitor.policies.shipped import SHIPPED

DUE = friday(11)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("ends", ["request_closed", "request_merged"])
@pytest.mark.parametrize(("at", "outcome"), [(DUE, "cancelled"), (DUE + SECOND, "breached")])
def test_who_does_not_wait_any_more_was_promised_a_reply_until_then(
    ends: str, at: datetime, outcome: str
) -> None:
    clock = request("email", friday(10)).then(ends, at).clock("first_reply")
    assert (clock.deadline, clock.outcome, clock.stopped_at) == (DUE, outcome, at)
    assert clock.reason == f"intake.{ends}"


@pytest.mark.parametrize("ends", ["request_closed", "request_merged"])
def test_a_reply_before_the_end_kept_it(ends: str) -> None:
    story = request("web_form", friday(10)).then("request_answered", friday(10, 30))
    clock = story.then(ends, friday(10, 40)).clock("first_reply")
    assert (clock.outcome, clock.stopped_at) == ("met", friday(10, 30))


def test_requests_that_are_two_after_all_keep_the_promise_they_had() -> None:
    story = request("email", friday(10)).then("request_merged", friday(10, 10))
    story.then("request_split", friday(10, 20))
    clock = story.clock("first_reply")
    assert (clock.started_at, clock.deadline, clock.outcome) == (friday(10), DUE, "running")
    story.then("request_merged", friday(10, 30))
    assert story.clock("first_reply").stopped_at == friday(10, 30)


def test_what_was_answered_with_the_other_one_stays_answered() -> None:
    """Whoever asked twice is answered once: the reply to the other request was one to this, too."""
    story = request("email", friday(10)).then("request_merged", friday(10, 10))
    story.then("request_answered", friday(10, 15)).then("request_split", friday(10, 20))
    clock = story.clock("first_reply")
    assert (clock.outcome, clock.stopped_at) == ("met", friday(10, 15))


@pytest.mark.parametrize(("mistaken", "outcome"), [(True, "running"), (False, "cancelled")])
def test_an_end_by_mistake_was_none_and_one_that_was_meant_stays_one(mistaken: bool, outcome: str) -> None:
    """A ticket that was cancelled as a duplicate, and is none; or a customer who comes back after weeks."""
    story = request("email", friday(10)).then("request_merged", friday(10, 1))
    story.then("request_closed", friday(10, 2)).then("request_split", friday(10, 3))
    story.then("request_reopened", friday(10, 4), mistaken=mistaken)
    clock = story.clock("first_reply")
    assert (clock.outcome, clock.deadline) == (outcome, DUE)


KINDS = ("request_merged", "request_split", "request_answered", "request_closed")


@given(st.lists(st.sampled_from(KINDS), max_size=8), st.randoms(use_true_random=False))
def test_however_often_it_is_merged_and_split_the_first_end_that_stood_counts(
    kinds: list[str], shuffled: random.Random
) -> None:
    """Reckoned the other way round: seen from the end, a split takes back the mergers before it."""
    story = request("email", friday(10))
    for minute, kind in enumerate(kinds, start=1):
        story.then(kind, friday(10, minute))
    expected: tuple[str, datetime | None] = "running", None
    was_split = False
    for minute, kind in reversed([*enumerate(kinds, start=1)]):
        if kind == "request_split":
            was_split = True
        elif kind == "request_answered":
            expected = "met", friday(10, minute)
        elif kind == "request_closed" or not was_split:
            expected = "cancelled", friday(10, minute)
    told = [*story.events, *story.events[:3]]
    shuffled.shuffle(told)
    (clock,) = evaluate(SHIPPED, CHINA, told)
    assert (clock.outcome, clock.stopped_at) == expected
