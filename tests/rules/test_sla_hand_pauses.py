"""A person pauses a promise: it stands for its reason, in whatever order it is heard, and undoes nothing."""

from __future__ import annotations

import copy
import random
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.stories import CHINA, Story, call, friday, monday, request, ticket
from sla_monitor.clocks.rules import Clock, Happening, Pause, describe, evaluate, explain
from sla_monitor.clocks.rules.changes import amend, begin, timers
from sla_monitor.clocks.rules.hand import refuse_pause, standing_by_hand
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.shipped import SHIPPED

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
WHO = "0193-somebody"


def paused(
    story: Story,
    at: datetime,
    *,
    until: datetime | None = None,
    promise: str | None = None,
    reason: str = "customer_asked",
) -> Story:
    facts: dict[str, Any] = {"pause_reason": reason, "pause_note": "after the fair", "paused_by": WHO}
    facts |= {"until": until.isoformat()} if until else {}
    facts |= {"promise": promise} if promise else {}
    return said(story, "promises_paused", at, facts)


def resumed(story: Story, at: datetime, promise: str | None = None) -> Story:
    return said(
        story, "promises_resumed", at, {"resumed_by": WHO, **({"promise": promise} if promise else {})}
    )


def said(story: Story, kind: str, at: datetime, facts: dict[str, Any]) -> Story:
    number = len(story.events) + 1
    story.events.append(Happening(UUID(int=number), f"sla.{kind}", number, at, facts))
    return story


def policy(**changes: bool | None) -> Policy:
    """The shipped policy, in which these promises may be paused or not."""
    body = copy.deepcopy(SHIPPED.model_dump(mode="json"))
    for promise in body["promises"]:
        if promise["code"] in changes:
            promise["pausable"] = changes[promise["code"]]
    return Policy.model_validate(body)


def clock_of(story: Story, promise: str, under: Policy) -> Clock:
    return next(each for each in evaluate(under, CHINA, story.events) if each.promise == promise)


# Golden cases, their arithmetic beside them.


def test_what_a_person_pauses_and_resumes_is_due_so_much_later() -> None:
    """R54: 2 h. 10:00–10:30 counted (30 min), 10:30–14:00 paused, 14:00 + 1 h 30 min = 15:30."""
    story = resumed(paused(ticket("urgent", friday(10)), friday(10, 30)), friday(14))
    clock = story.clock("on_site")
    assert (clock.deadline, clock.standing) == (friday(15, 30), False)
    assert dict(clock.warnings)[50] == friday(14, 30)  # 60 min: 30 before the pause, 30 after it
    assert clock.pauses == (Pause(friday(10, 30), friday(14), "customer_asked", WHO, "after the fair"),)
    late = story.then("engineer_arrived", friday(15, 30, 1)).clock("on_site")
    assert late.outcome == "breached"


def test_a_pause_with_an_end_is_over_by_itself() -> None:
    """R54: 10:00–10:30 counted (30 min), until 12:00 paused, 12:00 + 1 h 30 min = 13:30."""
    story = paused(ticket("urgent", friday(10)), friday(10, 30), until=friday(12))
    assert (story.clock("on_site").deadline, story.clock("on_site").standing) == (friday(13, 30), False)
    early = resumed(story, friday(11))  # 11:00 + 1 h 30 min
    assert early.clock("on_site").deadline == friday(12, 30)


def test_in_working_time_only_working_time_is_paused() -> None:
    """8 h of working time, 09–18. Friday 16–17 counted (1 h), paused until Monday 10:00, + 7 h = 17:00."""
    body = copy.deepcopy(SHIPPED.model_dump(mode="json"))
    resolution = next(each for each in body["promises"] if each["code"] == "resolution")
    resolution["cases"] = [
        {"when": {}, "target": {"kind": "working", "length": "PT8H", "requirement": "R60"}}
    ]
    story = resumed(paused(ticket("general", friday(16)), friday(17)), monday(10))
    assert clock_of(story, "resolution", Policy.model_validate(body)).deadline == monday(17)


