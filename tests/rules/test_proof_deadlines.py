"""Working time against an oracle that walks minute by minute and looks at the clocks on the wall."""

from __future__ import annotations

import platform
import random
import time as stopwatch
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest

from chaos.checkers import Report
from chaos.result import Result
from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import (
    Calendar,
    NeverOpen,
    Window,
    add_working,
    is_open,
    next_working_day,
    open_between,
    working_between,
)

CLAIM = """Working time is exact to the second: what lies between two instants, when so much of it has passed,
whether an instant is worked and which working day comes next are the same as an oracle finds that walks
minute by minute and looks at the clocks on the wall; and what was added is what lies between. In twelve
zones, around the nights in which their clocks change and the day that Samoa skipped, leap days and New
Years; with split shifts, shifts over midnight, holidays and make-up working days."""
PUBLISHED = Path(__file__).parents[2] / "docs" / "proofs"
DAY, MINUTE, NOTHING = timedelta(days=1), timedelta(minutes=1), timedelta(0)
ZONES = (
    "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Asia/Tehran", "America/New_York",
    "Europe/Berlin", "Europe/London", "Asia/Shanghai", "Australia/Sydney", "America/Sao_Paulo",
    "Africa/Casablanca", "America/St_Johns",
)  # fmt: skip
LEAP_DAYS = [date(year, 2, 28) for year in (2000, 2024, 2028)]
SEAMS = [*LEAP_DAYS, *(date(year, 12, 30) for year in range(2010, 2031))]


