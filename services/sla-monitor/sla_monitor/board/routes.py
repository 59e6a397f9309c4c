"""The operations board, and the dossier of what was promised about one subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from shared.http.auth import Caller, Principal, Role, allow
from shared.http.pages import Link, Site, page
from shared.http.transaction import ReadTx, ServiceRoute
from shared.i18n import N_, ZONE
from sla_monitor.alerts.page import LINK as ALERTS
from sla_monitor.board import feeds, store, words
from sla_monitor.board.past import load_pasts
from sla_monitor.clocks.dossier import load_dossier
from sla_monitor.clocks.view import Filters, View
from sla_monitor.replay.pages import LINK as REPLAYS
from sla_monitor.sinks.page import LINK as SINKS

router = APIRouter(route_class=ServiceRoute)

site = Site(
    package=Path(__file__).parent.parent,
    links=(
        Link(
            "/sla/board",
            N_("Promises"),
            N_("What is due, what was missed, and how today is going."),
            feeds.ROLES,
        ),
        Link(
            "/sla/policies",
            N_("Policies"),
            N_("What is promised to whom, in which time, and who is told when."),
            feeds.ROLES,
        ),
        Link(
            "/sla/calendars",
            N_("Calendars"),
            N_("When work is done, which days are free, and when so much working time has passed."),
            feeds.ROLES,
        ),
        REPLAYS,
        ALERTS,
        SINKS,
    ),
    feeds=feeds.FEEDS,
)


class Asked(Filters):
    """The filters, and whether a screen on the wall asks."""

    wall: bool = False


@router.get(
    "/board", dependencies=[Depends(allow("operations", "dispatcher", "admin"))], include_in_schema=False
)
async def board(request: Request, tx: ReadTx, viewer: Caller, asked: Annotated[Asked, Query()]) -> Response:
    """The page; what it shows goes on changing by its feeds."""
    view = View.of(viewer, asked)
    running = await feeds.running_rows(tx, view)
    missed = await feeds.missed_rows(tx, view)
    return page(
        request,
        "board.html",
        address="/sla/board",
        pasts=await load_pasts(tx, viewer),
        looking_at=None,
        running=running,
        missed=missed,
        tickets=await feeds.ticket_rows(tx, view),
        today=await feeds.tile_rows(tx, view),
        state=await feeds.state_rows(tx, view),
        notices=[row for row in await feeds.notice_rows(tx, view) if feeds.NOTICES.visible(row, viewer)],
        view=view,
        choices=await store.load_choices(tx, view, [row.data for row in (*running, *missed)]),
        feed=partial(_feed, view),
        may_acknowledge=bool(viewer.roles & {"operations", "admin"}),
        may=_hands(viewer),
        offset=_offset(tx.now),
        wall=asked.wall,
        words=words,
    )


# Giving a ticket to somebody else is dispatch's to allow, and it asks again.
_HANDS: Final[Mapping[str, frozenset[Role]]] = {
    "reassign": frozenset({"operations", "dispatcher", "admin"}),
    "leadership": frozenset({"operations", "admin"}),
    "pause": frozenset({"operations", "admin"}),
}


def _offset(now: datetime) -> str:
    """What a browser's field for a time, which knows no zone, is to be read with: `+08:00`."""
    minutes = int((now.astimezone(ZONE).utcoffset() or timedelta(0)).total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _hands(viewer: Principal) -> Sequence[str]:
    """What `viewer` may do about a row of the board beside looking after its alert."""
    return [name for name, roles in _HANDS.items() if viewer.roles & roles]


def _feed(view: View, name: str) -> str:
    return f"sla.{feeds.named(name, view)}"


@router.get(
    "/subjects/{id}",
    dependencies=[Depends(allow("operations", "dispatcher", "admin"))],
    include_in_schema=False,
)
async def dossier(request: Request, tx: ReadTx, viewer: Caller, id: UUID) -> Response:
    """The promises about one ticket, request or call, each with the arithmetic of its deadline."""
    found = await load_dossier(tx, viewer, id)
    return page(
        request,
        "dossier.html",
        subject=found.subject,
        subject_name=words.SUBJECTS[found.subject.kind],
        dossier=found,
        zone=found.governing.calendar.zone,
        record=_record(found.subject),
        words=words,
    )


def _record(subject: Any) -> str | None:
    """The page of the service that has the work, which lets in all whom this one lets in; calls have none."""
    match subject.kind:
        case "ticket":
            return f"/dispatch/tickets/{subject.id}/page"
        case "request":
            return f"/intake/desk/{subject.id}"
    return f"/intake/desk/{subject.request_id}" if subject.request_id else None
