"""Who could do a ticket between what is planned of their day already (R20, R22)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.dispatching import EXPERT_D, JUNIOR_A, JUNIOR_B, SAMPLE, SHANGHAI
from dispatch.assignment.staff import Loads, Situation, Staff
from dispatch.board.fit import Asked, Fit, Lacking, fit_for
from dispatch.days.rules import Block, Day
from dispatch.tickets.rules import Ticket
from shared.events.terms import Severity

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICKET = Ticket(
    id=UUID(int=1), number=1, request_id=UUID(int=2), request_version=1, customer_id=UUID(int=3),
    customer_level="standard", kind="fault", severity="general", difficulty=1, skills=(), product_line=None,
    site=SHANGHAI, title="The pump makes a noise", state="needs_decision", owner_id=UUID(int=4),
    engineer_id=None, supervisor_id=None, group_ids=(), declined_ids=(), tier=None, centre=None,
    same_city=None, episode=1, arrivals=0, opened_at=NOW, version=1,
)  # fmt: skip


def fit(who: UUID, severity: Severity = "general", *blocks: Block, **asked: Any) -> Fit:
    staff = Staff.of(SAMPLE).at(Situation(now=NOW))
    day = Day(who, NOW.date(), blocks)
    told = Asked(replace(TICKET, severity=severity), **asked)
    [found] = fit_for(told, [staff.people[who]], staff, Loads(Counter(), Counter()), {who: day})
    return found


def test_whoever_has_nothing_to_do_is_there_as_soon_as_the_way_lets_them() -> None:
    found = fit(JUNIOR_A)
    assert (found.verdict, found.arrives_at, found.objections) == ("fits", NOW + HOUR, ())


def test_general_work_waits_for_what_is_planned_before_it() -> None:
    """The whole of way and work has to fit in between; what is planned for this ticket is not in its way."""
    planned = Block("work", NOW + HOUR, NOW + 4 * HOUR, UUID(int=9))
    assert fit(JUNIOR_A, "general", planned).arrives_at == NOW + 5 * HOUR
    assert fit(JUNIOR_A, "general", replace(planned, ticket_id=TICKET.id)).arrives_at == NOW + HOUR


@pytest.mark.parametrize(
    ("block", "hours"),
    [
        (Block("work", NOW + HOUR, NOW + 4 * HOUR, UUID(int=9)), 1),
        (Block("work", NOW - HOUR, NOW + HOUR, UUID(int=9)), 2),
        (Block("visit", NOW + HOUR, NOW + 4 * HOUR, UUID(int=9)), 5),
    ],
)
def test_urgent_work_goes_before_what_nobody_has_begun_or_agreed(block: Block, hours: int) -> None:
    """R22."""
    assert fit(EXPERT_D, "urgent", block).arrives_at == NOW + hours * HOUR


def test_who_is_late_is_told_by_how_much_to_the_minute() -> None:
    due = NOW + HOUR - timedelta(minutes=14)
    found = fit(JUNIOR_B, due=due)
    assert (found.verdict, found.late_by) == ("late", timedelta(minutes=14))
    assert fit(JUNIOR_B, due=NOW + HOUR).verdict == "fits"


@pytest.mark.parametrize(
    ("until", "verdict"), [(None, "lacks_parts"), (NOW + 2 * HOUR, "lacks_parts"), (NOW + HOUR, "fits")]
)
def test_parts_that_are_there_before_anybody_is_are_not_lacking(until: datetime | None, verdict: str) -> None:
    assert fit(JUNIOR_B, lacking=Lacking(until)).verdict == verdict


def test_what_refuses_weighs_more_than_what_delays() -> None:
    found = fit(JUNIOR_B, "important", due=NOW, lacking=Lacking())
    assert (found.verdict, [each.rule for each in found.objections]) == ("refused", ["below_tier"])
