"""Visits over HTTP: the next free slots, sending the customer a link to choose one, and cancelling."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel

from dispatch.access import WORKERS, NotYourTask, Viewer, find_ticket, may
from dispatch.tickets import commands
from dispatch.tickets.routes import Working
from dispatch.tickets.rules import TicketNotReady
from dispatch.tickets.views import TicketSummary
from dispatch.visits.reading import load_questions
from dispatch.visits.slots import Slot
from shared.events.terms import PersonId
from shared.http.auth import Caller, allow
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute

router: Final = APIRouter(route_class=ServiceRoute)

_WORKING: Final = [Depends(allow(*WORKERS)), Depends(idempotent())]


class SlotView(BaseModel):
    """A time that could be agreed."""

    starts_at: datetime
    ends_at: datetime
    after_promise: bool
    """Somebody is owed an earlier one: see `deadline`."""

    @classmethod
    def of(cls, slot: Slot) -> SlotView:
        return cls(starts_at=slot.starts_at, ends_at=slot.ends_at, after_promise=slot.after_promise)


class SlotsView(BaseModel):
    """The next free slots of the engineer who has the ticket; none of them overlaps another."""

    ticket_id: UUID
    engineer_id: PersonId
    deadline: datetime | None
    """By when somebody has to be there; null where nothing of the kind is promised."""
    slots: list[SlotView]


@router.get("/tickets/{ticket_id}/slots", dependencies=[Depends(allow(*WORKERS))])
async def slots(
    tx: ReadTx,
    caller: Caller,
    ticket_id: UUID,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="Not before.")] = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> SlotsView:
    """When the engineer is free for this visit: by shift, leave, other visits and the way between them."""
    viewer = Viewer.of(caller)
    ticket = await find_ticket(tx, viewer, ticket_id)
    if not may(viewer, ticket, "agree_visit"):
        raise NotYourTask
    question = (await load_questions(tx, [ticket])).get(ticket.id)
    if question is None or not ticket.is_open:
        raise TicketNotReady(
            state=ticket.state,
            allowed=sorted(ticket.allowed),
            version=ticket.version,
            possible=", ".join(sorted(ticket.allowed)) or "nothing",
        )
    return SlotsView(
        ticket_id=ticket.id,
        engineer_id=ticket.given_to,
        deadline=question.deadline,
        slots=[SlotView.of(each) for each in question.next(limit, since)],
    )


@router.post("/tickets/{ticket_id}/visit-link", dependencies=_WORKING)
async def offer_visit(work: Working, command: commands.OfferVisit) -> TicketSummary:
    """Send the customer a link by which to choose a time of the engineer's (R58)."""
    return await work.do(command)


@router.post("/tickets/{ticket_id}/visits/cancel", dependencies=_WORKING)
async def cancel_visit(work: Working, command: commands.CancelVisit) -> TicketSummary:
    """The visit that is agreed does not take place; the customer is told why, and may choose another time."""
    return await work.do(command)
