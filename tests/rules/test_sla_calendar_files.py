"""Days from calendar files: what they say, how they recur, and what is refused."""

from __future__ import annotations

import time as stopwatch
from contextlib import suppress
from datetime import date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_monitor.calendars.chinese import WEEK, ZONE
from sla_monitor.calendars.ics import LARGEST_FILE, Marks, UnreadableCalendar, read_days
from sla_monitor.calendars.recurrence import FREQUENCIES, Budget, Recurrence, TooMuchRecurrence, occurrences
from sla_monitor.calendars.rules import Window, window
from sla_monitor.calendars.versions import Content

CHINA = Content(ZONE, WEEK, (), "test")
YEARS = range(2026, 2029)


def ics(*entries: str) -> bytes:
    """A calendar file; each entry as its lines, separated by |."""
    events = "".join(f"BEGIN:VEVENT\n{each.replace('|', chr(10))}\nEND:VEVENT\n" for each in entries)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n".replace("\n", "\r\n").encode()


def days(*entries: str, marks: Marks = Marks(), years: range = YEARS) -> dict[str, bool]:  # noqa: B008
    """Each day that a file names, and whether it is worked."""
    found = read_days(ics(*entries), years, marks, CHINA)
    return {each.day.isoformat(): bool(each.windows) for each in found.days}


# What they say.


def test_an_end_is_the_first_day_after() -> None:
    assert list(days("DTSTART;VALUE=DATE:20261001|DTEND;VALUE=DATE:20261003|SUMMARY:国庆节")) == [
        "2026-10-01",
        "2026-10-02",
    ]
    assert list(days("DTSTART;VALUE=DATE:20261001|DURATION:P2D|SUMMARY:x")) == ["2026-10-01", "2026-10-02"]
    assert list(days("DTSTART;VALUE=DATE:20261001|SUMMARY:x")) == ["2026-10-01"]
    assert list(days("DTSTART;VALUE=DATE:20261001|DTEND;VALUE=DATE:20261001")) == ["2026-10-01"]


def test_a_holiday_is_known_by_its_name_and_where_from() -> None:
    (day,) = read_days(ics("DTSTART;VALUE=DATE:20261001|SUMMARY:National\\, day"), YEARS, Marks(), CHINA).days
    assert (day.name, day.provenance, day.windows) == ("National, day", "imported", ())


def test_a_name_is_one_line_that_can_be_stored() -> None:
    entry = "DTSTART;VALUE=DATE:20261001|SUMMARY:a\\nb\x00c\x1b[31m\u202ed " + "x" * 200
    (day,) = read_days(ics(entry), YEARS, Marks(), CHINA).days
    assert day.name == ("a b c [31m d " + "x" * 200)[:100]


@pytest.mark.parametrize(
    ("entry", "worked"),
    [
        ("SUMMARY:国庆节（班）", True),
        ("SUMMARY:春节 调休", True),
        ("SUMMARY:国庆节（休）", False),
        ("SUMMARY:Make-up work", True),
        ("SUMMARY:Workers' Day", False),
        ("SUMMARY:Network outage", False),
        ("SUMMARY:x|CATEGORIES:Holiday,Work", True),
        ("SUMMARY:x|CATEGORIES:Holiday", False),
    ],
)
def test_a_mark_makes_a_working_day(entry: str, worked: bool) -> None:
    assert days(f"DTSTART;VALUE=DATE:20261010|{entry}") == {"2026-10-10": worked}


def test_marks_are_chosen() -> None:
    entry = "DTSTART;VALUE=DATE:20261010|SUMMARY:班|CATEGORIES:Turno"
    assert days(entry, marks=Marks(("turno",), in_summary=False)) == {"2026-10-10": True}
    assert days(entry, marks=Marks(("turno",), in_categories=False)) == {"2026-10-10": False}


def test_a_working_day_has_the_usual_hours_and_counts_more_than_the_holiday_around_it() -> None:
    found = read_days(
        ics("DTSTART;VALUE=DATE:20261008|DURATION:P4D|SUMMARY:休", "DTSTART;VALUE=DATE:20261010|SUMMARY:班"),
        YEARS, Marks(), CHINA,
    )  # fmt: skip
    assert [(each.day.day, each.name) for each in found.days] == [
        (8, "休"),
        (9, "休"),
        (10, "班"),
        (11, "休"),
    ]
    assert found.days[2].windows == (Window(9 * 3600, 18 * 3600),)


