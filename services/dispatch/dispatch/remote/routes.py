"""Remote assistance over HTTP and from the forms of the pages (R136)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, StringConstraints

from dispatch.access import READERS, WORKERS, Viewer, find_ticket
from dispatch.remote import actions, store
from dispatch.remote.rules import Session
from dispatch.tickets.pages import checked
from shared.events.terms import PersonId
from shared.http.auth import Caller, allow
from shared.http.idempotency import idempotent
from shared.http.sign_in import local_path
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.sent import Sent

router: Final = APIRouter(route_class=ServiceRoute)

Address = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
_WORKING: Final = [Depends(allow(*WORKERS)), Depends(idempotent())]


class SessionView(BaseModel):
    """A session of remote assistance; who knows `url` may enter it. What is not known is null."""

    id: UUID
    episode: int
    url: str | None
    started_by: str
    started_at: datetime
    invited_at: datetime | None
    """When its address was sent to the customer last."""
    ended_by: str | None
    ended_at: datetime | None
    participants: tuple[PersonId, ...]
    with_customer: bool
    recording_url: str | None

    @classmethod
    def of(cls, session: Session) -> SessionView:
        return cls(**{name: getattr(session, name) for name in cls.model_fields})


class SessionList(BaseModel):
    """The newest first."""

    items: list[SessionView]


class NewSession(Sent):
    """`invite_customer`: intake sends them the address, on the channel that their request came in by."""

    invite_customer: bool = False


class EndedSession(Sent):
    """Who took part, as far as is known; who began it did anyway."""

    participants: Annotated[tuple[PersonId, ...], Field(max_length=50)] = ()
    with_customer: bool = False
    recording_url: Address | None = None


class Recording(Sent):
    recording_url: Address


class NoWords(Sent):
    """There is nothing more to say."""


@router.get("/tickets/{ticket_id}/remote", dependencies=[Depends(allow(*READERS))])
async def remote_sessions(tx: ReadTx, caller: Caller, ticket_id: UUID) -> SessionList:
    """The sessions of a ticket; one of them goes on at most."""
    await find_ticket(tx, Viewer.of(caller), ticket_id)
    return SessionList(items=[SessionView.of(each) for each in await store.list_sessions(tx, ticket_id)])


@router.post("/tickets/{ticket_id}/remote", dependencies=_WORKING, status_code=201)
async def start_remote_session(
    tx: WriteTx, caller: Caller, ticket_id: UUID, body: NewSession | None = None
) -> SessionView:
    """Begin a session in a room whose name nobody can guess, at the provider that the urgent policy names."""
    invite = body is not None and body.invite_customer
    return SessionView.of(await actions.start(tx, ticket_id, Viewer.of(caller), invite=invite))


@router.post("/tickets/{ticket_id}/remote/{session_id}/invite", dependencies=_WORKING)
async def invite_to_remote_session(
    tx: WriteTx, caller: Caller, ticket_id: UUID, session_id: UUID, nothing: NoWords | None = None
) -> SessionView:
    """Send the address to the customer, again if need be."""
    return SessionView.of(await actions.invite(tx, ticket_id, session_id, Viewer.of(caller)))


@router.post("/tickets/{ticket_id}/remote/{session_id}/end", dependencies=_WORKING)
async def end_remote_session(
    tx: WriteTx, caller: Caller, ticket_id: UUID, session_id: UUID, body: EndedSession | None = None
) -> SessionView:
    """It is over; who took part, and where a recording of it is kept."""
    said = body or EndedSession()
    return SessionView.of(
        await actions.end(tx, ticket_id, session_id, Viewer.of(caller), **said.model_dump())
    )


@router.post("/tickets/{ticket_id}/remote/{session_id}/recording", dependencies=_WORKING)
async def note_remote_recording(
    tx: WriteTx, caller: Caller, ticket_id: UUID, session_id: UUID, body: Recording
) -> SessionView:
    """Where the provider keeps the recording, when that is known later."""
    viewer = Viewer.of(caller)
    return SessionView.of(await actions.note_recording(tx, ticket_id, session_id, body.recording_url, viewer))


class RemoteForm(BaseModel):
    """A form about remote assistance, as a page sends it; which fields matter depends on `do`."""

    model_config = {"extra": "forbid"}

    do: Literal["start", "invite", "end", "recording"]
    csrf: str = ""
    back: Annotated[str, Field(max_length=500)] = ""
    session_id: UUID | None = None
    invite_customer: bool = False
    participants: list[str] = []
    with_customer: bool = False
    recording_url: str = ""


@router.post(
    "/tickets/{ticket_id}/remote/page",
    dependencies=[Depends(allow(*WORKERS))],
    include_in_schema=False,
)
async def fill_in(
    tx: WriteTx, caller: Caller, ticket_id: UUID, filled: Annotated[RemoteForm, Form()]
) -> RedirectResponse:
    """The same from a page, which is shown again."""
    viewer, chosen = Viewer.of(caller), filled.session_id or UUID(int=0)  # which there is none of
    match filled.do:
        case "start":
            await actions.start(tx, ticket_id, viewer, invite=filled.invite_customer)
        case "invite":
            await actions.invite(tx, ticket_id, chosen, viewer)
        case "end":
            fields = {"participants": filled.participants, "with_customer": filled.with_customer}
            said = checked(EndedSession, {**fields, "recording_url": filled.recording_url or None})
            await actions.end(tx, ticket_id, chosen, viewer, **said.model_dump())
        case "recording":
            kept = checked(Recording, {"recording_url": filled.recording_url})
            await actions.note_recording(tx, ticket_id, chosen, kept.recording_url, viewer)
    here = f"/dispatch/tickets/{ticket_id}/page#remote"
    return RedirectResponse(local_path(filled.back) if filled.back else here, 303)
