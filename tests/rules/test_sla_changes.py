"""What is stored, told and waited for when a clock is folded anew, and what a due timer means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from sla_monitor.alerts.rules import judge
from sla_monitor.clocks.rules import Clock, Outcome, Pause
from sla_monitor.clocks.rules.changes import (
    BREACH,
    CONFIRM,
    RESUME,
    Change,
    StoredClock,
    Timer,
    amend,
    begin,
    timers,
)

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
DUE = TEN + timedelta(hours=2)
NOON = DUE
MINUTE = timedelta(minutes=1)
VERSIONS = 1, 1
FOLDED = Clock(
    promise="on_site", occurrence=1, requirement="R54", rule="wall", measure="wall",
    allowance=timedelta(hours=2), severity="urgent", started_at=TEN, deadline=DUE, standing=False,
    warnings=((75, TEN + 90 * MINUTE),), pauses=(), outcome="running",
)  # fmt: skip


def fresh(folded: Clock = FOLDED, now: datetime = TEN) -> Change:
    return begin(UUID(int=1), UUID(int=2), folded, VERSIONS, now)


def stopped(outcome: Outcome, at: datetime) -> Clock:
    return replace(FOLDED, outcome=outcome, stopped_at=at, reason="dispatch.engineer_arrived")


def told(change: Change) -> list[str]:
    return [each.what for each in change.told]


RUNNING = fresh().clock
BREACHED = replace(RUNNING, outcome="breached", alerted_at=DUE + MINUTE, confirmed=True, version=2)
UNCONFIRMED = replace(BREACHED, confirmed=False)
MET = replace(RUNNING, outcome="met", stopped_at=TEN + MINUTE)
PAUSED = Pause(TEN + MINUTE, TEN + 60 * MINUTE, "customers_wish")


def amended(stored: StoredClock, folded: Clock | None, now: datetime = NOON) -> Change:
    return amend(stored, folded, VERSIONS, now)


def test_each_thing_told_is_a_version_of_its_own() -> None:
    change = fresh(stopped("met", TEN + MINUTE))
    assert [(each.what, each.version) for each in change.told] == [("started", 1), ("met", 2)]
    assert change.clock.version == 2


def test_what_has_not_changed_is_not_told() -> None:
    change = amended(RUNNING, FOLDED)
    assert change.clock == RUNNING
    assert told(change) == []


@pytest.mark.parametrize(
    ("stored", "folded", "expected"),
    [
        (RUNNING, stopped("met", DUE), ["met"]),
        (RUNNING, stopped("cancelled", TEN + MINUTE), ["cancelled"]),
        (RUNNING, stopped("breached", DUE + MINUTE), []),  # its timer alone may alert
        (RUNNING, replace(FOLDED, deadline=DUE - MINUTE), ["amended"]),
        (RUNNING, replace(FOLDED, pauses=(PAUSED,), deadline=DUE + 59 * MINUTE), ["paused"]),
        (RUNNING, None, ["cancelled"]),
        (MET, stopped("breached", DUE + MINUTE), ["amended"]),
        (MET, None, ["amended"]),
        (BREACHED, stopped("breached", DUE + MINUTE), []),
        (BREACHED, stopped("met", DUE), ["amended"]),
        (BREACHED, None, ["amended"]),
        (UNCONFIRMED, stopped("breached", DUE + MINUTE), []),  # a pause may still be on its way
    ],
)
def test_what_is_told_of_a_change(stored: StoredClock, folded: Clock | None, expected: list[str]) -> None:
    assert told(amended(stored, folded, TEN + 2 * MINUTE)) == expected


def test_a_pause_that_ends_early_is_told() -> None:
    stored = amended(RUNNING, replace(FOLDED, pauses=(PAUSED,)), TEN + 2 * MINUTE).clock
    assert stored.pause == PAUSED
    cut = replace(FOLDED, pauses=(replace(PAUSED, ends=TEN + 3 * MINUTE),))
    assert told(amended(stored, cut, TEN + 3 * MINUTE)) == ["resumed"]


def test_only_a_breach_that_was_told_and_proves_wrong_raises_the_revision() -> None:
    change = amended(BREACHED, stopped("met", DUE))
    assert change.retracts
    assert (change.clock.revision, change.clock.alerted_at, change.clock.confirmed) == (1, None, None)
    assert change.previous == "breached"
    assert amended(MET, stopped("breached", DUE + MINUTE)).clock.revision == 0


def test_a_judged_breach_stays_while_its_deadline_does_not_move_later() -> None:
    assert amended(BREACHED, FOLDED).clock.outcome == "breached"
    assert amended(BREACHED, replace(FOLDED, deadline=DUE - MINUTE)).clock.outcome == "breached"
    later = amended(BREACHED, replace(FOLDED, deadline=DUE + 60 * MINUTE))
    assert (later.clock.outcome, later.clock.revision, told(later)) == ("running", 1, ["amended"])


def test_a_deadline_that_moves_and_has_passed_as_well_takes_no_breach_back() -> None:
    moved = amended(BREACHED, replace(FOLDED, deadline=DUE + 60 * MINUTE), DUE + 61 * MINUTE)
    assert (moved.clock.outcome, moved.clock.revision, moved.retracts) == ("breached", 0, False)
    assert told(moved) == ["amended"]
    assert moved.clock.confirmed is False  # until everything up to the new deadline has been heard
    assert timers(moved.clock, ()) == (Timer(CONFIRM, DUE + 60 * MINUTE),)


def test_what_was_cancelled_and_never_begun_follows_from_history() -> None:
    cancelled = amended(RUNNING, stopped("cancelled", TEN + MINUTE)).clock
    gone = amended(cancelled, None)
    assert (gone.clock.outcome, gone.clock.reason, told(gone)) == ("cancelled", "withdrawn", [])
    assert amended(gone.clock, None, NOON + MINUTE).clock == gone.clock


# Timers.


def test_a_running_clock_waits_for_its_warnings_and_its_deadline() -> None:
    assert timers(RUNNING, FOLDED.warnings) == (Timer(75, TEN + 90 * MINUTE), Timer(BREACH, DUE))
    assert timers(replace(RUNNING, warned=75), FOLDED.warnings) == (Timer(BREACH, DUE),)


def test_a_paused_clock_waits_for_the_end_of_its_pause() -> None:
    assert Timer(RESUME, TEN + 60 * MINUTE) in timers(replace(RUNNING, pause=PAUSED), ())


def test_a_standing_clock_waits_for_no_instant() -> None:
    assert timers(replace(RUNNING, standing=True), ()) == ()


def test_what_ended_in_time_is_not_looked_at_again_and_what_ended_late_once() -> None:
    late = amended(RUNNING, stopped("breached", DUE + MINUTE)).clock
    assert timers(MET, FOLDED.warnings) == ()
    assert timers(late, FOLDED.warnings) == (Timer(BREACH, DUE),)
    assert timers(BREACHED, FOLDED.warnings) == ()
    assert timers(UNCONFIRMED, FOLDED.warnings) == (Timer(CONFIRM, DUE),)


# Verdicts.


def verdicts(clock: StoredClock, *due: int, heard: bool = True, now: datetime = DUE + MINUTE) -> list[str]:
    return [each.what for each in judge(clock, due, heard, now)]


def test_a_warning_is_given_once_and_not_after_the_deadline() -> None:
    assert verdicts(RUNNING, 75, now=TEN + 90 * MINUTE) == ["warned"]
    assert verdicts(replace(RUNNING, warned=75), 75, now=TEN + 90 * MINUTE) == []
    assert verdicts(RUNNING, 75, now=DUE) == []
    assert verdicts(RUNNING, 75, BREACH) == ["breached"]


def test_of_several_warnings_the_highest_is_given() -> None:
    (verdict,) = judge(RUNNING, [50, 75, 90], True, TEN + 110 * MINUTE)
    assert verdict.clock.warned == 90


def test_a_breach_is_confirmed_when_everything_was_heard_and_not_because_the_end_is_known() -> None:
    late = amended(RUNNING, stopped("breached", DUE + MINUTE)).clock
    for clock in (RUNNING, late):
        for heard in (True, False):
            (verdict,) = judge(clock, [BREACH], heard, DUE + MINUTE)
            assert verdict.clock.confirmed is heard
            assert verdict.clock.alerted_at == DUE + MINUTE


def test_a_breach_is_told_once() -> None:
    assert verdicts(BREACHED, BREACH) == []
    assert verdicts(UNCONFIRMED, CONFIRM) == ["confirmed"]
    assert verdicts(UNCONFIRMED, CONFIRM, heard=False) == []


def test_what_was_kept_is_never_breached_by_a_timer() -> None:
    assert verdicts(MET, 75, BREACH) == []


def test_a_pause_that_is_over_is_told_before_what_follows() -> None:
    stored = replace(RUNNING, pause=PAUSED)
    found = judge(stored, [RESUME, 75], True, TEN + 90 * MINUTE)
    assert [(each.what, each.clock.version) for each in found] == [("resumed", 2), ("warned", 3)]
