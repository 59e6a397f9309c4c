"""An engineer's own day on the phone, what comes next on top."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dispatch.access import Viewer
from dispatch.days.routes import asked_day, tickets_of
from dispatch.days.rules import Block, Day, bounds
from dispatch.days.stops import rounded
from dispatch.days.store import load_days
from dispatch.organisation.roster import day_of
from dispatch.phone.rules import LEADS_TO
from dispatch.promises.rules import Deadlines
from dispatch.promises.store import deadlines
from dispatch.supply.store import list_requisitions
from dispatch.tickets.rules import Ticket
from shared.db import Tx
from shared.http.auth import Caller, Principal, allow
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)

_PRESSING: Final = ("short", "requested", "reserved")  # parts, the worst first


@dataclass(frozen=True, slots=True)
class Entry:
    """One block as it is shown, with the way before it."""

    block: Block
    way: Block | None = None
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A day as it is shown; `over` without free time."""

    day: Day
    over: Sequence[Entry]
    following: Sequence[Entry]
    tickets: Mapping[UUID, Ticket]
    owed: Mapping[UUID, Deadlines]
    parts: Mapping[UUID, Mapping[str, Any]]


@router.get("/app/day", dependencies=[Depends(allow("engineer"))])
async def today(request: Request, tx: ReadTx, caller: Caller) -> Response:
    """Today; what the phone keeps for when there is no network."""
    return await _page(request, tx, caller, day_of(tx.now))


@router.get("/app/day/{day}", dependencies=[Depends(allow("engineer"))])
async def another(request: Request, tx: ReadTx, caller: Caller, day: date) -> Response:
    """Another day of one's own."""
    return await _page(request, tx, caller, asked_day(day, tx.now, "path", "day"))


async def _page(request: Request, tx: Tx, caller: Principal, day: date) -> Response:
    person_id, now = Viewer.of(caller).person_id, day_of(tx.now)
    found = await load_days(tx, [person_id], day)
    planned = found.get(person_id, Day(person_id, day, ()))
    return page(
        request,
        "app_day.html",
        shown=await _shown(tx, planned),
        noon=bounds(day)[0] + timedelta(hours=12),
        is_today=day == now,
        before=day - timedelta(days=1),
        after=day + timedelta(days=1),
        today=now,
        person=caller.id,
        moves=json.dumps(LEADS_TO),
    )


async def _shown(tx: Tx, day: Day) -> Shown:
    tickets = await tickets_of(tx, {day.person_id: day})
    entries = [*_entries(day, tickets)]
    over = [each for each in entries if each.block.ends_at <= rounded(tx.now)]
    asked: dict[UUID, Mapping[str, Any]] = {}
    for row in await list_requisitions(tx, tickets.keys()):
        worst = asked.get(row["ticket_id"], row)
        asked[row["ticket_id"]] = min(worst, row, key=lambda each: _PRESSING.index(each["state"]))
    owed = await deadlines(tx, tickets.keys())
    done = [each for each in over if each.ticket]
    return Shown(day, done, _told(entries[len(over) :]), tickets, owed, asked)


def _entries(day: Day, tickets: Mapping[UUID, Ticket]) -> Iterator[Entry]:
    """Every block but the ways, which stand with what they lead to."""
    way: Block | None = None
    for block in day.blocks:
        if block.kind == "travel":
            way = block
        else:
            yield Entry(block, way, tickets.get(block.ticket_id) if block.ticket_id else None)
            way = None


def _told(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Without the time away before and after everything else."""
    places = [place for place, each in enumerate(entries) if each.block.kind != "away"]
    return entries[places[0] : places[-1] + 1] if places else ()
