"""What promises, hours and days are called where customers read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, cast
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_interval, get_timezone_gmt, get_timezone_name
from babel.lists import format_list
from babel.units import format_unit

from shared.i18n import N_, gettext
from shared.i18n.language import current_language
from sla_monitor.calendars.words import hours, weekday
from sla_monitor.policies.rules import NextWorkingDay, Simple, Wall, Working
from sla_monitor.policies.words import VALUES
from sla_monitor.service_policy.rules import Free, Weekdays, Worked

CHANNELS: Final = cast("Mapping[str, str]", VALUES["channel"])
MEANT: Final = {
    "urgent": N_("It does not work at all, or people or production are at risk."),
    "important": N_("A main function is affected; basic use is still possible for a while."),
    "general": N_("Normal use is not affected, or hardly."),
}
"""R07–R09, for customers."""
HOLIDAYS: Final = {
    "元旦": N_("New Year’s Day"),
    "农历除夕": N_("Chinese New Year’s Eve"),
    "春节": N_("Spring Festival"),
    "清明节": N_("Tomb-Sweeping Day"),
    "劳动节": N_("Labour Day"),
    "端午节": N_("Dragon Boat Festival"),
    "中秋节": N_("Mid-Autumn Festival"),
    "国庆节": N_("National Day"),
}
"""Those that the shipped calendar names; what another calendar calls its days is said as it stands there."""

# A unit, its seconds, and beyond how many of them it is used: two days stay 48 hours, as they were promised.
_UNITS: Final = (("day", 86_400, 3), ("hour", 3_600, 0), ("minute", 60, 0), ("second", 1, 0))


def length(span: timedelta) -> str:
    """In the largest unit that divides it: 48 hours, 7 days, 180 seconds as 3 minutes."""
    seconds = round(span.total_seconds())
    unit, size = next(
        (unit, size) for unit, size, beyond in _UNITS if seconds % size == 0 and seconds > beyond * size
    )
    locale = current_language().locale
    # The long Chinese form only refers to the short one, and is not found.
    form: Literal["short", "long"] = "short" if locale.language == "zh" else "long"
    return format_unit(seconds // size, f"duration-{unit}", form, locale=locale)


def within(times: Simple) -> str:
    """By when."""
    match times:
        case Wall():
            return gettext("within {length}").format(length=length(times.length))
        case Working():
            return gettext("within {length} of working time").format(length=length(times.length))
        case NextWorkingDay():
            return _next_day(times)


def _next_day(times: NextWorkingDay) -> str:
    facts = {"time": f"{times.by:%H:%M}", "length": length(times.at_least)}
    if not times.at_least:
        return gettext("by {time} on the next working day").format(**facts)
    return gettext("by {time} on the next working day, or within {length} if that is later").format(**facts)


def every(times: Simple) -> str:
    """How often."""
    match times:
        case Wall():
            return gettext("at least every {length}").format(length=length(times.length))
        case Working():
            return gettext("at least every {length} of working time").format(length=length(times.length))
        case _:
            return within(times)


def listed(names: tuple[str, ...]) -> str:
    """A, B and C."""
    return format_list(names, locale=current_language().locale)


def channels(codes: tuple[str, ...]) -> str:
    names = listed(tuple(gettext(CHANNELS[code]) for code in codes))
    return names[:1].upper() + names[1:]


def days(run: Weekdays) -> str:
    """Monday–Friday."""
    first, last = weekday(run.first), weekday(run.last)
    return first if run.first == run.last else f"{first}–{last}"


def worked(run: Weekdays) -> str:
    return hours(run.windows) if run.windows else gettext("we do not work")


def span(free: Free) -> str:
    """From the first to the last day, with the year."""
    locale = current_language().locale
    if free.first == free.last:
        return day(free.first)
    return format_interval(free.first, free.last, "yMMMd", locale=locale)


def day(value: date) -> str:
    return format_date(value, "long", locale=current_language().locale)


def holidays(names: tuple[str, ...]) -> str:
    """What a run of free days is called."""
    return (
        listed(tuple(gettext(HOLIDAYS.get(name, name)) for name in names))
        if names
        else gettext("we do not work")
    )


def make_up(found: tuple[Worked, ...]) -> str:
    """The days, each with its hours where several differ."""
    if len({each.windows for each in found}) <= 1:
        return f"{listed(tuple(day(each.day) for each in found))}: {hours(found[0].windows)}"
    return listed(tuple(f"{day(each.day)} {hours(each.windows)}" for each in found))


def zone(name: str, now: datetime) -> str:
    """China Standard Time, GMT+08:00."""
    local = now.astimezone(UTC).astimezone(ZoneInfo(name))
    locale = current_language().locale
    return f"{get_timezone_name(local, locale=locale)}, {get_timezone_gmt(local, locale=locale)}"