@cache
def turns(zone: str) -> list[date]:
    """The days around which the clocks of a zone change, or have an eventful night all the same."""
    tz = ZoneInfo(zone)
    noons = [datetime(2005, 1, 1, 12, tzinfo=UTC) + number * DAY for number in range(365 * 25)]
    offsets = [noon.astimezone(tz).utcoffset() for noon in noons]
    changes = [noon.date() for noon, was, is_ in zip(noons, offsets, offsets[1:], strict=False) if was != is_]
    return [*changes, *SEAMS[:: 1 + len(changes) // 20]]


class Oracle:
    """Minutes, each open if the clocks on the wall have passed an opening, but not its closing yet."""

    def __init__(self, calendar: Calendar, first: date, days: int) -> None:
        self.begins = datetime.combine(first, time(), UTC) - 2 * DAY
        self.count = (days + 4) * 24 * 60
        tz = ZoneInfo(calendar.zone)
        walls = [(self.begins + n * MINUTE).astimezone(tz).replace(tzinfo=None) for n in range(self.count)]
        furthest = list(accumulate(walls, max))
        self.local = [wall.date() for wall in walls]
        self.starts: list[tuple[date, int]] = []
        opened = [False] * self.count
        for number in range(-4, days + 5):
            day = first + number * DAY
            midnight = datetime.combine(day, time())
            for each in calendar.days.get(day, calendar.week[day.weekday()]):
                opens = bisect_left(furthest, midnight + timedelta(seconds=each.opens))
                closes = bisect_left(furthest, midnight + timedelta(seconds=each.closes))
                if opens < closes and (not self.starts or self.starts[-1][0] != day):
                    self.starts.append((day, opens))
                opened[opens:closes] = [True] * (closes - opens)
        self.open = opened
        self.before = [0, *accumulate(opened)]

    def at(self, minute: int, seconds: int = 0) -> datetime:
        return self.begins + minute * MINUTE + timedelta(seconds=seconds)

    def up_to(self, instant: datetime) -> timedelta:
        minute, rest = divmod(instant - self.begins, MINUTE)
        return self.before[minute] * MINUTE + (rest if rest and self.open[minute] else NOTHING)

    def reach(self, begins: datetime, amount: timedelta) -> datetime | None:
        """The first instant at which `amount` has been worked; None beyond the days walked."""
        wanted = self.up_to(begins) + amount
        whole = -(-wanted // MINUTE)
        minute = bisect_left(self.before, whole)
        return None if minute > self.count else self.at(minute) - (whole * MINUTE - wanted)

    def next_day(self, instant: datetime, *, strict: bool) -> date | None:
        today = self.local[(instant - self.begins) // MINUTE]
        for day, minute in self.starts:
            if self.at(minute) > instant and (day > today or not strict):
                return day
        return None


def shifts(chance: random.Random) -> tuple[Window, ...]:
    """None, one or several windows, some of them over midnight."""
    cuts = sorted(chance.sample(range(24 * 60), 2 * chance.choice((0, 1, 1, 2, 2, 3))))
    pairs = [Window(opens * 60, closes * 60) for opens, closes in zip(cuts[::2], cuts[1::2], strict=True)]
    if chance.random() < 0.35:
        opens = chance.randrange(pairs[-1].closes // 60 if pairs else 0, 24 * 60)
        pairs.append(Window(opens * 60, opens * 60 + 60 * chance.randint(1, 24 * 60)))
    return tuple(pairs)


@cache
def chinese() -> dict[date, tuple[Window, ...]]:
    return {each.day: each.windows for each in chinese_days(2020, 2030)[1]}


def draw(chance: random.Random, days: int) -> tuple[Calendar, date]:
    """A calendar, and the first of the days on which it is asked."""
    zone = chance.choice(ZONES)
    turn = date(2005, 1, 1) + chance.randrange(9000) * DAY
    if chance.random() < 0.8:
        turn = chance.choice(turns(zone))
    first = turn - chance.randrange(min(days, 8)) * DAY
    if zone == ZONE and chance.random() < 0.5:
        around = chance.choice(sorted(chinese()))
        return Calendar(zone, WEEK, chinese()), around - chance.randrange(8) * DAY
    week = [shifts(chance) for _ in range(7)]
    week[chance.randrange(7)] = (Window(9 * 3600, 18 * 3600),)
    differing = {first + chance.randrange(days) * DAY: shifts(chance) for _ in range(chance.randrange(4))}
    return Calendar(zone, tuple(week), differing), first


@dataclass
class Tally:
    """What was asked, and where the answers differ."""

    asked: Counter[str] = field(default_factory=Counter)
    different: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def compare(self, question: str, found: object, expected: object, about: str) -> None:
        self.asked[question] += 1
        if found != expected:
            self.different[question] += 1
            self.examples.append(f"{question}: {found} instead of {expected}; {about}")

    def reports(self) -> list[Report]:
        return [
            Report(
                question,
                count,
                {"difference": self.different[question]} if self.different[question] else {},
                tuple(each for each in self.examples if each.startswith(question))[:20],
            )
            for question, count in sorted(self.asked.items())
        ]


def ask(tally: Tally, chance: random.Random, calendar: Calendar, oracle: Oracle, times: int) -> None:
    """Ask both the same, from all over the days that were walked."""
    inner = range(2 * 24 * 60, oracle.count - 2 * 24 * 60)
    for _ in range(times):
        first, last = sorted(chance.choices(inner, k=2))
        begins = oracle.at(first, chance.choice((0, 0, 1, 59)))
        ends = max(begins, oracle.at(last, chance.choice((0, 30))))
        days = calendar.days if len(calendar.days) < 9 else "as announced"
        about = f"{calendar.zone} {begins} {ends} {calendar.week} {days}"
        expected = oracle.up_to(ends) - oracle.up_to(begins)
        tally.compare("working time between", working_between(calendar, begins, ends), expected, about)
        pieces = sum((b - a for a, b in open_between(calendar, begins, ends)), NOTHING)
        tally.compare("open intervals between", pieces, expected, about)
        tally.compare("open", is_open(calendar, begins), oracle.open[first], about)
        # Often to where the last of it is worked: that is the evening before, not the morning after.
        exactly = expected > NOTHING and chance.random() < 0.4
        amount = expected if exactly else timedelta(seconds=chance.randint(1, 3 * 86_400))
        reached = oracle.reach(begins, amount)
        if reached is not None:
            found = add_working(calendar, begins, amount)
            tally.compare("reached", found, reached, f"{about} + {amount}")
            tally.compare("added lies between", working_between(calendar, begins, found), amount, about)
        for strict in (False, True):
            day = oracle.next_day(begins, strict=strict)
            if day is not None:
                tally.compare("next day", next_working_day(calendar, begins, strict=strict), day, about)


def compare_all(seed: int, calendars: int, days: int, times: int, tally: Tally) -> None:
    for number in range(calendars):
        chance = random.Random(f"{seed}/{days}/{number}")
        calendar, first = draw(chance, days)
        ask(tally, chance, calendar, Oracle(calendar, first, days), times)


def test_arithmetic_agrees_with_a_walk_by_minutes() -> None:
    tally = Tally()
    compare_all(seed=20261120, calendars=24, days=9, times=16, tally=tally)
    for report in tally.reports():
        report.assert_clean()
    assert sum(tally.asked.values()) > 2000


def test_every_zone_has_its_nights() -> None:
    nights = {zone: len(turns(zone)) for zone in ZONES}
    assert len(nights) == 12
    assert date(2011, 12, 29) in turns("Pacific/Apia")  # 30 December never was
    assert all(count > 20 for count in nights.values())


def test_the_oracle_notices_a_minute() -> None:
    calendar = Calendar("UTC", ((Window(9 * 3600, 18 * 3600),),) * 7)
    wrong = Calendar("UTC", ((Window(9 * 3600, 18 * 3600 - 60),),) * 7)
    tally = Tally()
    ask(tally, random.Random(1), wrong, Oracle(calendar, date(2026, 1, 1), 9), 10)
    assert any(not report.clean for report in tally.reports())


@pytest.mark.parametrize("year", [2031, 9998])
def test_no_year_is_too_late(year: int) -> None:
    """Beyond all that is announced, and up to the last days there are."""
    calendar = Calendar(ZONE, WEEK, chinese())
    oracle, tally = Oracle(calendar, date(year, 1, 1), 9), Tally()
    ask(tally, random.Random(year), calendar, oracle, 20)
    for report in tally.reports():
        report.assert_clean()


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "UTC"])
def test_the_last_night_of_all_years_ends(zone: str) -> None:
    nights = Calendar(zone, ((Window(20 * 3600, 30 * 3600),),) * 7)
    last = datetime(9999, 12, 31, 20, tzinfo=UTC)
    assert working_between(nights, last - 3 * DAY, last) > NOTHING
    with pytest.raises(NeverOpen):
        add_working(nights, last, 30 * DAY)
    with pytest.raises(NeverOpen):
        next_working_day(nights, datetime(9999, 12, 31, 23, 59, tzinfo=UTC))


def zone_data() -> str:
    """The release of the zones that are used: the machine's, where it has them, else the package's."""
    files = [Path(folder) / "tzdata.zi" for folder in TZPATH]
    here = next((file for file in files if file.exists()), None)
    return here.read_text().partition("\n")[0].split()[-1] if here else version("tzdata")


@pytest.mark.proof
def test_proof_deadlines() -> None:
    began, tally, seed = stopwatch.monotonic(), Tally(), 20261122
    compare_all(seed, calendars=1_200, days=9, times=16, tally=tally)
    compare_all(seed, calendars=12, days=400, times=200, tally=tally)  # over New Years and whole summers
    cases = sum(tally.asked.values())
    result = Result(
        "deadlines", CLAIM, [seed],
        {"Python": platform.python_version(), "zone data": zone_data(), "holidays": version("holidays")},
        {"calendars": 1_212, "zones": len(ZONES), "questions": cases},
        stopwatch.monotonic() - began,
        tally.reports(),
    )  # fmt: skip
    assert cases >= 100_000
    result.write(PUBLISHED)
    for report in result.reports:
        report.assert_clean()
