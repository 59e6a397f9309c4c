"""What calendars are called where people read them, and their times by the clocks of their zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, get_day_names, get_month_names

from shared.i18n import N_
from shared.i18n.language import current_language
from sla_monitor.calendars.answers import Hours
from sla_monitor.calendars.rules import Window

KINDS: Final = {
    "work": N_("working day"),
    "off": N_("free"),
    "holiday": N_("holiday"),
    "make_up": N_("make-up working day"),
    "other_hours": N_("other hours"),
}
PROVENANCES: Final = {
    "announced": N_("announced"),
    "statutory": N_("by law, still to be announced"),
    "entered": N_("entered by a person"),
    "imported": N_("imported from a file"),
}


def month(number: int) -> str:
    name: str = get_month_names("wide", "stand-alone", current_language().locale)[number]
    return name


def weekday(number: int, width: Literal["abbreviated", "narrow", "wide"] = "wide") -> str:
    """0 is Monday."""
    name: str = get_day_names(width, "stand-alone", current_language().locale)[number]
    return name


def day(value: date) -> str:
    """With its weekday: who plans thinks in weeks."""
    return format_date(value, "full", current_language().locale)


def moment(instant: datetime, zone: str) -> str:
    """Day and time as clocks in `zone` show them."""
    locale = current_language().locale
    pattern = "y年M月d日 EEE HH:mm" if locale.language == "zh" else "EEE d MMM y, HH:mm"
    return format_datetime(instant.astimezone(ZoneInfo(zone)), pattern, locale=locale)


def hours(windows: Iterable[Window | Hours]) -> str:
    """09:00–12:00, 13:00–18:00; nothing where nobody works."""
    shown = (Hours.of(each) if isinstance(each, Window) else each for each in windows)
    return ", ".join(f"{each.opens}–{each.closes}" for each in shown)
