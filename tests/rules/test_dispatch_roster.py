"""Shifts, and the first time that work fits into somebody's day (R38, R40)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatch.organisation.roster import Hours, Interval, OtherDay, Shift, Working, earliest, joined
from shared.i18n import ZONE

WEEK = ("mon", "tue", "wed", "thu", "fri")
OFFICE = Shift(code="office", weekly=(Working(days=WEEK, hours=(Hours(begins="09:00", ends="18:00"),)),))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """November 2026: the 23rd is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


def hours(*days: int) -> tuple[Interval, ...]:
    return tuple((at(day, 9), at(day, 18)) for day in days)


def test_a_week_has_its_days() -> None:
    assert OFFICE.intervals(at(20, 12), at(24, 12)) == hours(20, 23, 24)


def test_a_night_shift_of_yesterday_is_not_over() -> None:
    night = Shift(code="n", weekly=(Working(days=("sun",), hours=(Hours(begins="22:00", ends="06:00"),)),))
    assert night.intervals(at(23, 3), at(23, 12)) == ((at(22, 22), at(23, 6)),)


def test_other_days_take_the_place_of_the_week() -> None:
    """调休: a working Sunday, and the Monday off for it."""
    other = (OtherDay(day=at(22, 0).date(), hours=OFFICE.weekly[0].hours), OtherDay(day=at(23, 0).date()))
    assert OFFICE.model_copy(update={"other_days": other}).intervals(at(21, 0), at(25, 0)) == hours(22, 24)


def test_around_the_clock_is_one_stretch() -> None:
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    whole = Shift(code="w", weekly=(Working(days=days, hours=(Hours(begins="00:00", ends="24:00"),)),))
    assert len(whole.intervals(at(20, 0), at(27, 0))) == 1


@pytest.mark.parametrize("told", ["9:00", "24:01", "12:60", "noon", "", "09:00:00"])
def test_a_time_of_day_that_is_none_is_refused(told: str) -> None:
    with pytest.raises(ValidationError):
        Hours(begins=told, ends="18:00")


def test_the_whole_of_the_work_is_looked_at_and_not_its_beginning() -> None:
    leave = [(at(23, 11), at(23, 15))]
    found = earliest(at(23, 9), timedelta(hours=4), at(27, 0), hours(23, 24), leave)
    assert found == at(24, 9)  # 09:00 is free, but not for four hours; after 15:00 only three are left


def test_who_cannot_begin_in_time_cannot() -> None:
    assert earliest(at(21, 9), timedelta(hours=1), at(21, 12), hours(23), ()) is None


STEP = timedelta(minutes=30)
ZERO = datetime(2026, 11, 23, tzinfo=UTC)
SPAN = st.tuples(st.integers(0, 40), st.integers(1, 12)).map(
    lambda each: (ZERO + each[0] * STEP, ZERO + (each[0] + each[1]) * STEP)
)


def meets(one: Interval, other: Interval) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@given(
    st.one_of(st.none(), st.lists(SPAN, max_size=4)),
    st.lists(SPAN, max_size=4),
    st.integers(0, 10),
    st.integers(1, 8),
    st.integers(0, 50),
)
def test_the_earliest_time_is_what_trying_every_one_finds(
    working: list[Interval] | None, busy: list[Interval], since: int, length: int, latest: int
) -> None:
    work = None if working is None else joined(working)
    tried = (ZERO + number * STEP for number in range(since, latest + 1))
    expected = next(
        (
            begins
            for begins in tried
            if (work is None or any(a <= begins and begins + length * STEP <= b for a, b in work))
            and not any(meets((begins, begins + length * STEP), each) for each in busy)
        ),
        None,
    )
    found = earliest(ZERO + since * STEP, length * STEP, ZERO + latest * STEP, work, joined(busy))
    assert found == expected
