"""The war room over HTTP: what it shows, and what the group writes in it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, StringConstraints

from dispatch.access import READERS, Viewer, find_ticket
from dispatch.leadership.routes import NoticeView
from dispatch.tickets.rules import State
from dispatch.urgent.policy import Part
from dispatch.warroom import actions
from dispatch.warroom.room import Room, load_room
from dispatch.warroom.rules import Block, Duty, notes_in
from shared.events.terms import Code, PersonId
from shared.http.auth import Caller, allow
from shared.http.etag import show_version
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n.language import current_language
from shared.sent import Sent

router: Final = APIRouter(route_class=ServiceRoute)

RoomNote = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
_WRITING: Final = [Depends(allow(*READERS)), Depends(idempotent())]


class MemberView(BaseModel):
    """Somebody of the group; `seen_at` is null while they have not said that they know of it."""

    person_id: PersonId
    display_name: str | None
    duties: tuple[Duty, ...]
    seen_at: datetime | None


class StepView(BaseModel):
    """A step of the emergency plan; `by` and `at` are null while nobody did it."""

    code: str
    text: str
    who: Part
    by: str | None
    at: datetime | None


class PlanView(BaseModel):
    code: str
    text: str
    steps: list[StepView]


class NoteView(BaseModel):
    at: datetime
    by: str | None
    text: str


class PromiseView(BaseModel):
    """What is owed still; `stands` while its time does not count."""

    code: str
    due_at: datetime
    stands: bool


class IncidentView(BaseModel):
    """As the service desk told of it last; null where it told only that it exists."""

    id: UUID
    title: str | None
    cause: str | None
    recovery_at: datetime | None
    ended: bool | None


class RoomView(BaseModel):
    """Who leads, what is promised until when, what stands in the way, what happens next."""

    ticket_id: UUID
    version: int
    state: State
    lead_id: PersonId
    members: list[MemberView]
    leadership: NoticeView | None
    promises: list[PromiseView]
    blocks: list[Block]
    plan: PlanView
    incidents: list[IncidentView]
    notes: list[NoteView]

    @classmethod
    def of(cls, room: Room) -> RoomView:
        language, dossier = current_language().locale.language, room.dossier
        return cls(
            ticket_id=room.ticket.id,
            version=room.ticket.version,
            state=room.ticket.state,
            lead_id=room.lead_id,
            members=[
                MemberView(
                    person_id=each.person_id,
                    display_name=dossier.name_of(each.person_id),
                    duties=each.duties,
                    seen_at=each.seen_at,
                )
                for each in room.members
            ],
            leadership=NoticeView.of(dossier.notice) if dossier.notice else None,
            promises=[
                PromiseView(code=each.code, due_at=each.due_at, stands=each.stands)
                for each in dossier.owed.clocks
            ],
            blocks=list(room.blocks),
            plan=_plan(room, language),
            incidents=[
                IncidentView(**{name: getattr(each, name) for name in IncidentView.model_fields})
                for each in room.incidents
            ],
            notes=[
                NoteView(at=line["at"], by=line["by"], text=line["facts"]["text"])
                for line in notes_in(dossier.history)
            ],
        )


def _plan(room: Room, language: str) -> PlanView:
    steps = [
        StepView(
            code=each.step.code, text=each.step.text.said(language), who=each.step.who, by=each.by, at=each.at
        )
        for each in room.progress
    ]
    return PlanView(code=room.plan.code, text=room.plan.text.said(language), steps=steps)


class NewNote(Sent):
    """For the group alone; it stays with us."""

    text: RoomNote


class ChosenPlan(Sent):
    plan: Code


class DoneStep(Sent):
    plan: Code
    item: Code


class NothingMore(Sent):
    """There is nothing more to say."""


@router.get("/tickets/{ticket_id}/room", dependencies=[Depends(allow(*READERS))])
async def room(tx: ReadTx, caller: Caller, ticket_id: UUID, response: Response) -> RoomView:
    """The war room of an urgent ticket, or of one that is part of an incident; 404 where there is none."""
    return await _shown(tx, caller, ticket_id, response)


async def _shown(tx: ReadTx, caller: Caller, ticket_id: UUID, response: Response) -> RoomView:
    ticket = await find_ticket(tx, Viewer.of(caller), ticket_id)
    show_version(response, ticket.version)
    return RoomView.of(await load_room(tx, ticket, tx.now))


@router.post("/tickets/{ticket_id}/room/seen", dependencies=_WRITING)
async def see_room(
    tx: WriteTx, caller: Caller, ticket_id: UUID, response: Response, nothing: NothingMore | None = None
) -> RoomView:
    """Somebody of the group knows of it; again answers the same."""
    await actions.see(tx, ticket_id, Viewer.of(caller))
    return await _shown(tx, caller, ticket_id, response)


@router.post("/tickets/{ticket_id}/room/notes", dependencies=_WRITING)
async def write_room_note(
    tx: WriteTx, caller: Caller, ticket_id: UUID, response: Response, body: NewNote
) -> RoomView:
    """What the group has to know."""
    await actions.write_note(tx, ticket_id, body.text, Viewer.of(caller))
    return await _shown(tx, caller, ticket_id, response)


@router.post("/tickets/{ticket_id}/room/plan", dependencies=_WRITING)
async def choose_room_plan(
    tx: WriteTx, caller: Caller, ticket_id: UUID, response: Response, body: ChosenPlan
) -> RoomView:
    """Another emergency plan than the rules chose (R39)."""
    await actions.choose_plan(tx, ticket_id, body.plan, Viewer.of(caller))
    return await _shown(tx, caller, ticket_id, response)


@router.post("/tickets/{ticket_id}/room/steps", dependencies=_WRITING)
async def do_room_step(
    tx: WriteTx, caller: Caller, ticket_id: UUID, response: Response, body: DoneStep
) -> RoomView:
    """A step of the plan is done; what is done stays as it was done first."""
    await actions.do_step(tx, ticket_id, body.plan, body.item, Viewer.of(caller))
    return await _shown(tx, caller, ticket_id, response)
