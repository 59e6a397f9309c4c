"""The war room as a page, and the forms in it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from dispatch.access import READERS, Viewer, find_ticket
from dispatch.leadership.rules import is_awaited, may_acknowledge
from dispatch.remote.parts import remote_part
from dispatch.solutions.parts import load_part
from dispatch.tickets.pages import checked
from dispatch.warroom import actions
from dispatch.warroom.room import Room, load_room
from dispatch.warroom.routes import ChosenPlan, DoneStep, NewNote
from dispatch.warroom.rules import duties_of, next_step, notes_in
from shared.http.auth import Caller, allow
from shared.http.pages import page
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n.language import current_language

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)


@router.get("/tickets/{ticket_id}/warroom", dependencies=[Depends(allow(*READERS))])
async def show(request: Request, tx: ReadTx, caller: Caller, ticket_id: UUID) -> Response:
    """One glance: who leads, what is promised until when, what stands in the way, what happens next."""
    viewer = Viewer.of(caller)
    ticket = await find_ticket(tx, viewer, ticket_id)
    room = await load_room(tx, ticket, tx.now)
    return page(
        request,
        "warroom.html",
        room=room,
        ticket=ticket,
        dossier=room.dossier,
        notes=notes_in(room.dossier.history),
        coming=next_step(room.progress),
        may_write=await actions.may_write(tx, viewer, ticket),
        solution_part=await load_part(tx, ticket, caller),
        urgent=room.policy,
        solution_back=f"/dispatch/tickets/{ticket.id}/warroom",
        remote=remote_part(caller, ticket, room.policy, room.sessions),
        remote_back=f"/dispatch/tickets/{ticket.id}/warroom",
        spoken=current_language().locale.language,
        instant=datetime.fromisoformat,
        **_own(viewer, room),
    )


def _own(viewer: Viewer, room: Room) -> dict[str, Any]:
    """What waits for this reader's own word."""
    ticket, notice = room.ticket, room.dossier.notice
    unseen = {each.person_id for each in room.members if each.seen_at is None}
    may_tap = notice is not None and may_acknowledge(notice, viewer.person_id, is_admin=viewer.is_admin)
    awaited = notice is not None and is_awaited(ticket, notice)
    return {
        "notice": notice,
        "awaited": awaited,
        "may_tap": may_tap and awaited,
        "may_see": ticket.is_open and viewer.person_id in unseen and viewer.person_id in duties_of(ticket),
    }


class RoomForm(BaseModel):
    """A form of the war room, as the page sends it; which fields matter depends on `do`."""

    model_config = {"extra": "forbid"}

    do: Literal["seen", "note", "plan", "step"]
    csrf: str = ""
    text: str = ""
    plan: str = ""
    item: str = ""


@router.post("/tickets/{ticket_id}/warroom/page", dependencies=[Depends(allow(*READERS))])
async def fill_in(
    tx: WriteTx, caller: Caller, ticket_id: UUID, filled: Annotated[RoomForm, Form()]
) -> RedirectResponse:
    """Do what a form asks for, then show the room again."""
    viewer = Viewer.of(caller)
    match filled.do:
        case "seen":
            await actions.see(tx, ticket_id, viewer)
        case "note":
            await actions.write_note(tx, ticket_id, checked(NewNote, {"text": filled.text}).text, viewer)
        case "plan":
            await actions.choose_plan(tx, ticket_id, checked(ChosenPlan, {"plan": filled.plan}).plan, viewer)
        case "step":
            done = checked(DoneStep, {"plan": filled.plan, "item": filled.item})
            await actions.do_step(tx, ticket_id, done.plan, done.item, viewer)
    return RedirectResponse(f"/dispatch/tickets/{ticket_id}/warroom", 303)