def test_two_pauses_at_once_are_paused_once() -> None:
    """R60: 24 h. By hand 10:30–11:30, the customer tries 11:00–12:00: 1 h 30 min in all, Saturday 11:30."""
    story = paused(ticket("urgent", friday(10)), friday(10, 30)).then(
        "ticket_resolved", friday(11), episode=1
    )
    resumed(story, friday(11, 30)).then("result_rejected", friday(12), episode=1)
    clock = story.clock("resolution")
    assert clock.deadline == friday(11, 30) + 24 * HOUR
    pieces = explain(CHINA, clock.measure, clock.started_at, clock.deadline, clock.pauses)
    assert [(each.why, each.by, each.note) for each in pieces if not each.counted] == [
        ("customer_asked", WHO, "after the fair"),
        ("awaiting_acceptance", None, None),
    ]


# What it does not do.


def test_a_pause_after_the_deadline_undoes_no_miss() -> None:
    story = paused(ticket("urgent", friday(10)), friday(12, 0, 1))
    clock = story.clock("on_site", now=friday(13))
    assert (clock.deadline, clock.outcome) == (friday(12), "breached")
    assert resumed(story, friday(15)).clock("on_site", now=friday(16)).deadline == friday(12)


def test_a_late_resumption_corrects_nothing() -> None:
    """It counts again when somebody says so, and not from when they could have."""
    story = paused(ticket("urgent", friday(10)), friday(11), until=friday(11, 30))
    resumed(story, friday(14))  # the pause was over by then: 60 min counted, 11:30 + 60 min
    clock = story.clock("on_site", now=friday(15))
    assert (clock.deadline, clock.outcome) == (friday(12, 30), "breached")


def test_only_the_promise_that_is_named_stands() -> None:
    story = paused(ticket("urgent", friday(10)), friday(10, 1), promise="on_site")
    standing = {each.promise for each in evaluate(SHIPPED, CHINA, story.events) if each.standing}
    assert standing == {"on_site"}
    resumed(story, friday(10, 2), promise="resolution")
    assert story.clock("on_site").standing
    resumed(story, friday(10, 3))
    assert story.clock("on_site").deadline == friday(12, 2)  # 10:01–10:03 paused


def test_work_at_the_customers_may_stand_and_a_call_or_a_reply_may_not() -> None:
    """What a policy lets a person pause, unless it says otherwise."""
    by_hand = {each.code for each in SHIPPED.promises if each.by_hand}
    assert by_hand == {"accept", "on_site", "visit_agreed", "resolution", "progress"}
    ringing = paused(call().then("call_rang", friday(10)), friday(10, 0, 1))
    assert ringing.clock("answer_call").pauses == ()
    mail = paused(request("email", friday(10)), friday(10, 1))
    assert mail.clock("first_reply").pauses == ()
    assert clock_of(mail, "first_reply", policy(first_reply=True)).standing
    site = paused(ticket("urgent", friday(10)), friday(10, 1))
    assert clock_of(site, "on_site", policy(on_site=False)).pauses == ()


def test_a_policy_from_before_says_nothing_of_it() -> None:
    """So the version that is in force keeps its digest, and code of the version before can read it."""
    assert "pausable" not in SHIPPED.model_dump_json()
    assert policy(on_site=False).promise("on_site") != SHIPPED.promise("on_site")


def test_what_a_person_says_tells_nothing_of_what_it_is_about() -> None:
    """Clocks of two machines differ a little: a pause may seem to have come first."""
    story = paused(ticket("urgent", friday(10), engineer=str(UUID(int=5))), friday(9, 59))
    assert describe(story.events).kind == "ticket"
    ringing = paused(call().then("call_rang", friday(10)), friday(9, 59))
    assert (describe(ringing.events).kind, describe(ringing.events).channel) == ("call", "phone")


