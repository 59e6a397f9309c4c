"""Leadership says that it knows of an urgent ticket: who may, and what the history tells of it (R23)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dispatch.leadership.rules import Notice, is_awaited, may_acknowledge, notice_in
from dispatch.tickets import rules
from dispatch.tickets.rules import Ticket
from shared.events.terms import Severity, Site
from shared.events.urgent import LeadershipAcknowledged

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHIEF, DEPUTY, OTHER = (UUID(int=number) for number in range(1, 4))


def ticket(severity: Severity = "urgent", state: rules.State = "assigned") -> Ticket:
    return Ticket(
        id=UUID(int=100), number=1, request_id=UUID(int=101), request_version=1, customer_id=UUID(int=102),
        customer_level="standard", kind="fault", severity=severity, difficulty=1, skills=(),
        product_line=None, site=Site(region="east", city="shanghai"), title="The line stands still",
        state=state, owner_id=OTHER, engineer_id=OTHER, supervisor_id=None, group_ids=(OTHER,),
        declined_ids=(), tier="emergency", centre="shanghai", same_city=True, episode=1, arrivals=0,
        opened_at=TEN, version=4,
    )  # fmt: skip


def informed(at: datetime, *leaders: UUID) -> dict[str, Any]:
    return {
        "what": "leadership_informed", "by": None, "at": at,
        "facts": {"leader_ids": [str(each) for each in leaders], "severity": "urgent"},
    }  # fmt: skip


def acknowledged(at: datetime, by: UUID) -> dict[str, Any]:
    return {"what": "leadership_acknowledged", "by": str(by), "at": at, "facts": {"by": str(by)}}


def test_who_was_never_informed_has_nothing_to_acknowledge() -> None:
    assert notice_in([]) is None
    assert notice_in([{"what": "ticket_opened", "by": None, "at": TEN, "facts": {}}]) is None


def test_the_history_tells_who_was_informed_and_who_acknowledged_when() -> None:
    lines = [informed(TEN, CHIEF, DEPUTY), acknowledged(TEN + MINUTE, DEPUTY)]
    assert notice_in(lines[:1]) == Notice((CHIEF, DEPUTY), TEN)
    assert notice_in(lines[::-1]) == Notice((CHIEF, DEPUTY), TEN, str(DEPUTY), TEN + MINUTE)


def test_who_is_informed_anew_is_to_acknowledge_anew() -> None:
    again = [informed(TEN, CHIEF), acknowledged(TEN + MINUTE, CHIEF), informed(TEN + 9 * MINUTE, DEPUTY)]
    assert notice_in(again[::-1]) == Notice((DEPUTY,), TEN + 9 * MINUTE)


@pytest.mark.parametrize(
    ("severity", "state", "awaited"),
    [
        ("urgent", "opened", True),
        ("urgent", "needs_decision", True),
        ("urgent", "resolved", True),
        ("urgent", "closed", False),
        ("general", "assigned", False),  # graded down meanwhile
    ],
)
def test_it_is_awaited_while_the_ticket_is_urgent_and_open(
    severity: Severity, state: rules.State, awaited: bool
) -> None:
    assert is_awaited(ticket(severity, state), Notice((CHIEF,), TEN)) is awaited
    assert not is_awaited(ticket(severity, state), Notice((CHIEF,), TEN, str(CHIEF), TEN))


def test_only_leaders_who_were_informed_may_and_administrators_for_them() -> None:
    notice = Notice((CHIEF, DEPUTY), TEN)
    assert may_acknowledge(notice, CHIEF, is_admin=False)
    assert may_acknowledge(notice, DEPUTY, is_admin=False)
    assert not may_acknowledge(notice, OTHER, is_admin=False)
    assert may_acknowledge(notice, OTHER, is_admin=True)


def test_acknowledging_is_one_version_and_one_event_and_changes_nothing_else() -> None:
    before = ticket()
    (step,) = rules.acknowledge(before, CHIEF)
    assert (step.what, step.payload) == ("leadership_acknowledged", LeadershipAcknowledged(by=CHIEF))
    changed = {name for name in Ticket.__slots__ if getattr(step.ticket, name) != getattr(before, name)}
    assert (changed, step.ticket.version) == ({"version"}, before.version + 1)
