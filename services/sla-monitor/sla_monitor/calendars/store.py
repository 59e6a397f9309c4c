"""Calendars as rows: every version keeps its days, so that a library upgrade never moves a past deadline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Date, DateTime, Integer, Table, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from sla_monitor.calendars.rules import Calendar, ExceptionalDay, Window
from sla_monitor.tables import metadata

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


_DAYS = text(
    """
    SELECT day, windows FROM calendar_day
    WHERE calendar = :calendar AND version = :version ORDER BY day
    """
).columns(day=Date, windows=JSONB)


async def load_calendar(tx: Tx, name: str, version: int) -> Calendar:
    """A version as a value."""
    found = await tx.execute(
        select(calendar_version.c.zone, calendar_version.c.week).where(
            calendar_version.c.calendar == name, calendar_version.c.version == version
        )
    )
    head = found.one()
    days = (await tx.execute(_DAYS, {"calendar": name, "version": version})).all()
    week = tuple(map(_windows, head.week))
    return Calendar(head.zone, week, {row.day: _windows(row.windows) for row in days})
