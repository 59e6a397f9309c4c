"""How far a consumer has come is never further than what waits in it or before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.bus.progress import Progress, recorded_at

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LONG_AGO = NOON - timedelta(days=365)


def idle() -> Progress:
    progress = Progress()
    progress.begin()
    progress.found(0, NOON)
    return progress


def test_nothing_is_known_before_the_queue_has_answered() -> None:
    assert Progress().until < LONG_AGO
    assert idle().until == NOON


def test_what_waits_holds_it_back_and_what_is_done_does_not_carry_it_on() -> None:
    progress = idle()
    progress.arrived(NOON - SECOND)
    assert progress.until == NOON - SECOND
    progress.done(1)
    assert progress.until == NOON


def test_what_another_left_undone_holds_it_back_though_it_comes_behind_what_is_newer() -> None:
    progress = idle()
    progress.arrived(NOON + 2 * SECOND)
    progress.arrived(NOON - SECOND)
    progress.done(1)
    assert progress.until == NOON - SECOND


def test_an_empty_queue_carries_it_on_once_what_it_had_delivered_is_done() -> None:
    progress = idle()
    progress.arrived(NOON + SECOND)
    progress.found(0, NOON + 2 * SECOND)
    progress.arrived(NOON + 3 * SECOND)
    assert progress.until == NOON
    progress.done(1)
    assert progress.until == NOON + 2 * SECOND
    progress.done(1)
    assert progress.until == NOON + 2 * SECOND


def test_while_the_queue_holds_anything_nothing_is_known() -> None:
    progress = idle()
    progress.arrived(NOON + SECOND)
    progress.found(0, NOON + SECOND)
    progress.found(3, NOON + 2 * SECOND)
    progress.done(1)
    assert progress.until < LONG_AGO
    progress.found(0, NOON + 4 * SECOND)
    assert progress.until == NOON + 4 * SECOND


def test_what_is_to_follow_follows_once_all_that_had_arrived_is_done() -> None:
    progress, followed = idle(), []
    progress.arrived(NOON - SECOND)
    progress.found(0, NOON + SECOND, lambda: followed.append("first"))
    progress.arrived(NOON + SECOND)
    assert not followed
    progress.done(1)
    assert followed == ["first"]
    progress.found(0, NOON + 2 * SECOND, lambda: followed.append("forgotten"))
    progress.found(1, NOON + 3 * SECOND, lambda: followed.append("held"))
    progress.done(1)
    assert followed == ["first"]


def test_what_was_not_done_is_delivered_again() -> None:
    progress = idle()
    progress.arrived(NOON - SECOND)
    progress.begin()
    progress.arrived(NOON - SECOND)
    assert progress.until == NOON - SECOND
    progress.done(1)
    assert progress.until == NOON


def test_a_message_was_recorded_with_its_first_event_and_a_strangers_now() -> None:
    later = NOON + SECOND
    assert recorded_at("01932f4e-9c00-7000-8000-000000000000", later) < later
    for stranger in (None, "", "nonsense", "00000000-0000-4000-8000-000000000000"):
        assert recorded_at(stranger, later) == later
