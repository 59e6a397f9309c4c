"""The working days of mainland China: public holidays off, make-up working days (调休) on.

Read where a calendar version is made, never while serving: the library behind it is large.
"""

from __future__ import annotations

from datetime import time
from importlib.metadata import version
from typing import Final

from sla_monitor.calendars.rules import ExceptionalDay, window

ZONE: Final = "Asia/Shanghai"
OFFICE_HOURS: Final = (window(time(9), time(18)),)
WEEK: Final = (OFFICE_HOURS,) * 5 + ((),) * 2


def chinese_days(first_year: int, last_year: int) -> tuple[str, tuple[ExceptionalDay, ...]]:
    """The source with its version, and the exceptional days of the years, both included."""
    from holidays.countries.china import China

    years = range(first_year, last_year + 1)
    known = China(years=years, language="zh_CN")  # type: ignore[no-untyped-call]
    made_up = {day for day in known.weekend_workdays if day.year in years}
    announced = {day.year for day in made_up}
    days = [
        ExceptionalDay(day, (), name, "announced" if day.year in announced else "statutory")
        for day, name in known.items()
        if day not in made_up and day.weekday() < 5
    ]
    days += [ExceptionalDay(day, OFFICE_HOURS, "调休上班", "announced") for day in made_up]
    source = f"PyPI holidays {version('holidays')}, country CN"
    return source, tuple(sorted(days, key=lambda each: each.day))
