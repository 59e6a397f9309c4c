"""Calendars over HTTP: for programs as JSON, for people as pages at the same addresses."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, File, Form, Query, Request, Response, UploadFile
from pydantic import AwareDatetime

from shared.events.terms import Code
from shared.http.auth import Caller, Role, allow
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.readers import wants_page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from sla_monitor.calendars import pages, store
from sla_monitor.calendars.actions import publish
from sla_monitor.calendars.answers import (
    CalendarShown,
    CalendarWithVersions,
    DayForm,
    DayShown,
    HeadShown,
    How,
    NewVersion,
    Proposal,
    Sum,
    VersionShown,
)
from sla_monitor.calendars.countries import holidays_of
from sla_monitor.calendars.ics import LARGEST_FILE, Marks
from sla_monitor.calendars.reading import load, with_file
from sla_monitor.calendars.versions import FIRST_YEAR, LAST_YEAR, Version, compare, in_force
from sla_monitor.policies.store import load_rulebook

READERS: Final[tuple[Role, ...]] = ("operations", "dispatcher", "admin")
EDITORS: Final[tuple[Role, ...]] = ("operations", "admin")
_SEEN: Final = [Depends(allow(*READERS))]
_CHANGED: Final = [Depends(allow(*EDITORS))]

Year = Annotated[int, Query(ge=FIRST_YEAR, le=LAST_YEAR)]
Number = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="A version; else the one in force.")]

router = APIRouter(route_class=ServiceRoute)


@router.get("/calendars", dependencies=_SEEN, response_model=list[CalendarShown])
async def calendars(request: Request, tx: ReadTx, viewer: Caller) -> list[CalendarShown] | Response:
    """Every calendar by name."""
    warnings = await store.load_warnings(tx, tx.now)
    policy = (await load_rulebook(tx)).at(tx.now).policy
    shown = [
        CalendarShown.of(heads, in_force(heads, tx.now), policy, warnings)
        for heads in (await store.load_heads(tx)).values()
    ]
    return pages.overview(request, viewer, shown) if wants_page(request) else shown


@router.get("/calendars/{name}", dependencies=_SEEN, response_model=CalendarWithVersions)
async def calendar(
    request: Request,
    tx: ReadTx,
    viewer: Caller,
    name: Code,
    response: Response,
    asked: Annotated[pages.Asked, Query()],
) -> CalendarWithVersions | Response:
    """A calendar with its versions; its ETag is what publishing another one asks for."""
    heads, version = await load(tx, name, asked.version)
    warnings = await store.load_warnings(tx, tx.now)
    policy = (await load_rulebook(tx)).at(tx.now).policy
    shown = CalendarShown.of(heads, in_force(heads, tx.now), policy, warnings)
    if wants_page(request):
        return pages.one(request, tx, viewer, shown, heads, version, asked)
    show_version(response, shown.last)
    return CalendarWithVersions(**dict(shown), versions=[HeadShown.of(head) for head in heads])


@router.get("/calendars/{name}/days", dependencies=_SEEN)
async def days(tx: ReadTx, name: Code, year: Year, version: Number = None) -> list[DayShown]:
    """Every day of a year: worked, free, a holiday, a make-up working day, or worked at other hours."""
    _, found = await load(tx, name, version)
    return DayShown.all(found.content, year)


@router.get("/calendars/{name}/versions/{version}", dependencies=_SEEN)
async def one_version(tx: ReadTx, name: Code, version: int) -> VersionShown:
    """All that a version says; changed, it can be published as another one."""
    if not 1 <= version < 2**31:
        raise store.NoSuchCalendar(name=name)
    return VersionShown.whole(await store.load_version(tx, name, version))


@router.post("/calendars/{name}/versions", status_code=201, dependencies=[*_CHANGED, Depends(idempotent())])
async def publish_version(
    tx: WriteTx, caller: Caller, name: Code, seen: IfMatch, new: NewVersion, response: Response
) -> HeadShown:
    """Publish a version, which takes effect within two minutes or at a later instant, never before.

    If-Match is the ETag of the calendar, `"0"` where there is none of this name yet.
    """
    made = await publish(tx, name, new.content(), new.valid_from, caller, seen)
    show_version(response, made.version)
    return HeadShown(zone=made.content.zone, source=made.content.source, **_head(made))


def _head(made: Version) -> dict[str, object]:
    return {name: getattr(made, name) for name in ("version", "valid_from", "digest", "made_at", "made_by")}


@router.get("/calendars/{name}/sum", dependencies=_SEEN)
async def working_sum(
    tx: ReadTx,
    name: Code,
    start: Annotated[AwareDatetime, Query(description="From 1970 on.")],
    working_seconds: Annotated[int, Query(ge=1, le=366 * 86_400)],
    version: Number = None,
) -> Sum:
    """When so much working time has passed since `start`, and how that comes about."""
    _, found = await load(tx, name, version)
    pages.check_start(start)
    return Sum.of(found.content.calendar(), start, timedelta(seconds=working_seconds))


@router.get("/countries/{country}/days", dependencies=_SEEN)
async def country_days(
    tx: ReadTx,
    country: Annotated[str, pages.Country],
    first_year: Year,
    last_year: Year,
    hours_of: Annotated[Code, Query(description="The calendar whose hours a make-up day has.")],
) -> list[DayForm]:
    """The public holidays and make-up working days of a country, as its list has them."""
    _, found = await load(tx, hours_of)
    years = pages.years_between(first_year, last_year, "query")
    _, known = await asyncio.to_thread(holidays_of, country, years, found.content)
    return [DayForm.of(each) for each in known]


@router.post("/calendars/{name}/imports", dependencies=_CHANGED, max_body_size=LARGEST_FILE + 10_000)
async def propose_import(
    tx: ReadTx,
    name: Code,
    file: Annotated[UploadFile, File(description="An iCalendar file, at most 1 MiB and 5,000 entries.")],
    first_year: Annotated[int, Form(ge=FIRST_YEAR, le=LAST_YEAR)],
    last_year: Annotated[int, Form(ge=FIRST_YEAR, le=LAST_YEAR)],
    how: Annotated[How, Form()] = "add",
    words: Annotated[
        list[str] | None, Form(max_length=20, description="Which mark a working day; else the usual ones.")
    ] = None,
) -> Proposal:
    """What the calendar would say with the days of a file, to be looked at and published."""
    _, found = await load(tx, name)
    marks = Marks(words=tuple(words)) if words else Marks()
    years = pages.years_between(first_year, last_year, "body")
    fresh, left_out = await with_file(found.content, file, years, marks, how)
    return Proposal.of(fresh, compare(found.content, fresh), left_out)