def test_a_visit_wished_for_while_it_stands_is_paused_until_then() -> None:
    """Decision 5: 10:00–11:00 counted, by hand from 11:00; agreed at 14:00 for 18:00, + 1 h = 19:00."""
    story = paused(ticket("urgent", friday(10)), friday(11))
    story.then("visit_agreed", friday(14), starts_at=friday(18).isoformat(), at_customers_wish=True)
    assert resumed(story, friday(14, 30)).clock("on_site").deadline == friday(19)


# Who may.


def test_what_is_decided_cannot_be_paused() -> None:
    story = ticket("urgent", friday(10))
    for now, expected in ((friday(11), None), (friday(12), None), (friday(12, 0, 1), "decided")):
        assert refuse_pause(True, story.clock("on_site", now=now), now) == expected
    assert refuse_pause(False, story.clock("on_site"), friday(11)) == "not_pausable"
    assert refuse_pause(True, None, friday(11)) == "decided"
    met = ticket("urgent", friday(10)).then("engineer_arrived", friday(11)).clock("on_site")
    assert refuse_pause(True, met, friday(11, 30)) == "decided"


def test_one_pause_by_hand_at_a_time() -> None:
    clock = paused(ticket("urgent", friday(10)), friday(10, 30), until=friday(12)).clock("on_site")
    assert standing_by_hand(clock, friday(11)) == clock.pauses[0]
    assert refuse_pause(True, clock, friday(11)) == "paused_already"
    assert refuse_pause(True, clock, friday(12)) is None
    tried = ticket("urgent", friday(10)).then("ticket_resolved", friday(11), episode=1).clock("resolution")
    assert refuse_pause(True, tried, friday(12)) is None  # the customer tries: nobody paused it by hand


# What is stored and told.


def test_of_two_pauses_the_clock_waits_for_the_one_that_lasts() -> None:
    story = ticket("urgent", friday(10)).then("ticket_resolved", friday(11), episode=1)
    clock = paused(story, friday(11, 30), until=friday(12)).clock("resolution")
    stored = begin(UUID(int=1), UUID(int=2), clock, (1, 1), friday(11, 45)).clock
    assert stored.pause == Pause(friday(11), None, "awaiting_acceptance")
    assert timers(stored, ()) == ()  # what ends at noon leaves it standing
    both = paused(story, friday(11, 50)).clock("resolution")
    again = amend(stored, both, (1, 1), friday(11, 55)).clock
    assert again.pause is not None
    assert again.pause.by == WHO  # it can be ended by somebody


def test_a_pause_and_its_end_are_told() -> None:
    story = ticket("urgent", friday(10))
    stored = begin(UUID(int=1), UUID(int=2), story.clock("on_site"), (1, 1), friday(10)).clock
    change = amend(stored, paused(story, friday(11)).clock("on_site"), (1, 1), friday(11))
    assert [each.what for each in change.told] == ["paused"]
    assert amend(change.clock, story.clock("on_site"), (1, 1), friday(11, 5)).told == ()
    over = amend(change.clock, resumed(story, friday(12)).clock("on_site"), (1, 1), friday(12))
    assert [each.what for each in over.told] == ["resumed"]
    assert over.clock.deadline == friday(13)


# For every history.

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("dispatch.ticket_assigned", {"severity": "urgent", "same_city": True, "episode": 1}),
    ("dispatch.ticket_assigned", {"severity": "general", "same_city": True, "episode": 1}),
    ("dispatch.ticket_regraded", {"severity": "important"}),
    ("dispatch.visit_agreed", {"at_customers_wish": True, "starts_at": monday(9).isoformat()}),
    ("dispatch.engineer_arrived", {}),
    ("dispatch.ticket_resolved", {"episode": 1}),
    ("dispatch.result_rejected", {"episode": 1}),
    ("dispatch.ticket_closed", {"episode": 1}),
]
HANDS = [
    ("sla.promises_paused", {}),
    ("sla.promises_paused", {"promise": "on_site"}),
    ("sla.promises_paused", {"promise": "resolution"}),
    ("sla.promises_resumed", {}),
    ("sla.promises_resumed", {"promise": "on_site"}),
]


