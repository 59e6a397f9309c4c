"""Reading for routes and pages: calendars as they are stored, and days from where else they are known."""

from __future__ import annotations

import asyncio

from fastapi import UploadFile

from shared.db import Tx
from sla_monitor.calendars import store
from sla_monitor.calendars.answers import How
from sla_monitor.calendars.countries import holidays_of
from sla_monitor.calendars.ics import LARGEST_FILE, Marks, read_days
from sla_monitor.calendars.versions import Content, Version, based_on, in_force


async def load(tx: Tx, name: str, version: int | None = None) -> tuple[list[store.Head], Version]:
    """The versions of a calendar, and one of them: the one named, else the one in force."""
    heads = (await store.load_heads(tx, name)).get(name)
    if heads is None:
        raise store.NoSuchCalendar(name=name)
    return heads, await store.load_version(tx, name, version or in_force(heads, tx.now).version)


async def with_country(content: Content, country: str, years: range) -> Content:
    """`content` with the days of a country instead of its own; those that a person entered stay."""
    source, known = await asyncio.to_thread(holidays_of, country, years, content)
    return based_on(content, known, years, source, instead=True)


async def with_file(
    content: Content, file: UploadFile, years: range, marks: Marks, how: How
) -> tuple[Content, int]:
    """`content` with the days of an iCalendar file, and how many of its entries name times of a day."""
    raw = await file.read(LARGEST_FILE + 1)
    imported = await asyncio.to_thread(read_days, raw, years, marks, content)
    name = " ".join((file.filename or "").split())[:100]
    source = f"iCalendar file {name}; {content.source}"[:200].strip()
    fresh = based_on(content, imported.days, years, source, instead=how == "instead")
    return fresh, imported.left_out
