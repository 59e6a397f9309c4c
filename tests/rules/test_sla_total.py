"""Whatever the known events say, in whichever order they come, the fold has an answer, and a storable one."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.samples import sample
from shared.events import Payload
from shared.events.dispatch import TicketAssigned, VisitAgreed
from shared.events.terms import Channel, Severity
from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks.consumers import READ, facts_of
from sla_monitor.clocks.rules import Happening, evaluate, explain
from sla_monitor.clocks.rules.history import kind_of
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.shipped import SHIPPED

CHINA = Calendar(ZONE, WEEK, {each.day: each.windows for each in chinese_days(2026, 2027)[1]})
BEGIN = datetime(2026, 11, 20, tzinfo=UTC)


def everything() -> Policy:
    """The shipped policy with all its options: whatever can be promised is."""
    body: dict[str, Any] = copy.deepcopy(SHIPPED.model_dump(mode="json"))
    for promise in body["promises"]:
        promise["enabled"] = True
        for case in promise["cases"]:
            if case["target"]["kind"] == "by_hours":
                case["target"]["carry"] = True
            elif case["target"]["kind"] == "wall" and promise["code"] == "resolution":
                case["target"]["kind"] = "working"
    return Policy.model_validate(body)


POLICIES = (SHIPPED, everything())

INSTANTS = st.one_of(
    st.just(datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),  # an hour later there is no date any more
    st.integers(0, 253_402_214_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.integers(0, 20_000).map(lambda minutes: BEGIN + timedelta(minutes=minutes)),
)


def varied(payload: type[Payload], draw: st.DrawFn) -> Payload:
    """A payload of that type, whose facts that decide anything are drawn."""
    data: dict[str, Any] = dict(sample(payload)["data"])
    for name, value in data.items():
        if name == "severity":
            data[name] = draw(st.sampled_from(get_args(Severity)))
        elif name == "channel":
            data[name] = draw(st.sampled_from(get_args(Channel)))
        elif name == "episode":
            data[name] = draw(st.integers(1, 3))
        elif isinstance(value, bool):
            data[name] = draw(st.booleans())
        elif name.endswith(("_at", "_time")):
            data[name] = draw(INSTANTS).isoformat()
    return payload.model_validate(data)


@st.composite
def histories(draw: st.DrawFn) -> list[Happening]:
    about = draw(st.sampled_from(["ticket", "ticket", "request", "call"]))
    known = [each for each in READ if kind_of(each.type.rpartition(".")[0]) == about]
    events = draw(st.lists(st.sampled_from(known), min_size=1, max_size=12))
    if about == "ticket":  # most of what can go wrong begins with these
        events += draw(st.lists(st.sampled_from([TicketAssigned, VisitAgreed]), max_size=6))
    happenings = []
    for number, payload in enumerate(events, start=1):
        at = BEGIN + timedelta(minutes=draw(st.integers(0, 20_000)))
        kind = payload.type.rpartition(".")[0]
        happenings.append(Happening(UUID(int=number), kind, number, at, facts_of(varied(payload, draw))))
    return happenings


@settings(max_examples=150, deadline=None)
@given(history=histories(), policy=st.sampled_from(POLICIES), data=st.data())
def test_every_history_of_known_events_has_clocks_that_can_be_stored(
    history: list[Happening], policy: Policy, data: st.DataObject
) -> None:
    now = data.draw(st.one_of(st.none(), st.integers(0, 40_000).map(lambda m: BEGIN + timedelta(minutes=m))))
    clocks = evaluate(policy, CHINA, history, now)
    keys = [(each.promise, each.occurrence) for each in clocks]
    assert len(set(keys)) == len(keys)
    for clock in clocks:
        assert clock.allowance > timedelta(0)
        assert clock.deadline >= clock.started_at
        assert (clock.outcome == "running") <= (clock.stopped_at is None)
        if clock.outcome == "met":
            assert clock.stopped_at is not None
            assert clock.stopped_at <= clock.deadline
        explain(CHINA, clock.measure, clock.started_at, clock.deadline, clock.pauses)
    again = data.draw(st.permutations(history * 2))
    assert evaluate(policy, CHINA, again, now) == clocks


@pytest.mark.parametrize("payload", READ, ids=lambda each: each.type)
def test_each_event_alone_is_a_history(payload: type[Payload]) -> None:
    kind = payload.type.rpartition(".")[0]
    told = facts_of(payload.model_validate(sample(payload)["data"]))
    evaluate(everything(), CHINA, [Happening(UUID(int=1), kind, 1, BEGIN, told)], BEGIN)
