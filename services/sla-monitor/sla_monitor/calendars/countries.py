"""Public holidays by country, as the library knows them: what a new version may begin with.

Read where a calendar version is made, never while serving: the library behind it is large.
"""

from __future__ import annotations

from importlib.metadata import version

from shared.errors import AftercareError
from sla_monitor.calendars.rules import ExceptionalDay
from sla_monitor.calendars.versions import Content


class UnknownCountry(AftercareError):
    """No holidays are known for {country}; name a country or a part of it (ISO 3166), such as CN or DE-BY."""


def holidays_of(country: str, years: range, content: Content) -> tuple[str, tuple[ExceptionalDay, ...]]:
    """The source with its version, and the exceptional days of `years` in a country or a part of it.

    Make-up working days (调休) have the hours that `content` usually has. A year whose make-up days are
    known has been announced; any other is known by law only.
    """
    import holidays

    name, _, part = country.partition("-")
    try:
        kind = type(holidays.country_holidays(name))
        # In the country's own language, whatever the machine speaks.
        known = kind(years=years, subdiv=part or None, language=kind.default_language)
    except NotImplementedError:
        raise UnknownCountry(country=country) from None
    made_up = {day for day in known.weekend_workdays if day.year in years}
    announced = {day.year for day in made_up}
    days = [
        ExceptionalDay(day, (), name[:100], "announced" if day.year in announced else "statutory")
        for day, name in known.items()
        if day not in made_up and day.year in years
    ]
    days += [ExceptionalDay(day, content.usual_hours(day), _make_up(country), "announced") for day in made_up]
    source = f"PyPI holidays {version('holidays')}, country {country}"
    return source, tuple(sorted(days, key=lambda each: each.day))


def _make_up(country: str) -> str:
    return "调休上班" if country == "CN" else "Make-up working day"
