"""A short sample day through the public doors: a newcomer sees tickets, clocks and a breach within a minute.

Nothing here touches a table: mails, forms and calls come in as adapters send them, back-dated as trusted
adapters may, and sample engineers answer. It is played once per installation.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx

from allinone.visitor import Refused, Visitor
from shared.clock import clock
from shared.settings import Settings
from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import Calendar, is_open

PLAYED: Final = "sample-day.played"

_HOURS = timedelta(hours=1)
_MINUTES = timedelta(minutes=1)

# What, where, by which phone, how long ago.
_FORMS: Final = (
    ("冷水机完全不能用，车间停产了。", "east", "shanghai", "+8613800000001", 3 * _HOURS),
    ("The compressor overheats and sometimes stops.", "north", "beijing", "+8613800000002", 70 * _MINUTES),
    ("请问滤芯多久更换一次？", "east", "shanghai", "+8613800000003", 20 * _MINUTES),
    ("空调漏水，制冷效果差。", "north", "tianjin", "+8613800000004", 10 * _MINUTES),
    ("Please install the new pump next week.", "east", "suzhou", "+8613800000005", 5 * _MINUTES),
)
_MAILS: Final = (
    ("配电柜有烧焦的味道，还在冒烟。", "紧急：配电柜冒烟", "east", "shanghai", 12 * _MINUTES),
    ("The display shows error code E42 since this morning.", "Error E42", "north", "beijing", 130 * _MINUTES),
)


__all__ = ["Refused", "play"]


async def play(folder: Path, base_url: str, settings: Settings) -> bool:
    """Set up the sample organisation and play the day; False when it was played before."""
    played = folder / PLAYED
    if played.exists():
        return False
    async with httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=30) as client:
        visitor = Visitor(client, settings)
        await visitor.set_up()
        now = clock.now()
        requests = [
            await visitor.ask(what, region, city, phone, now - ago)
            for what, region, city, phone, ago in _FORMS
        ]
        for text, subject, region, city, ago in _MAILS:
            await visitor.mail(text, subject, region, city, now - ago)
        await _calls(visitor, _last_open(now - 10 * _MINUTES))
        await _work(visitor, requests, now)
    played.write_text(f"{now.isoformat()}\n")
    return True


def _last_open(before: datetime) -> datetime:
    """The last moment until `before` at which calls are answered: only then does R50 promise a minute."""
    _, days = chinese_days(before.year - 1, before.year + 1)
    calendar = Calendar(ZONE, WEEK, {each.day: each.windows for each in days})
    while not is_open(calendar, before):
        before -= _HOURS
    return before


async def _calls(visitor: Visitor, began: datetime) -> None:
    """One picked up in time, one too late, one missed and not called back."""
    for id, later, then, after in (
        ("sample-call-1", 0 * _MINUTES, "answered", timedelta(seconds=20)),
        ("sample-call-2", 2 * _MINUTES, "answered", timedelta(seconds=95)),
        ("sample-call-3", 5 * _MINUTES, "missed", timedelta(seconds=60)),
    ):
        await visitor.call(id, "rang", began + later)
        await visitor.call(id, then, began + later + after)


async def _work(visitor: Visitor, requests: list[UUID], now: datetime) -> None:
    """The first request is repaired and accepted, the third only accepted by its engineer."""
    first, third = requests[0], requests[2]
    ticket = await visitor.ticket_of(first)
    await visitor.repair(ticket["id"], now)
    await visitor.press(await visitor.link(first, "please_accept"), verdict="accept")
    survey = await visitor.link(first, "survey")
    shown = asyncio.create_task(visitor.answer_survey(survey, score=5))
    await visitor.do((await visitor.ticket_of(third))["id"], "accept")
    await shown
