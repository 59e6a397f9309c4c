"""The pages of calendars: a year as twelve months, its editor, and the sum of working time."""

from __future__ import annotations

from calendar import Calendar as Months
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Final

from fastapi import Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from shared.db import Tx
from shared.http.auth import Principal
from shared.http.pages import page
from shared.http.problem import InvalidInput, invalid
from shared.i18n.language import N_
from sla_monitor.calendars import words
from sla_monitor.calendars.answers import CalendarShown, ContentForm, DayShown, Sum
from sla_monitor.calendars.rules import instant_of
from sla_monitor.calendars.store import Head
from sla_monitor.calendars.versions import (
    FIRST_YEAR,
    LAST_YEAR,
    Content,
    Difference,
    Version,
    compare,
    is_confirmed,
    provenances,
)
from sla_monitor.scope import is_limited

MOST_YEARS: Final = 30  # of a country or a file at once
Country = Path(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$", description="ISO 3166.", examples=["CN", "DE-BY"])


def years_between(first: int, last: int, source: str) -> range:
    """Both included; `source` is where the years were named, as in `invalid`."""
    if not first <= last < first + MOST_YEARS:
        detail = N_("The first year or later, at most {years} years")
        raise invalid(source, ("last_year",), detail, "years", years=MOST_YEARS)
    return range(first, last + 1)


def check_start(start: datetime) -> None:
    """Refuse what lies outside of the years of calendars."""
    if not FIRST_YEAR <= start.year < LAST_YEAR:
        raise out_of_years("query", "start")


def out_of_years(source: str, name: str) -> InvalidInput:
    """A day or an instant that no calendar knows."""
    detail = N_("Between {first} and {last}")
    return invalid(source, (name,), detail, "out_of_range", first=FIRST_YEAR, last=LAST_YEAR)


class Asked(BaseModel):
    """What of a calendar is to be seen; the sum of working time where a start is named."""

    model_config = ConfigDict(extra="ignore")

    year: Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)] | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    start: datetime | None = Field(default=None, description="By the clocks of the calendar's zone.")
    hours: Annotated[float, Field(gt=0, le=366 * 24)] = 8.0


@dataclass(frozen=True, slots=True)
class Month:
    """Weeks from Monday on; None where a day belongs to another month."""

    number: int
    weeks: Sequence[Sequence[DayShown | None]]


@dataclass(frozen=True, slots=True)
class Draft:
    """A version that somebody is making: what it says, and what it changes.

    seen      the calendar's last version when it was begun, 0 for a new calendar
    problem   why the last step was not taken
    left_out  entries of an imported file that name times of a day
    """

    content: Content
    difference: Difference
    seen: int
    problem: str = ""
    left_out: int = 0

    @property
    def as_json(self) -> str:
        return ContentForm.of(self.content).model_dump_json()


def months_of(content: Content, year: int) -> list[Month]:
    """A year to be hung on the wall."""
    days = {each.day: each for each in DayShown.all(content, year)}
    return [
        Month(
            number,
            [
                [days[date(year, number, day)] if day else None for day in week]
                for week in Months().monthdayscalendar(year, number)
            ],
        )
        for number in range(1, 13)
    ]


def overview(request: Request, viewer: Principal, shown: Sequence[CalendarShown]) -> Response:
    """All calendars."""
    return page(request, "calendars.html", calendars=shown, may_change=_may_change(viewer))


def one(
    request: Request,
    tx: Tx,
    viewer: Principal,
    shown: CalendarShown,
    heads: Sequence[Head],
    version: Version,
    asked: Asked,
) -> Response:
    """A year of a calendar as it is published, and where asked for the sum of working time."""
    calendar = version.content.calendar()
    year = asked.year or calendar.local(tx.now).year
    total = None
    if asked.start is not None:
        check_start(asked.start)
        naive = asked.start.replace(tzinfo=None)
        seconds = (naive - datetime.combine(naive.date(), datetime.min.time())) // timedelta(seconds=1)
        start = instant_of(calendar, naive.date(), seconds)
        total = Sum.of(calendar, start, timedelta(hours=asked.hours))
    draft = Draft(version.content, compare(version.content, version.content), shown.last)
    return _render(
        request,
        viewer,
        draft,
        year,
        shown=shown,
        name=shown.name,
        heads=heads,
        version=version,
        asked=asked,
        total=total,
        drafted=False,
    )


def drafted(
    request: Request, viewer: Principal, name: str, draft: Draft, year: int, status_code: int = 200
) -> Response:
    """The same year as it would be, with what would change marked."""
    return _render(
        request,
        viewer,
        draft,
        year,
        status_code=status_code,
        shown=None,
        name=name,
        heads=(),
        version=None,
        asked=Asked(),
        total=None,
        drafted=True,
    )


def _render(
    request: Request, viewer: Principal, draft: Draft, year: int, *, status_code: int = 200, **more: object
) -> Response:
    content = draft.content
    return page(
        request,
        "calendar.html",
        status_code=status_code,
        year=year,
        years=(FIRST_YEAR, LAST_YEAR),
        draft=draft,
        changed={each.day for each in draft.difference.days},
        content=content,
        months=months_of(content, year),
        confirmed=is_confirmed(provenances(content.days), year),
        words=words,
        may_change=_may_change(viewer),
        **more,
    )


def _may_change(viewer: Principal) -> bool:
    return bool(viewer.roles & {"operations", "admin"}) and not is_limited(viewer)
