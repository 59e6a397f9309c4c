"""Time is the database's; identifiers carry it and never go back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import WORST_ROUND_TRIP, ClockNotSynced, DatabaseClock, made_at, uuid7_floor, uuid7s

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
instants = st.integers(1, 253_400_000_000_000).map(lambda milliseconds: EPOCH + milliseconds * MILLISECOND)


class Monotonic:
    """The host's monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch) -> Monotonic:
    hand = Monotonic()
    monkeypatch.setattr("shared.clock.time.monotonic", hand)
    return hand


def synced(instant: datetime = NOON) -> DatabaseClock:
    clock = DatabaseClock()
    clock.set(instant)
    return clock


def test_a_clock_that_was_never_set_says_so() -> None:
    with pytest.raises(ClockNotSynced):
        DatabaseClock().now()


def test_it_goes_on_with_the_monotonic_clock(monotonic: Monotonic) -> None:
    clock = synced()
    monotonic.seconds += 2.5
    assert clock.now() == NOON + timedelta(seconds=2.5)


async def test_it_is_never_ahead_of_the_database_however_long_the_answer_took(monotonic: Monotonic) -> None:
    async def read() -> datetime:
        monotonic.seconds += 0.2
        return NOON

    clock = DatabaseClock()
    assert await clock.sync(read)
    assert clock.now() == NOON


async def test_a_slow_answer_is_better_than_none_and_worse_than_an_older_one(monotonic: Monotonic) -> None:
    async def read() -> datetime:
        monotonic.seconds += WORST_ROUND_TRIP + 0.1
        return NOON

    clock = DatabaseClock()
    assert await clock.sync(read)
    before = clock.now()
    assert not await clock.sync(read)
    assert clock.now() == before + timedelta(seconds=WORST_ROUND_TRIP + 0.1)


async def test_it_speaks_utc_whatever_the_database_speaks() -> None:
    async def read() -> datetime:
        return NOON.astimezone(None)

    clock = DatabaseClock()
    await clock.sync(read)
    assert clock.now().tzinfo is UTC


def test_identifiers_rise_also_when_the_clock_goes_back(monotonic: Monotonic) -> None:
    clock = synced()
    made = [clock.uuid7() for _ in range(5000)]
    clock.set(NOON - timedelta(hours=1))
    made += [clock.uuid7() for _ in range(5000)]
    assert all(earlier < later for earlier, later in pairwise(made))
    assert {each.version for each in made} == {7}
    assert {each.variant for each in made} == {"specified in RFC 4122"}


def test_an_identifier_tells_when_it_was_made(monotonic: Monotonic) -> None:
    assert made_at(synced(NOON + 7 * MILLISECOND).uuid7()) == NOON + 7 * MILLISECOND


@given(instants)
def test_the_floor_of_an_instant_is_below_all_that_is_made_then_and_above_all_before(
    instant: datetime,
) -> None:
    now = next(uuid7s(instant))
    before = next(uuid7s(instant - MILLISECOND))
    assert before < uuid7_floor(instant) <= now
    assert made_at(now) <= instant < made_at(now) + MILLISECOND


@given(instants)
def test_identifiers_of_one_instant_rise_and_carry_it(instant: datetime) -> None:
    made = list(islice(uuid7s(instant), 1000))
    assert all(earlier < later for earlier, later in pairwise(made))
    assert made_at(made[-1]) - made_at(made[0]) <= MILLISECOND


@given(st.lists(instants, min_size=2))
def test_identifiers_sort_as_their_milliseconds_do(several: list[datetime]) -> None:
    made = sorted(next(uuid7s(instant)) for instant in several)
    times = [made_at(each) for each in made]
    assert times == sorted(times)


@pytest.mark.parametrize(
    "identifier",
    ["0b1f1c3e-6a54-4f0e-9a51-2f0c7e6f3d11", "ffffffff-ffff-7fff-bfff-ffffffffffff", str(UUID(int=0))],
    ids=["random", "after the year 9999", "nil"],
)
def test_what_carries_no_time_is_refused(identifier: str) -> None:
    with pytest.raises(ValueError, match="UUIDv7"):
        made_at(UUID(identifier))
