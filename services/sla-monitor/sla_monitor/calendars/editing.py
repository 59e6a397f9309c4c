"""The editor of a calendar: a form that carries a draft from step to step, until it is published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.db import Tx
from shared.errors import AftercareError
from shared.events.terms import Code
from shared.http.auth import Caller, allow
from shared.http.etag import Precondition
from shared.http.problem import invalid
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n.language import N_, explain
from sla_monitor.calendars import pages
from sla_monitor.calendars.actions import check, publish
from sla_monitor.calendars.answers import ContentForm, Hours, How
from sla_monitor.calendars.ics import LARGEST_FILE, Marks
from sla_monitor.calendars.reading import load, with_country, with_file
from sla_monitor.calendars.rules import instant_of
from sla_monitor.calendars.versions import (
    FIRST_YEAR,
    LAST_YEAR,
    Content,
    Override,
    Windows,
    compare,
    confirm,
    override,
)

LARGEST_FORM: Final = 2 * LARGEST_FILE  # a draft of 2,000 days, and a file
MOST_ROWS: Final = 400
_EDITORS: Final = [Depends(allow("operations", "admin"))]
_HOURS: Final = re.compile(r"(\d{1,2}:\d\d(?::\d\d)?)\s*[-–—~至到]\s*(\d{1,2}:\d\d(?::\d\d)?)")
_BETWEEN: Final = re.compile(r"[\s,;，；、]*")

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)


class UnreadableHours(AftercareError):
    """Write hours like 09:00-12:00, 13:00-18:00; nothing where nobody works. This cannot be read: {text}"""


class UnreadableDay(AftercareError):
    """A day to change needs a date, and a name if it is a holiday or a working day."""


class UnreadableDraft(AftercareError):
    """The draft of the calendar cannot be read any more; load the calendar again and begin anew."""


Row = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=MOST_ROWS)]
Year = Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)]


class Filled(BaseModel):
    """The form as it was filled in; `step` says which part of it counts."""

    model_config = ConfigDict(extra="ignore", arbitrary_types_allowed=True)

    step: Literal["days", "country", "file", "hours", "confirm", "publish"]
    draft: str
    seen: Annotated[int, Field(ge=0, le=2**31)]
    year: Year
    day: Row = []
    becomes: Row = []
    day_name: Row = []
    country: Annotated[str, Field(max_length=6)] = ""
    first_year: Year = FIRST_YEAR
    last_year: Year = FIRST_YEAR
    how: How = "add"
    file: UploadFile | None = None
    marks: Annotated[str, Field(max_length=500)] = ""
    marked_in: Literal["either", "summary", "categories"] = "either"
    zone: Annotated[str, Field(max_length=100)] = ""
    hours: Row = []
    valid_from: Annotated[str, Field(max_length=30)] = ""


@router.post("/calendars/{name}/draft", dependencies=_EDITORS, max_body_size=LARGEST_FORM)
async def step(
    request: Request, tx: WriteTx, caller: Caller, name: Code, filled: Annotated[Filled, Form()]
) -> Response:
    """Take one step with a draft and show what it would change; the last step publishes it."""
    content, left_out, problem = _draft_of(filled), 0, ""
    try:
        if filled.step == "publish":
            seen = Precondition(frozenset({str(filled.seen)}))
            await publish(tx, name, content, _instant(content, filled.valid_from), caller, seen)
            return RedirectResponse(f"/sla/calendars/{name}?year={filled.year}", 303)
        fresh, left_out = await _changed(content, filled)
        check(fresh)
        content = fresh
    except AftercareError as error:
        problem = _told(error)
    published = await _published(tx, name, filled.seen)
    draft = pages.Draft(
        content, compare(published or replace(content, days=()), content), filled.seen, problem, left_out
    )
    return pages.drafted(request, caller, name, draft, filled.year, 422 if problem else 200)


class Beginning(BaseModel):
    """A calendar to begin: its name, and the one whose hours and days it begins with."""

    model_config = ConfigDict(extra="ignore")

    name: Code
    like: Code


@router.post("/calendars", dependencies=_EDITORS)
async def begin(
    request: Request, tx: ReadTx, caller: Caller, filled: Annotated[Beginning, Form()]
) -> Response:
    """The draft of a new calendar; of one that is there already, its page."""
    if await _published(tx, filled.name, 1) is not None:
        return RedirectResponse(f"/sla/calendars/{filled.name}", 303)
    _, like = await load(tx, filled.like)
    draft = pages.Draft(like.content, compare(replace(like.content, days=()), like.content), 0)
    return pages.drafted(request, caller, filled.name, draft, tx.now.year)


async def _published(tx: Tx, name: str, seen: int) -> Content | None:
    """What the calendar says that a draft changes; None for a new one."""
    from sla_monitor.calendars.store import NoSuchCalendar

    if not seen:
        return None
    try:
        return (await load(tx, name))[1].content
    except NoSuchCalendar:
        return None


def _draft_of(filled: Filled) -> Content:
    """What the form carries: it was at somebody's desk, so it is checked like anything else that is sent."""
    try:
        content = ContentForm.model_validate_json(filled.draft).content()
    except ValidationError:
        raise UnreadableDraft from None
    check(content)
    return content


