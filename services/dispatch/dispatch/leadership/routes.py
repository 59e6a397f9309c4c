"""Leadership says that it knows: one tap on the page of a ticket, and the same from a program (R23)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from dispatch.access import READERS, Viewer
from dispatch.leadership.actions import acknowledge
from dispatch.leadership.rules import Notice
from shared.events.terms import PersonId
from shared.http.auth import Caller, allow
from shared.http.idempotency import idempotent
from shared.http.transaction import ServiceRoute, WriteTx
from shared.sent import Sent

router: Final = APIRouter(route_class=ServiceRoute)


class NoticeView(BaseModel):
    """The last time that leadership was informed of a ticket, and who acknowledged it first."""

    leader_ids: tuple[PersonId, ...]
    informed_at: datetime
    acknowledged_by: str | None
    """The principal; null while nobody has, like the time."""
    acknowledged_at: datetime | None

    @classmethod
    def of(cls, notice: Notice) -> NoticeView:
        return cls(**{name: getattr(notice, name) for name in cls.model_fields})


class Nothing(Sent):
    """There is nothing more to say."""


class Tapped(Nothing):
    """The button on the page, and the proof that our page sent it."""

    csrf: str = ""


@router.post(
    "/tickets/{ticket_id}/acknowledge", dependencies=[Depends(allow(*READERS)), Depends(idempotent())]
)
async def acknowledge_ticket(
    tx: WriteTx, caller: Caller, ticket_id: UUID, nothing: Nothing | None = None
) -> NoticeView:
    """A leader who was informed looks after the ticket; again, or by another one, answers the same."""
    return NoticeView.of(await acknowledge(tx, ticket_id, Viewer.of(caller)))


@router.post(
    "/tickets/{ticket_id}/acknowledge/page",
    dependencies=[Depends(allow(*READERS))],
    include_in_schema=False,
)
async def tap(
    tx: WriteTx, caller: Caller, ticket_id: UUID, tapped: Annotated[Tapped, Form()]
) -> RedirectResponse:
    """The same from the ticket's page, which is shown again."""
    await acknowledge(tx, ticket_id, Viewer.of(caller))
    return RedirectResponse(f"/dispatch/tickets/{ticket_id}/page", 303)