@st.composite
def histories(draw: st.DrawFn) -> list[Happening]:
    chosen = [KINDS[0], *draw(st.lists(st.sampled_from(KINDS), max_size=5))]
    chosen += draw(st.lists(st.sampled_from(HANDS), min_size=1, max_size=8))
    found = []
    for number, (kind, facts) in enumerate(chosen, start=1):
        at = friday(9) + timedelta(seconds=draw(st.integers(0, 200_000)))
        if kind == "sla.promises_paused":
            lasts = draw(st.one_of(st.none(), st.integers(1, 100_000)))
            until = {"until": (at + timedelta(seconds=lasts)).isoformat()} if lasts else {}
            facts = {**facts, "pause_reason": "third_party", "pause_note": "n", "paused_by": WHO, **until}
        found.append(Happening(UUID(int=number), kind, number, at, facts))
    return found


@settings(max_examples=200, deadline=None, derandomize=True)
@given(histories(), st.integers(), st.integers(0, 300_000))
def test_hand_pauses_in_any_order_of_arrival_give_the_same_clocks(
    history: list[Happening], seed: int, seconds: int
) -> None:
    now = friday(9) + timedelta(seconds=seconds)
    shuffled = history + random.Random(seed).sample(history, len(history) // 2)
    random.Random(seed).shuffle(shuffled)
    assert evaluate(SHIPPED, CHINA, shuffled, now) == evaluate(SHIPPED, CHINA, history, now)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(histories())
def test_the_proof_adds_up_and_only_pausable_promises_stand(history: list[Happening]) -> None:
    for clock in evaluate(SHIPPED, CHINA, history):
        promise = SHIPPED.promise(clock.promise)
        assert promise is not None
        assert promise.by_hand or all(each.by is None for each in clock.pauses)
        if clock.standing:
            continue
        pieces = explain(CHINA, clock.measure, clock.started_at, clock.deadline, clock.pauses)
        counted = [each.ends - each.begins for each in pieces if each.counted and each.ends]
        assert sum(counted, timedelta(0)) == clock.allowance
        assert all(a.ends == b.begins for a, b in pairwise(pieces))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(histories(), st.integers(0, 300_000))
def test_what_was_decided_before_a_pause_stays_decided(history: list[Happening], seconds: int) -> None:
    """A pause by hand moves no deadline that was over when it began."""
    begins = friday(9) + timedelta(seconds=seconds)
    facts = {"pause_reason": "other", "pause_note": "n", "paused_by": WHO}
    late = Happening(UUID(int=999), "sla.promises_paused", 999, begins, facts)
    earlier = [each for each in history if each.at < begins]
    before = {(each.promise, each.occurrence): each for each in evaluate(SHIPPED, CHINA, earlier, begins)}
    after = {
        (each.promise, each.occurrence): each for each in evaluate(SHIPPED, CHINA, [*earlier, late], begins)
    }
    assert before.keys() == after.keys()
    for key, clock in before.items():
        if clock.outcome != "running":
            assert (after[key].outcome, after[key].deadline) == (clock.outcome, clock.deadline)


@pytest.mark.parametrize("minutes", [1, 30, 89])
def test_pausing_until_an_instant_is_pausing_and_resuming_then(minutes: int) -> None:
    ends = friday(10, 30) + minutes * MINUTE
    known = paused(ticket("urgent", friday(10)), friday(10, 30), until=ends)
    said_then = resumed(paused(ticket("urgent", friday(10)), friday(10, 30)), ends)
    assert known.clock("on_site") == said_then.clock("on_site")