def _told(error: AftercareError) -> str:
    """What an error says, and of several things that are wrong with a draft the first few."""
    errors: Any = error.data.get("errors", [])
    details = [f"{each['pointer']}: {each['detail']}" for each in errors[:5]]
    return " ".join([explain(error), *details])


async def _changed(content: Content, filled: Filled) -> tuple[Content, int]:
    """The draft after a step, and how many entries of a file name times of a day."""
    match filled.step:
        case "days":
            return override(content, _overrides(filled)), 0
        case "country":
            years = pages.years_between(filled.first_year, filled.last_year, "body")
            return await with_country(content, filled.country.upper(), years), 0
        case "file" if filled.file is not None:
            years = pages.years_between(filled.first_year, filled.last_year, "body")
            return await with_file(content, filled.file, years, _marks(filled), filled.how)
        case "hours":
            week = tuple(_windows(text) for text in filled.hours)
            if len(week) != 7:
                raise UnreadableHours(text="")
            return replace(content, zone=filled.zone.strip(), week=week), 0
        case "confirm":
            return confirm(content, filled.year), 0
        case _:
            raise invalid("body", ("file",), N_("Choose a file first"), "missing")


def _marks(filled: Filled) -> Marks:
    words = tuple(word for word in re.split(r"[,，、;；\n]\s*", filled.marks.strip()) if word.strip())
    return Marks(
        words=tuple(word.strip() for word in words) or Marks().words,
        in_summary=filled.marked_in != "categories",
        in_categories=filled.marked_in != "summary",
    )


def _overrides(filled: Filled) -> Iterator[Override]:
    for day, becomes, name in zip(filled.day, filled.becomes, filled.day_name, strict=False):
        if not day.strip():
            continue
        named = name.strip()
        try:
            value = date.fromisoformat(day.strip())
        except ValueError:
            raise UnreadableDay from None
        if not FIRST_YEAR <= value.year < LAST_YEAR or (becomes != "usual" and not named):
            raise UnreadableDay
        match becomes:
            case "off" | "work" | "usual":
                yield Override(value, becomes, named)
            case _:
                raise UnreadableDay


def _windows(text: str) -> Windows:
    """Windows from what a person writes."""
    rest, found = text.strip(), []
    while rest:
        match = _HOURS.match(rest)
        if match is None:
            raise UnreadableHours(text=rest)
        try:
            opens, closes = (each.zfill(5) for each in match.groups())
            found.append(Hours(opens=opens, closes=closes).window())
        except ValidationError:
            raise UnreadableHours(text=rest) from None
        after = rest[match.end() :]
        rest = after[len(_BETWEEN.match(after)[0]) :]  # type: ignore[index]
    return tuple(found)


def _instant(content: Content, text: str) -> datetime | None:
    """The instant that a browser's field means, by the clocks of the calendar; None when it is empty."""
    if not text.strip():
        return None
    try:
        shown = datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        raise invalid("body", ("valid_from",), N_("This is no day and time"), "datetime") from None
    if not FIRST_YEAR <= shown.year < LAST_YEAR:
        raise pages.out_of_years("body", "valid_from")
    seconds = (shown - datetime.combine(shown.date(), datetime.min.time())) // timedelta(seconds=1)
    check(content)
    return instant_of(content.calendar(), shown.date(), seconds)