def test_times_of_a_day_and_other_years_are_left_out() -> None:
    entries = (
        "DTSTART:20261001T090000Z|SUMMARY:Meeting",
        "DTSTART;TZID=Asia/Shanghai:20261001T090000|SUMMARY:Meeting",
        "DTSTART;VALUE=DATE:20251231|DURATION:P2D|SUMMARY:x",
        "DTSTART;VALUE=DATE:20200101|SUMMARY:x",
        "DTSTART;VALUE=DATE:20261002|STATUS:CANCELLED|SUMMARY:x",
    )
    found = read_days(ics(*entries), YEARS, Marks(), CHINA)
    assert [each.day for each in found.days] == [date(2026, 1, 1)]
    assert found.left_out == 2


# How they recur.


def test_recurrences_reach_as_far_as_the_years_do() -> None:
    assert list(days("DTSTART;VALUE=DATE:20010501|RRULE:FREQ=YEARLY|SUMMARY:x")) == [
        "2026-05-01", "2027-05-01", "2028-05-01",
    ]  # fmt: skip
    # The fourth Thursday of November.
    rule = "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"
    assert list(days(f"DTSTART;VALUE=DATE:20201126|{rule}")) == ["2026-11-26", "2027-11-25", "2028-11-23"]


def test_single_times_are_taken_out_added_and_moved() -> None:
    entries = (
        "UID:1|DTSTART;VALUE=DATE:20260501|RRULE:FREQ=YEARLY|EXDATE;VALUE=DATE:20270501|"
        "RDATE;VALUE=DATE:20270502|SUMMARY:x",
        "UID:1|RECURRENCE-ID;VALUE=DATE:20280501|DTSTART;VALUE=DATE:20280503|SUMMARY:moved",
    )
    assert list(days(*entries)) == ["2026-05-01", "2027-05-02", "2028-05-03"]


RULES = st.builds(
    lambda frequency, parts: ";".join((f"FREQ={frequency}", *parts)),
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.lists(
        st.sampled_from(
            [
                "INTERVAL=2", "INTERVAL=5", "COUNT=1", "COUNT=7", "UNTIL=20271003", "BYMONTH=2",
                "BYMONTH=5,10", "BYMONTHDAY=1,15", "BYMONTHDAY=-1", "BYMONTHDAY=29,30", "BYDAY=MO",
                "BYDAY=SA,SU", "BYSETPOS=1", "BYSETPOS=-1,2", "WKST=SU", "WKST=MO",
            ]
        ),
        max_size=4,
        unique_by=lambda part: part.partition("=")[0].replace("UNTIL", "COUNT"),  # one end is enough
    ).map(sorted),
)  # fmt: skip
PLACED = st.sampled_from(
    [
        "FREQ=MONTHLY;BYDAY=1MO", "FREQ=MONTHLY;BYDAY=-1FR,2SU", "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYDAY=-1SU", "FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO", "FREQ=YEARLY;BYMONTH=5,9;BYDAY=1MO,3TH",
        "FREQ=YEARLY;BYYEARDAY=1,-1,60", "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
    ]
)  # fmt: skip


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.one_of(RULES, PLACED), st.dates(date(2024, 1, 1), date(2027, 12, 31)))
def test_a_rule_recurs_as_the_library_says(rule: str, start: date) -> None:
    known = rrulestr(rule, dtstart=datetime.combine(start, datetime.min.time()))
    expected = {each.date() for each in known.between(datetime(2026, 1, 1), datetime(2028, 12, 31), inc=True)}  # noqa: DTZ001
    found = days(f"DTSTART;VALUE=DATE:{start:%Y%m%d}|RRULE:{rule}|SUMMARY:x")
    assert set(found) == {each.isoformat() for each in expected}


def test_a_rule_that_never_fits_ends() -> None:
    assert days("DTSTART;VALUE=DATE:20260101|RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30") == {}
    rule = Recurrence("DAILY", months=frozenset({2}), month_days=frozenset({30}))
    with pytest.raises(TooMuchRecurrence):
        list(occurrences(rule, date(2026, 1, 1), date(2026, 1, 1), date(9999, 12, 31), Budget(10_000)))


def test_every_day_that_is_looked_at_is_counted() -> None:
    a_day = date(2026, 1, 5)
    for frequency, walked in (("DAILY", 1), ("WEEKLY", 13), ("MONTHLY", 61), ("YEARLY", 731)):
        budget = Budget(1000)
        rule = Recurrence(FREQUENCIES[frequency], positions=frozenset({1}))
        assert set(occurrences(rule, a_day, a_day, a_day, budget)) <= {a_day}
        assert 1000 - budget.days == walked


