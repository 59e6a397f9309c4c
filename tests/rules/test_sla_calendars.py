"""Working time: golden days of the Chinese calendar, and an independent slow oracle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import (
    Calendar,
    MalformedWeek,
    MalformedWindow,
    NeverOpen,
    Window,
    _year,
    add_working,
    instant_on,
    is_open,
    next_working_day,
    open_between,
    window,
    working_between,
)

HOUR = timedelta(hours=1)
CHINA = Calendar(ZONE, WEEK, {each.day: each.windows for each in chinese_days(2023, 2027)[1]})


def at(zone: str, *moment: int) -> datetime:
    return datetime(*moment, tzinfo=ZoneInfo(zone))  # type: ignore[misc,arg-type]


def shanghai(*moment: int) -> datetime:
    return at(ZONE, *moment)


# What the State Council announced (decision 2).


@pytest.mark.parametrize(
    ("year", "made_up", "off"),
    [
        (
            2024,
            "02-04 02-18 04-07 04-28 05-11 09-14 09-29 10-12",
            "01-01 02-12 02-13 02-14 02-15 02-16 04-04 04-05 05-01 05-02 05-03 06-10 09-16 09-17 "
            "10-01 10-02 10-03 10-04 10-07",
        ),
        (
            2025,
            "01-26 02-08 04-27 09-28 10-11",
            "01-01 01-28 01-29 01-30 01-31 02-03 02-04 04-04 05-01 05-02 05-05 06-02 "
            "10-01 10-02 10-03 10-06 10-07 10-08",
        ),
        (
            2026,
            "01-04 02-14 02-28 05-09 09-20 10-10",
            "01-01 01-02 02-16 02-17 02-18 02-19 02-20 02-23 04-06 05-01 05-04 05-05 06-19 09-25 "
            "10-01 10-02 10-05 10-06 10-07",
        ),
    ],
)
def test_holidays_are_off_and_make_up_days_are_on(year: int, made_up: str, off: str) -> None:
    worked = {date.fromisoformat(f"{year}-{day}") for day in made_up.split()}
    free = {date.fromisoformat(f"{year}-{day}") for day in off.split()}
    for number in range((date(year + 1, 1, 1) - date(year, 1, 1)).days):
        day = date(year, 1, 1) + timedelta(days=number)
        expected = day in worked or (day.weekday() < 5 and day not in free)
        assert bool(CHINA.windows_on(day)) == expected, day


def test_every_exceptional_day_says_where_it_is_known_from() -> None:
    source, days = chinese_days(2026, 2026)
    assert source.startswith("PyPI holidays ")
    assert {(each.name, each.provenance) for each in days} >= {
        ("国庆节", "announced"),
        ("调休上班", "announced"),
    }


# Arithmetic.


def test_the_moment_of_closing_is_closed() -> None:
    assert is_open(CHINA, shanghai(2026, 11, 20, 17, 59, 59))
    assert not is_open(CHINA, shanghai(2026, 11, 20, 18))
    assert not is_open(CHINA, shanghai(2026, 11, 20, 8, 59, 59))


def test_what_is_left_on_friday_evening_goes_on_on_monday() -> None:
    # Fri 16:30 → 18:00 is 1:30 h; the other 0:30 h are Mon 09:00 → 09:30.
    assert add_working(CHINA, shanghai(2026, 11, 20, 16, 30), 2 * HOUR) == shanghai(2026, 11, 23, 9, 30)


def test_an_amount_that_fills_the_day_ends_in_the_evening_not_in_the_morning() -> None:
    assert add_working(CHINA, shanghai(2026, 11, 20, 17), HOUR) == shanghai(2026, 11, 20, 18)


def test_nothing_is_reached_at_once() -> None:
    saturday = shanghai(2026, 11, 21, 12)
    assert add_working(CHINA, saturday, timedelta(0)) == saturday


def test_working_time_leaps_over_the_national_holiday() -> None:
    # Wed 30 Sep 17:00 → 18:00 is 1 h; 1–9 Oct are off (Thu, Fri, Mon–Wed; 3, 4 a weekend), work on Thu 8 Oct.
    assert add_working(CHINA, shanghai(2026, 9, 30, 17), 2 * HOUR) == shanghai(2026, 10, 8, 10)


def test_a_make_up_sunday_counts() -> None:
    # Sun 20 Sep 2026 is worked for the Mid-Autumn holiday.
    assert working_between(CHINA, shanghai(2026, 9, 19), shanghai(2026, 9, 21)) == 9 * HOUR


def test_the_next_working_day_is_the_next_time_a_day_begins() -> None:
    assert next_working_day(CHINA, shanghai(2026, 11, 23, 2)) == date(2026, 11, 23)  # decision 17
    assert next_working_day(CHINA, shanghai(2026, 11, 23, 2), strict=True) == date(2026, 11, 24)
    assert next_working_day(CHINA, shanghai(2026, 11, 20, 18)) == date(2026, 11, 23)
    assert next_working_day(CHINA, shanghai(2026, 9, 19, 23)) == date(2026, 9, 20)  # the make-up Sunday
    assert next_working_day(CHINA, shanghai(2026, 9, 30, 18)) == date(2026, 10, 8)


def test_a_year_ends_without_a_seam() -> None:
    nights = Calendar(ZONE, ((window(time(22), time(6)),),) * 7)
    assert working_between(nights, shanghai(2026, 12, 31, 23), shanghai(2027, 1, 1, 5)) == 6 * HOUR
    assert add_working(nights, shanghai(2026, 12, 31, 23), 9 * HOUR) == shanghai(2027, 1, 2, 0)


def test_windows_may_be_split_and_cross_midnight() -> None:
    shifts = (window(time(8), time(12)), window(time(13), time(17)), window(time(22), time(2)))
    calendar = Calendar(ZONE, (shifts,) * 7)
    assert working_between(calendar, shanghai(2026, 11, 20), shanghai(2026, 11, 21)) == 12 * HOUR
    assert list(open_between(calendar, shanghai(2026, 11, 20, 1), shanghai(2026, 11, 20, 9))) == [
        (shanghai(2026, 11, 20, 1), shanghai(2026, 11, 20, 2)),
        (shanghai(2026, 11, 20, 8), shanghai(2026, 11, 20, 9)),
    ]


def test_around_the_clock_is_wall_time() -> None:
    always = Calendar("Europe/Berlin", ((window(time(0), time(0)),),) * 7)
    begins = at("Europe/Berlin", 2026, 10, 24, 12)
    assert add_working(always, begins, 48 * HOUR) - begins.astimezone(UTC) == 48 * HOUR


# Clocks that are put forward and back.

BERLIN = Calendar("Europe/Berlin", ((window(time(1, 30), time(2, 30)), window(time(9), time(17))),) * 7)


def test_an_opening_the_clocks_skip_is_when_they_are_put_forward() -> None:
    # 29 Mar 2026, 02:00 becomes 03:00 at 01:00 UTC: open 00:30–01:00 UTC.
    assert working_between(BERLIN, at("UTC", 2026, 3, 29), at("UTC", 2026, 3, 29, 6)) == HOUR / 2
    late = Calendar("Europe/Berlin", ((window(time(2, 30), time(4)),),) * 7)
    assert list(open_between(late, at("UTC", 2026, 3, 29), at("UTC", 2026, 3, 29, 6))) == [
        (at("UTC", 2026, 3, 29, 1), at("UTC", 2026, 3, 29, 2))
    ]


def test_an_hour_that_comes_twice_begins_the_first_time() -> None:
    # 25 Oct 2026, 03:00 becomes 02:00 at 01:00 UTC; 02:30 is first shown at 00:30 UTC.
    assert list(open_between(BERLIN, at("UTC", 2026, 10, 24, 22), at("UTC", 2026, 10, 25, 6))) == [
        (at("UTC", 2026, 10, 24, 23, 30), at("UTC", 2026, 10, 25, 0, 30))
    ]


def test_a_day_the_clocks_skip_has_no_windows() -> None:
    samoa = Calendar("Pacific/Apia", ((window(time(9), time(17)),),) * 7)
    # Samoa went from 29 to 31 December 2011.
    assert instant_on(samoa, date(2011, 12, 30), time(9)) == instant_on(samoa, date(2011, 12, 31), time(0))
    begins, ends = at("Pacific/Apia", 2011, 12, 29, 12), at("Pacific/Apia", 2011, 12, 31, 12)
    assert working_between(samoa, begins, ends) == 8 * HOUR


# What makes no sense is refused.


def test_a_calendar_that_never_opens_is_refused() -> None:
    with pytest.raises(NeverOpen):
        Calendar(ZONE, ((),) * 7)
    with pytest.raises(MalformedWeek):
        Calendar(ZONE, WEEK[:5])


@pytest.mark.parametrize(
    "windows",
    [
        (Window(36_000, 36_000),),
        (Window(-1, 10),),
        (Window(86_400, 90_000),),
        (Window(0, 86_401),),
        (Window(0, 40_000), Window(39_999, 50_000)),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(windows: tuple[Window, ...]) -> None:
    with pytest.raises(MalformedWindow):
        Calendar(ZONE, (windows,) * 7)


# What was added; the walk by minutes that all of this is compared with has a file of its own.


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(0, 155_000_000).map(lambda seconds: shanghai(2023, 1, 1) + timedelta(seconds=seconds)),
    st.timedeltas(timedelta(0), timedelta(days=40)),
)
def test_what_was_added_is_what_lies_between(begins: datetime, amount: timedelta) -> None:
    assert working_between(CHINA, begins, add_working(CHINA, begins, amount)) == amount


def test_a_long_time_is_looked_up_not_walked_again() -> None:
    """An hour a week, so that a year of working time takes a human life; asked again it is found at once."""
    rare = Calendar("UTC", ((window(time(9), time(10)),), *((),) * 6))
    begins = at("UTC", 2026, 1, 1)
    expected = add_working(rare, begins, timedelta(days=366))
    made = _year.cache_info().misses
    assert add_working(rare, begins, timedelta(days=366)) == expected
    assert _year.cache_info().misses - made <= 2  # the first year and the last
    assert _year.cache_info().currsize <= 512


def test_threads_ask_at_the_same_time() -> None:
    calendar = Calendar(ZONE, WEEK, CHINA.days)
    starts = [shanghai(1990 + number % 60, 1 + number % 12, 1, 12) for number in range(240)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda start: add_working(calendar, start, 400 * HOUR), starts))
    alone = Calendar(ZONE, WEEK, CHINA.days)
    assert found == [add_working(alone, start, 400 * HOUR) for start in starts]
