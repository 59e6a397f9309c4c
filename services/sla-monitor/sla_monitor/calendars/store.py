"""Calendars as rows: every version keeps its days, so that a library upgrade never moves a past deadline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Column, Date, DateTime, FetchedValue, Integer, Table, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from shared.errors import AftercareError
from sla_monitor.calendars.rules import Calendar, ExceptionalDay, Provenance, Window
from sla_monitor.calendars.versions import LAST_YEAR, Content, Version, in_force, is_confirmed
from sla_monitor.tables import metadata


class NoSuchCalendar(AftercareError):
    """There is no calendar {name}, or it has no such version."""

    kind = "not_found"


calendar_version = Table(
    "calendar_version",
    metadata,
    Column("calendar", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("valid_from", DateTime(timezone=True), nullable=False),
    Column("zone", Text, nullable=False),
    Column("week", JSONB, nullable=False),
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), server_default=FetchedValue()),
    Column("made_by", Text),
)

calendar_day = Table(
    "calendar_day",
    metadata,
    Column("calendar", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("windows", JSONB, nullable=False),
    Column("name", Text, nullable=False),
    Column("provenance", Text, nullable=False),
)


Plain = list[list[int]]


def plain(windows: Iterable[Window]) -> Plain:
    """As JSON has it: pairs of seconds after midnight."""
    return [[each.opens, each.closes] for each in windows]


def _windows(stored: Plain) -> tuple[Window, ...]:
    return tuple(Window(opens, closes) for opens, closes in stored)


def digest_of(zone: str, week: Sequence[Plain], days: Mapping[str, Plain]) -> str:
    """The same for calendars that give the same answers, wherever they are stored."""
    content = json.dumps([zone, week, sorted(days.items())], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def rows_of(
    name: str,
    version: int,
    valid_from: datetime,
    zone: str,
    week: Sequence[tuple[Window, ...]],
    days: Sequence[ExceptionalDay],
    source: str,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row of a calendar version and the rows of its days."""
    Calendar(zone, tuple(week), {each.day: each.windows for each in days})  # refuses what makes no sense
    key = {"calendar": name, "version": version}
    hours = [plain(windows) for windows in week]
    digest = digest_of(zone, hours, {each.day.isoformat(): plain(each.windows) for each in days})
    head = {
        **key,
        "valid_from": valid_from,
        "zone": zone,
        "week": hours,
        "source": source,
        "digest": digest,
    }
    return head, [
        {
            **key,
            "day": each.day,
            "windows": plain(each.windows),
            "name": each.name,
            "provenance": each.provenance,
        }
        for each in days
    ]


async def save_version(tx: Tx, head: dict[str, Any], days: list[dict[str, Any]]) -> None:
    """Store what `rows_of` made."""
    await insert_rows(tx, calendar_version, [head])
    await insert_rows(tx, calendar_day, days)


async def load_calendar(tx: Tx, name: str, version: int) -> Calendar:
    """A version to count by."""
    return (await load_version(tx, name, version)).content.calendar()


async def load_version(tx: Tx, name: str, version: int) -> Version:
    """A version with its days in their order; `NoSuchCalendar` when there is none."""
    of_head = calendar_version.c.calendar == name, calendar_version.c.version == version
    head = (await tx.execute(select(calendar_version).where(*of_head))).first()
    if head is None:
        raise NoSuchCalendar(name=name)
    of_days = calendar_day.c.calendar == name, calendar_day.c.version == version
    days = await tx.execute(select(calendar_day).where(*of_days).order_by(calendar_day.c.day))
    content = Content(head.zone, tuple(map(_windows, head.week)), tuple(map(_day, days)), head.source)
    return Version(
        head.calendar, head.version, head.valid_from, content, head.digest, head.made_at, head.made_by
    )


def _day(row: Any) -> ExceptionalDay:
    return ExceptionalDay(row.day, _windows(row.windows), row.name, row.provenance)


@dataclass(frozen=True, slots=True)
class Head:
    """A version without its days; `made_by` is None for the one that shipped."""

    calendar: str
    version: int
    valid_from: datetime
    zone: str
    source: str
    digest: str
    made_at: datetime
    made_by: str | None


_HEADS: Final = text(
    """
    SELECT calendar, version, valid_from, zone, source, digest, made_at, made_by FROM calendar_version
    WHERE CAST(:name AS text) IS NULL OR calendar = :name
    ORDER BY calendar, valid_from, version
    """
)


async def load_heads(tx: Tx, name: str | None = None) -> dict[str, list[Head]]:
    """The versions of every calendar, or of the one named, in the order in which they apply."""
    found = (Head(**row) for row in (await tx.execute(_HEADS, {"name": name})).mappings())
    return {calendar: list(heads) for calendar, heads in groupby(found, key=lambda head: head.calendar)}


@dataclass(frozen=True, slots=True)
class UnconfirmedYear:
    """A year whose holidays a calendar does not know for sure."""

    calendar: str
    version: int
    year: int


_KNOWN_FROM: Final = text(
    """
    SELECT calendar, version, CAST(extract(year FROM day) AS integer) AS year,
           array_agg(DISTINCT provenance) AS provenances
    FROM calendar_day
    JOIN unnest(CAST(:calendars AS text[]), CAST(:versions AS integer[])) AS asked (calendar, version)
      USING (calendar, version)
    GROUP BY calendar, version, year
    """
)


async def load_warnings(tx: Tx, now: datetime) -> list[UnconfirmedYear]:
    """Which calendars are not sure of this year, or from November on of the next, by calendar and year."""
    asked = [
        UnconfirmedYear(name, in_force(heads, instant).version, year)
        for name, heads in sorted((await load_heads(tx)).items())
        for year, instant in _years_ahead(heads, now)
    ]
    known: dict[tuple[str, int], dict[int, list[Provenance]]] = {}
    versions = sorted({(each.calendar, each.version) for each in asked})
    parameters = {"calendars": [name for name, _ in versions], "versions": [number for _, number in versions]}
    for row in await tx.execute(_KNOWN_FROM, parameters):
        known.setdefault((row.calendar, row.version), {})[row.year] = row.provenances
    return [
        each for each in asked if not is_confirmed(known.get((each.calendar, each.version), {}), each.year)
    ]


def _years_ahead(heads: Sequence[Head], now: datetime) -> list[tuple[int, datetime]]:
    """The years that are to be known by now, each with an instant whose version says so."""
    local = now.astimezone(ZoneInfo(in_force(heads, now).zone))
    years = [(local.year, now)]
    if local.month >= 11 and local.year < LAST_YEAR:
        years.append((local.year + 1, datetime(local.year + 1, 1, 1, tzinfo=local.tzinfo)))
    return years