# What is refused.


@pytest.mark.parametrize(
    "entry",
    [
        "SUMMARY:no day",
        "DTSTART;VALUE=DATE:2026",
        "DTSTART;VALUE=DATE:20260230",
        "DTSTART;VALUE=DATE:20261001|DTSTART;VALUE=DATE:20261002",
        "DTSTART;VALUE=DATE:20261001|DTEND;VALUE=DATE:20260930",
        "DTSTART;VALUE=DATE:20261001|DTEND;VALUE=DATE:20991001",
        "DTSTART;VALUE=DATE:20261001|DURATION:P999999999999D",
        "DTSTART;VALUE=DATE:20261001|DURATION:-P1D",
        "DTSTART;VALUE=DATE:20261001|RRULE:BYMONTH=1",
        "DTSTART;VALUE=DATE:20261001|RRULE:FREQ=SECONDLY",
        "DTSTART;VALUE=DATE:20261001|RRULE:FREQ=YEARLY;BYHOUR=1",
        "DTSTART;VALUE=DATE:20261001|RRULE:FREQ=YEARLY;BYWEEKNO=1",
        "DTSTART;VALUE=DATE:20261001|RRULE:FREQ=YEARLY;BYMONTH=13",
        "DTSTART;VALUE=DATE:20261001|RRULE:FREQ=YEARLY;INTERVAL=0",
        "DTSTART;VALUE=DATE:20261001|RRULE:FREQ=YEARLY;COUNT=99999999999999999999",
        "DTSTART;VALUE=DATE:20261001|RRULE:FREQ=WEEKLY;BYDAY=1MO",
        "DTSTART;VALUE=DATE:20261001|RRULE:FREQ=YEARLY;UNTIL=never",
        "DTSTART;VALUE=DATE:20261001|EXDATE;VALUE=DATE:x",
        "DTSTART;VALUE=DATE:20261001|BEGIN:VALARM",
        "DTSTART;VALUE=DATE:20261001|SUMMARY:" + "x" * 20_000,
        "DTSTART;VALUE=DATE:20261001|CATEGORIES:" + "a,\n " * 30_000,
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(entry: str) -> None:
    with pytest.raises(UnreadableCalendar) as refused:
        days(entry)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n", "BEGIN:VCALENDAR".encode("utf-16"), b"BEGIN:VCALENDAR",
        b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\n" + b"x" * LARGEST_FILE, ics(*["DTSTART;VALUE=DATE:20261001"] * 5001),
    ],
)  # fmt: skip
def test_what_is_no_calendar_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableCalendar):
        read_days(raw, YEARS, Marks(), CHINA)


@pytest.mark.parametrize(
    "raw",
    [
        b"BEGIN:VCALENDAR\r\n" + b"BEGIN:A\r\n" * 50_000 + b"END:A\r\n" * 50_000 + b"END:VCALENDAR",
        b"BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:x\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        b"RRULE:FREQ=SECONDLY\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
        b"END:VCALENDAR\r\n",
        ics("DTSTART;VALUE=DATE:20261001|DESCRIPTION:" + "\\," * 400_000),
        ics("DTSTART;VALUE=DATE:20261001|ATTACH:" + "x\n " * 200_000),
    ],
)
def test_what_does_not_count_costs_no_time(raw: bytes) -> None:
    began = stopwatch.process_time()
    read_days(raw, YEARS, Marks(), CHINA)
    assert stopwatch.process_time() - began < 5


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_a_file_with_broken_bytes_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(
        ics("UID:1|DTSTART;VALUE=DATE:20261001|RRULE:FREQ=YEARLY;BYDAY=-1MO;COUNT=3|SUMMARY:x|CATEGORIES:a,b")
    )
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(15, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnreadableCalendar, TooMuchRecurrence):
        read_days(bytes(raw), YEARS, Marks(), CHINA)


def test_the_hours_of_a_working_day_are_those_of_its_weekday() -> None:
    early = (window(datetime.min.time().replace(hour=6), datetime.min.time().replace(hour=14)),)
    content = Content(ZONE, (early, *WEEK[1:5], early, ()), (), "test")
    found = read_days(
        ics("DTSTART;VALUE=DATE:20261010|DURATION:P2D|SUMMARY:班"), YEARS, Marks(), content
    ).days  # Saturday, Sunday
    assert [each.windows for each in found] == [early, early]
    assert found[1].day - found[0].day == timedelta(days=1)
