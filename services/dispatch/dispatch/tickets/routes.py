"""Tickets over HTTP: lists, one with its history and reasons, and the commands of those who work on them."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from dispatch.access import ASSIGNERS, DISPATCHERS, READERS, WORKERS, Viewer, find_ticket, visible_to
from dispatch.tickets import commands, store
from dispatch.tickets.dossier import load_dossier
from dispatch.tickets.rules import State
from dispatch.tickets.views import TicketDetail, TicketSummary
from dispatch.tickets.work import Asked, perform
from shared.db import Tx
from shared.events.terms import Code, PersonId, Severity
from shared.http.auth import Caller, Principal, allow
from shared.http.cursor import InvalidCursor, Page, Paged
from shared.http.etag import IfTold, Precondition, PreconditionMissing, show_version
from shared.http.idempotency import idempotent
from shared.http.scope import settings_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router: Final = APIRouter(route_class=ServiceRoute)

_READING: Final = [Depends(allow(*READERS))]
_WORKING: Final = [Depends(allow(*WORKERS)), Depends(idempotent())]
_HELPING: Final = [Depends(allow(*READERS)), Depends(idempotent())]
_DISPATCHING: Final = [Depends(allow(*DISPATCHERS)), Depends(idempotent())]


@router.get("/tickets", dependencies=_READING)
async def tickets(
    tx: ReadTx,
    caller: Caller,
    paging: Paged,
    state: State | None = None,
    severity: Severity | None = None,
    region: Code | None = None,
    owner_id: PersonId | None = None,
    open_only: Annotated[bool, Query(alias="open", description="Leave out what is closed.")] = False,
) -> Page[TicketSummary]:
    """The newest first; an engineer sees their own work."""
    found = await store.list_tickets(
        tx,
        visible_to(Viewer.of(caller)),
        state=state,
        severity=severity,
        region=region,
        owner_id=owner_id,
        open_only=open_only,
        before=_before(paging.after),
        limit=paging.limit + 1,
    )
    return paging.page([TicketSummary.of(each) for each in found], key=lambda each: (each.id,))


def _before(key: tuple[object, ...] | None) -> UUID | None:
    match key:
        case None:
            return None
        case (UUID() as ticket_id,):
            return ticket_id
        case _:
            raise InvalidCursor


@router.get("/tickets/{ticket_id}", dependencies=_READING)
async def ticket(tx: ReadTx, caller: Caller, ticket_id: UUID, response: Response) -> TicketDetail:
    """One ticket with its history and the reasons of each decision; its version is the ETag."""
    found = await find_ticket(tx, Viewer.of(caller), ticket_id)
    show_version(response, found.version)
    return TicketDetail.tell(await load_dossier(tx, found), tx.now)


class Work:
    """How a command arrives: from whom, on which version, in which transaction."""

    def __init__(
        self, request: Request, response: Response, tx: WriteTx, caller: Caller, told: IfTold, ticket_id: UUID
    ) -> None:
        self.tx: Tx = tx
        self._principal: Principal = caller
        self._response = response
        self._told = told
        self._ticket_id = ticket_id
        self._public_url = settings_of(request).public_url

    async def do(self, command: commands.Command) -> TicketSummary:
        seen = self._told
        if seen is None:
            if command.base_version is None:
                raise PreconditionMissing
            seen = Precondition(frozenset({str(command.base_version)}))
        viewer = Viewer.of(self._principal)
        asked = Asked(viewer, seen, self._public_url, to_the_letter=self._told is not None)
        changed = await perform(self.tx, self._ticket_id, command, asked)
        show_version(self._response, changed.version)
        return TicketSummary.of(changed)


Working = Annotated[Work, Depends()]


@router.post("/tickets/{ticket_id}/accept", dependencies=_WORKING)
async def accept(work: Working, command: commands.Accept) -> TicketSummary:
    """接单: the engineer takes the task."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/decline", dependencies=_WORKING)
