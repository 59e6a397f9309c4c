"""The dispatch board, who could do a ticket, and the list on an engineer's phone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from dispatch.access import OVERSEERS, Viewer, find_ticket
from dispatch.assignment.judging import needed_tier
from dispatch.assignment.store import list_decisions, load_policy
from dispatch.board import words
from dispatch.board.feeds import BOARD, FIGURES, WORK
from dispatch.board.filters import PER_PAGE, Filters, choices_for
from dispatch.board.fit import Fit, Verdict, counts_of
from dispatch.board.grid import load_fit, load_grid
from dispatch.board.views import GRID, QUEUE, named, queue_rows, rows_of
from dispatch.organisation.roster import day_of
from dispatch.organisation.store import load_names
from dispatch.phone.rules import LEADS_TO
from dispatch.phone.store import list_open as list_conflicts
from dispatch.tickets.dossier import words as tell
from shared.events.terms import PersonId, Severity, Tier
from shared.http.auth import Caller, allow
from shared.http.etag import show_version
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute

router: Final = APIRouter(route_class=ServiceRoute)
MOST_CANDIDATES: Final = 30  # in the table on the board; programs get all of them


class SaidView(BaseModel):
    """One thing that was found; `cost` is what it counted, in open tickets."""

    code: str
    detail: str
    cost: int | None = None


class FitView(BaseModel):
    """One engineer for the ticket.

    `refused` needs its objections named in `despite` of the assignment. `cost` is null for who is refused; of
    the others the least wins.
    """

    person_id: PersonId
    display_name: str
    tier: Tier | None
    centre: str | None
    verdict: Verdict
    text: str
    arrives_at: datetime | None
    late_minutes: int
    lacks_parts: bool
    parts_at: datetime | None
    cost: int | None
    objections: list[SaidView]
    because: list[SaidView]

    @classmethod
    def of(cls, fit: Fit, now: datetime) -> FitView:
        person = fit.person
        late = fit.late_by // timedelta(minutes=1) if fit.late_by else 0
        return cls(
            person_id=person.id,
            display_name=person.display_name,
            tier=person.tier,
            centre=person.centre,
            verdict=fit.verdict,
            text=words.told(fit, now),
            arrives_at=fit.arrives_at,
            late_minutes=late,
            lacks_parts=fit.lacking is not None,
            parts_at=fit.lacking.until if fit.lacking else None,
            cost=fit.candidate.cost,
            objections=[SaidView(code=each.rule, detail=words.phrase(each)) for each in fit.objections],
            because=[
                SaidView(code=each.rule, detail=words.phrase(each), cost=each.facts.get("cost"))
                for each in fit.candidate.findings
            ],
        )


class PromiseDue(BaseModel):
    """What is promised next, and by when."""

    code: str
    due_at: datetime


class FitList(BaseModel):
    """Every engineer that fits the filters, the best first."""

    ticket_id: UUID
    version: int
    severity: Severity
    needed_tier: Tier
    due: PromiseDue | None
    items: list[FitView]


@router.get("/tickets/{ticket_id}/fit", dependencies=[Depends(allow(*OVERSEERS))])
async def fit(
    tx: ReadTx, caller: Caller, ticket_id: UUID, response: Response, asked: Annotated[Filters, Query()]
) -> FitList:
    """Who could do a ticket: of every engineer the verdict, the arrival, and what speaks against them."""
    viewer = Viewer.of(caller)
    ticket = await find_ticket(tx, viewer, ticket_id)
    found, due = await load_fit(tx, viewer, ticket, asked)
    show_version(response, ticket.version)
    return FitList(
        ticket_id=ticket.id,
        version=ticket.version,
        severity=ticket.severity,
        needed_tier=needed_tier(ticket.severity, await load_policy(tx)),
        due=PromiseDue(code=due.code, due_at=due.at) if due else None,
        items=[FitView.of(each, tx.now) for each in found],
    )


@router.get("/board", dependencies=[Depends(allow(*OVERSEERS))], include_in_schema=False)
async def board(request: Request, tx: ReadTx, caller: Caller, asked: Annotated[Filters, Query()]) -> Response:
    """Engineers by hours, what waits for somebody, and every open ticket, decisions first."""
    viewer = Viewer.of(caller)
    grid = await load_grid(tx, viewer, asked)
    today = day_of(tx.now)
    first = (asked.page - 1) * PER_PAGE
    return page(
        request,
        "board.html",
        rows=[row for row in await BOARD.snapshot(tx) if BOARD.visible(row, caller)],
        figures=[row for row in await FIGURES.snapshot(tx) if FIGURES.visible(row, caller)],
        queue=await queue_rows(tx, viewer, asked),
        lines=rows_of(grid),
        grid=grid,
        hours=_hours(*grid.span),
        filters=asked,
        choices=choices_for(grid.staff, viewer) if grid.staff else None,
        is_today=grid.day == today,
        days={each: grid.day + timedelta(days=each) for each in (-1, 1)},
        first=first,
        last=min(first + PER_PAGE, grid.count),
        feed={"grid": f"dispatch.{named(GRID.name, asked)}", "queue": f"dispatch.{named(QUEUE.name, asked)}"},
        words=words,
    )


def _hours(begins: datetime, ends: datetime) -> list[datetime]:
    whole = timedelta(hours=1)
    return [begins + each * whole for each in range(round((ends - begins) / whole))]


@router.get("/board/tickets/{ticket_id}", dependencies=[Depends(allow(*OVERSEERS))], include_in_schema=False)
async def candidates(
    request: Request, tx: ReadTx, caller: Caller, ticket_id: UUID, asked: Annotated[Filters, Query()]
) -> Response:
    """The part of the board about one ticket that somebody is looked for: each verdict, and why."""
    viewer = Viewer.of(caller)
    ticket = await find_ticket(tx, viewer, ticket_id)
    found, due = await load_fit(tx, viewer, ticket, asked)
    decisions = await list_decisions(tx, ticket.id)
    made = decisions[0] if decisions else None
    people = {each for each in (ticket.owner_id, ticket.engineer_id) if each}
    return page(
        request,
        "board_fit.html",
        ticket=ticket,
        due=due,
        needed=needed_tier(ticket.severity, await load_policy(tx)),
        found=found,
        most=MOST_CANDIDATES,
        counts=counts_of(found),
        made=made,
        names=await load_names(tx, people | _weighed(made)),
        told=partial(words.told, now=tx.now),
        reason=partial(words.reason, now=tx.now),
        words=words,
        tell=tell,
        weighed=lambda each: UUID(each["person_id"]),
    )


def _weighed(made: Mapping[str, Any] | None) -> set[PersonId]:
    return {UUID(each["person_id"]) for each in made["explanation"]["candidates"]} if made else set()


@router.get("/app", dependencies=[Depends(allow("engineer"))], include_in_schema=False)
async def own_work(request: Request, tx: ReadTx, caller: Caller) -> Response:
    """The engineer's own work, the next job on top."""
    rows = [row for row in await WORK.snapshot(tx) if WORK.visible(row, caller)]
    return page(
        request,
        "app.html",
        rows=sorted(rows, key=lambda row: (row.order, row.id)),
        conflicts=await list_conflicts(tx, caller.id),
        person=caller.id,
        moves=json.dumps(LEADS_TO),
    )
