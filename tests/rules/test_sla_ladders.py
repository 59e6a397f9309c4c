"""Who is told at which step, and what may be done to an alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from sla_monitor.alerts.ladder import (
    ASSIGNED,
    GROUPED,
    INFORMED,
    People,
    people_of,
    resolve,
    steps_after,
    steps_at,
)
from sla_monitor.alerts.rules import (
    Acknowledge,
    Alert,
    Assign,
    Deed,
    Refusal,
    Snooze,
    delay,
    do,
    refuse,
    wake,
)
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.policies.shipped import ON_SITE

OWNER, GUIDE, LEADER, CHIEF = (UUID(int=n) for n in range(1, 5))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICKET = Subject("ticket", None, "east", "urgent", None, None, OWNER, NOON)


def test_the_ladder_of_a_ticket_climbs_from_its_owner_to_leadership() -> None:
    assert [steps_at(ON_SITE, share) for share in (50, 75, 90, 100)] == [
        ("owner",),
        ("owner",),
        ("owner", "supervisor"),
        ("owner", "supervisor", "team_lead"),
    ]
    (last,) = steps_after(ON_SITE)
    assert (last.minutes_after, last.tell) == (60, ("team_lead", "leadership"))


def test_a_step_that_is_not_there_any_more_tells_whoever_is_accountable() -> None:
    assert steps_at(ON_SITE, 80) == steps_at(None, 33) == ("owner",)  # R24


def test_people_are_those_whom_events_named() -> None:
    latest: dict[str, dict[str, object]] = {
        ASSIGNED: {"supervisor_id": str(GUIDE)},
        GROUPED: {"leader_id": str(LEADER)},
        INFORMED: {"leader_ids": [str(CHIEF)]},
    }
    assert people_of(latest) == People(GUIDE, LEADER, (CHIEF,))
    assert people_of({ASSIGNED: {}}) == People()


def test_a_role_nobody_was_named_for_is_told_as_a_role() -> None:
    found = resolve(("owner", "supervisor", "leadership"), TICKET, People(leadership=(CHIEF, LEADER)))
    assert found == (("owner", OWNER), ("supervisor", None), ("leadership", CHIEF), ("leadership", LEADER))


def alert(
    *, retracted: bool = False, acknowledged: bool = False, snoozed_until: datetime | None = None
) -> Alert:
    return Alert(
        id=UUID(int=7),
        clock_id=UUID(int=8),
        threshold=100,
        revision=0,
        retracted=retracted,
        acknowledged_by="someone" if acknowledged else None,
        acknowledged_at=NOON if acknowledged else None,
        assigned_to=None,
        snoozed_until=snoozed_until,
        snooze_reason="r" if snoozed_until else None,
        version=3,
    )


SNOOZE = Snooze(NOON + HOUR, "the customer asked for it")


@pytest.mark.parametrize(
    ("given", "deed", "seen", "refused"),
    [
        (alert(), Acknowledge(), 3, None),
        (alert(), Acknowledge(), 2, "changed"),
        (alert(retracted=True), Acknowledge(), 3, "retracted"),
        (alert(acknowledged=True), Acknowledge(), 3, "already_acknowledged"),
        (alert(acknowledged=True), Acknowledge(), 2, "already_acknowledged"),
        (alert(acknowledged=True), SNOOZE, 3, "already_acknowledged"),
        (alert(acknowledged=True), Assign(OWNER), 3, None),
        (alert(snoozed_until=NOON + HOUR), Acknowledge(), 3, None),
    ],
)
def test_what_may_be_done(given: Alert, deed: Deed, seen: int, refused: Refusal | None) -> None:
    assert refuse(given, deed, seen) == refused


def test_acknowledging_ends_a_snooze_and_a_snooze_ends_by_itself() -> None:
    snoozed = do(alert(), SNOOZE, "me", NOON)
    assert (snoozed.snoozed_until, snoozed.snooze_reason, snoozed.version) == (NOON + HOUR, SNOOZE.reason, 4)
    acknowledged = do(snoozed, Acknowledge(), "me", NOON)
    assert (acknowledged.acknowledged_by, acknowledged.snoozed_until, acknowledged.version) == ("me", None, 5)
    assert (wake(snoozed).snoozed_until, wake(snoozed).version) == (None, 5)


def test_a_ladder_stands_as_long_as_its_alert_is_snoozed() -> None:
    assert delay(alert(), NOON + HOUR, NOON) == HOUR
    assert delay(alert(snoozed_until=NOON + HOUR), NOON + 3 * HOUR, NOON) == 2 * HOUR