async def decline(work: Working, command: commands.Decline) -> TicketSummary:
    """The engineer cannot take it; the next candidate gets it at once."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/visits", dependencies=_WORKING)
async def agree_visit(work: Working, command: commands.AgreeVisit) -> TicketSummary:
    """A visit at a time that the customer agreed to; one that was agreed before is moved."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/depart", dependencies=_WORKING)
async def depart(work: Working, command: commands.Depart) -> TicketSummary:
    """出发: the engineer is on the way."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/arrive", dependencies=_WORKING)
async def arrive(work: Working, command: commands.Arrive) -> TicketSummary:
    """到达: the engineer is on site."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/begin", dependencies=_WORKING)
async def begin_work(work: Working, command: commands.BeginWork) -> TicketSummary:
    """The work itself begins, at the site or from afar."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/pause", dependencies=_WORKING)
async def pause(work: Working, command: commands.Pause) -> TicketSummary:
    """It waits for the customer, for parts, for a vendor or for another department."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/resume", dependencies=_WORKING)
async def resume(work: Working, command: commands.Resume) -> TicketSummary:
    """The waiting is over; it goes on where it was."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/parts", dependencies=_WORKING)
async def request_parts(work: Working, command: commands.RequestParts) -> TicketSummary:
    """Ask the parts desk for what the repair needs."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/checklist", dependencies=_WORKING)
async def tick(work: Working, command: commands.Tick) -> TicketSummary:
    """Tick items of the checklist; what is ticked already stays as it was ticked first."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/work-logs", dependencies=_WORKING)
async def log_work(work: Working, command: commands.LogWork) -> TicketSummary:
    """Write down what was done, from when to when (R33)."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/plan", dependencies=_WORKING)
async def plan_work(work: Working, command: commands.PlanWork) -> TicketSummary:
    """Another kind of job, with its own checklist, or another estimate."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/inform", dependencies=_WORKING)
async def inform_customer(work: Working, command: commands.InformCustomer) -> TicketSummary:
    """Tell the customer how it goes; they get the text on the channel that their request came in by (R62)."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/tasks", dependencies=_HELPING)
async def ask_department(work: Working, command: commands.AskDepartment) -> TicketSummary:
    """Ask another department for something (R37); `blocking`: the work waits for it."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/escalate", dependencies=_HELPING)
async def escalate(work: Working, command: commands.Escalate) -> TicketSummary:
    """Raise the level of support: an expert supports or takes over, or R&D gets a task (R25)."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/deescalate", dependencies=_HELPING)
async def deescalate(work: Working, command: commands.Deescalate) -> TicketSummary:
    """The higher level is not needed any more; who has the ticket keeps it."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/repair-plans", dependencies=_WORKING)
async def propose_plan(work: Working, command: commands.ProposePlan) -> TicketSummary:
    """How it is to be repaired, in the place of a plan before it; to be signed off (R21)."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/sign-off", dependencies=_HELPING)
async def sign_plan(work: Working, command: commands.SignPlan) -> TicketSummary:
    """Sign the plan `number` off, or send it back with a reason."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/resolve", dependencies=_WORKING)
async def resolve(work: Working, command: commands.Resolve) -> TicketSummary:
    """完成: done, says the engineer; the customer is asked whether they agree."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/assign", dependencies=[Depends(allow(*ASSIGNERS)), Depends(idempotent())])
async def assign(work: Working, command: commands.Assign) -> TicketSummary:
    """Give it to somebody by hand; the reason is kept."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/cancel", dependencies=_DISPATCHING)
async def cancel(work: Working, command: commands.Cancel) -> TicketSummary:
    """There is nothing to be done after all."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/reopen", dependencies=_DISPATCHING)
async def reopen(work: Working, command: commands.Reopen) -> TicketSummary:
    """Another episode of a ticket that has ended; its clocks start anew (decision 14)."""
    return await work.do(command)
