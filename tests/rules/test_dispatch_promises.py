"""What is owed about a ticket, and what of it comes next (R25, R54–R58, R60)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from dispatch.promises.rules import NAMES, Clock, Deadlines, Told, name_of, standing_of
from shared.events import sla
from sla_monitor.board.words import PROMISES

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
ABOUT: dict[str, Any] = {
    "about": UUID(int=1), "about_kind": "ticket", "promise": "on_site", "deadline": NOON,
}  # fmt: skip


def test_the_earliest_promise_that_runs_is_next() -> None:
    """R25."""
    owed = Deadlines(
        (Clock("accept", NOON, stands=True), Clock("on_site", NOON + HOUR), Clock("x", NOON + 2 * HOUR))
    )
    assert owed.next == ("on_site", NOON + HOUR)
    assert owed.standing is None


def test_what_stands_still_has_no_deadline_and_is_said_to_stand() -> None:
    """R58: while the customer is waited for."""
    owed = Deadlines((Clock("on_site", NOON, stands=True), Clock("resolution", NOON + HOUR, stands=True)))
    assert (owed.on_site, owed.resolution, owed.next, owed.standing) == (None, None, None, "on_site")


def test_each_promise_has_its_own_deadline_and_of_two_alike_the_earlier_counts() -> None:
    """R54, R58, R60."""
    owed = Deadlines(
        (Clock("resolution", NOON), Clock("visit_agreed", NOON + HOUR), Clock("resolution", NOON + 2 * HOUR))
    )
    assert (owed.on_site, owed.visit_agreed, owed.resolution) == (None, NOON + HOUR, NOON)


def test_nothing_promised_is_nothing_next() -> None:
    """R24."""
    assert (Deadlines().next, Deadlines().standing, Deadlines().on_site) == (None, None, None)


@pytest.mark.parametrize(
    ("told", "stands"),
    [
        (sla.ClockStarted(**ABOUT, started_at=NOON), "running"),
        (sla.ClockWarned(**ABOUT, threshold=80), "running"),
        (sla.ClockMet(**ABOUT, met_at=NOON), "met"),
        (sla.ClockBreached(**ABOUT, confirmed=False), "breached"),
        (sla.ClockPaused(**ABOUT, reason="customer"), "paused"),
        (sla.ClockResumed(**ABOUT), "running"),
        (sla.ClockCancelled(**ABOUT, reason="closed"), "cancelled"),
        (sla.ClockAmended(**ABOUT, outcome="met", previous_outcome="breached"), "met"),
        (sla.ClockAmended(**ABOUT, outcome="running", previous_outcome="breached"), "running"),
        (sla.ClockAmended(**ABOUT, outcome="running", previous_outcome="met", paused=True), "paused"),
    ],
)
def test_every_event_says_how_its_clock_stands(told: Told, stands: str) -> None:
    """R50–R60: what was told before may be amended."""
    assert standing_of(told) == stands


def test_promises_are_called_as_the_board_of_promises_calls_them() -> None:
    """R92: the same words everywhere."""
    assert {**NAMES} == PROMISES
    assert name_of("house_rule") == "house_rule"
