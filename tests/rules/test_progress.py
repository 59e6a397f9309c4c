"""How far a consumer has come is never further than what waits in it or before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.bus.progress import Progress, recorded_at

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_nothing_is_known_before_the_queue_has_answered() -> None:
    progress = Progress()
    progress.begin()
    assert progress.until < NOON - timedelta(days=365)
    progress.emptied(NOON)
    assert progress.until == NOON


def test_what_waits_holds_it_back_and_what_is_done_carries_it_on() -> None:
    progress = Progress()
    progress.emptied(NOON)
    progress.arrived(NOON + SECOND)
    progress.arrived(NOON + 2 * SECOND)
    assert progress.until == NOON
    progress.done(1)
    assert progress.until == NOON + SECOND
    progress.done(1)
    assert progress.until == NOON + 2 * SECOND


def test_an_old_message_holds_it_back_however_late_it_comes() -> None:
    progress = Progress()
    progress.emptied(NOON)
    progress.arrived(NOON - SECOND)
    assert progress.until == NOON - SECOND


def test_what_another_left_undone_holds_it_back_though_it_comes_behind_what_is_newer() -> None:
    progress = Progress()
    progress.emptied(NOON)
    progress.arrived(NOON + 2 * SECOND)
    progress.arrived(NOON - SECOND)
    progress.done(1)
    assert progress.until == NOON - SECOND


def test_an_empty_queue_says_nothing_of_what_it_has_delivered() -> None:
    progress = Progress()
    progress.arrived(NOON)
    progress.emptied(NOON + 5 * SECOND)
    progress.done(1)
    assert progress.until == NOON


def test_what_was_not_done_is_delivered_again() -> None:
    progress = Progress()
    progress.emptied(NOON)
    progress.arrived(NOON + SECOND)
    progress.begin()
    assert progress.until == NOON
    progress.arrived(NOON + SECOND)
    progress.done(1)
    assert progress.until == NOON + SECOND


def test_a_message_was_recorded_with_its_first_event_and_a_strangers_now() -> None:
    later = NOON + SECOND
    assert recorded_at("01932f4e-9c00-7000-8000-000000000000", later) < later
    for stranger in (None, "", "nonsense", "00000000-0000-4000-8000-000000000000"):
        assert recorded_at(stranger, later) == later
