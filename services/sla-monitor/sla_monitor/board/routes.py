"""The operations board: what runs by time to breach, what was missed today, and how today is going."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from shared.http.auth import Caller, Principal, Role, allow
from shared.http.pages import Link, Site, page
from shared.http.sse import LiveFeed, Row
from shared.http.transaction import ReadTx, ServiceRoute
from shared.i18n import N_
from sla_monitor.board import store, words
from sla_monitor.clocks.dossier import load_dossier
from sla_monitor.scope import is_limited, sees

ROLES: Final[frozenset[Role]] = frozenset({"operations", "dispatcher", "admin"})

router = APIRouter(route_class=ServiceRoute)


def _sees_entry(row: Row, viewer: Principal) -> bool:
    return sees(viewer, row.data)


def _sees_house(row: Row, viewer: Principal) -> bool:
    """Figures of the whole house are for those whose view is not limited to a part of it."""
    return not is_limited(viewer)


RUNNING: Final = LiveFeed(
    name="running",
    roles=ROLES,
    snapshot=store.running_rows,
    version=store.load_running,
    template="board_running.html",
    visible=_sees_entry,
)
MISSED: Final = LiveFeed(
    name="missed",
    roles=ROLES,
    snapshot=store.missed_rows,
    version=store.load_missed,
    template="board_missed.html",
    visible=_sees_entry,
)
TODAY: Final = LiveFeed(
    name="today",
    roles=ROLES,
    snapshot=store.tile_rows,
    version=store.load_tiles,
    template="board_tile.html",
    visible=_sees_house,
)

site = Site(
    package=Path(__file__).parent.parent,
    links=(
        Link(
            "/sla/board",
            N_("Promises"),
            N_("What is due, what was missed, and how today is going."),
            ROLES,
        ),
    ),
    feeds=(RUNNING, MISSED, TODAY),
)


@router.get(
    "/board", dependencies=[Depends(allow("operations", "dispatcher", "admin"))], include_in_schema=False
)
async def board(request: Request, tx: ReadTx, viewer: Caller) -> Response:
    """The page; what it shows goes on changing by its feeds."""
    shown = {
        feed.name: [row for row in await feed.snapshot(tx) if feed.visible(row, viewer)]
        for feed in (RUNNING, MISSED, TODAY)
    }
    return page(
        request,
        "board.html",
        running=shown["running"],
        missed=shown["missed"],
        today=shown["today"],
        may_acknowledge=bool(viewer.roles & {"operations", "admin"}),
        limited=is_limited(viewer),
    )


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
        proofs=found.proofs,
        policy_version=found.policy_version,
        calendar_version=found.calendar_version,
        words=words,
    )
