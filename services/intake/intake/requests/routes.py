"""Requests by HTTP, for those who work on them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from intake.messages import store as messages
from intake.requests import actions, store
from shared.db import Tx
from shared.events.terms import Kind, Severity
from shared.http.auth import Caller, Principal, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router = APIRouter(route_class=ServiceRoute)


class ReasonView(BaseModel):
    """The rule, and the word it decided by."""

    rule: str
    because: str


class Judgement(BaseModel):
    """What was decided, by the rules or by a person."""

    kind: str
    severity: str
    by: str | None
    reasons: list[ReasonView]


class RequestView(BaseModel):
    """One request as the desk sees it; contact data has a door of its own."""

    id: UUID
    channel: str
    kind: str
    severity: str
    region: str
    city: str
    product_line: str | None
    title: str
    received_at: datetime
    ticket_id: UUID | None
    answered_at: datetime | None
    judgements: list[Judgement]


class MessageView(BaseModel):
    """One thing said, by either side."""

    id: UUID
    direction: str
    channel: str
    author: str
    template: str | None
    link: str | None
    text: str
    state: str


class Reclassification(BaseModel):
    """What a person judges instead, and why."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    severity: Severity
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class Answer(BaseModel):
    """What to tell the customer."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000, strip_whitespace=True)]


class Answered(BaseModel):
    """The message waits to be sent."""

    message_id: UUID


_DESK = [Depends(allow("care", "dispatcher", "operations", "admin"))]
_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]


@router.get("/requests", dependencies=_DESK)
async def read_requests(tx: ReadTx, paging: Paged) -> Page[RequestView]:
    """The newest first."""
    before = paging.after[0] if paging.after else None
    requests = await store.load_newest(tx, paging.limit + 1, before if isinstance(before, UUID) else None)
    return paging.page(await _views(tx, requests), key=lambda view: (view.id,))


@router.get("/requests/{id}", dependencies=_DESK)
async def read_request(id: UUID, tx: ReadTx, response: Response) -> RequestView:
    """One request with every judgement of it."""
    request = await store.load(tx, id)
    show_version(response, request.version)
    return (await _views(tx, [request]))[0]


@router.get("/requests/{id}/messages", dependencies=_DESK)
async def read_messages(id: UUID, tx: ReadTx) -> list[MessageView]:
    """The conversation, in order."""
    await store.load(tx, id)
    return [
        MessageView.model_validate(row, from_attributes=True)
        for row in await messages.load_conversation(tx, id)
    ]


@router.post("/requests/{id}/answers", status_code=201, dependencies=[*_AGENTS, Depends(idempotent())])
async def post_answer(id: UUID, tx: WriteTx, answer: Answer, principal: Caller) -> Answered:
    """Answer the customer; the first answer keeps the promise of a first reply (R52, R53)."""
    request = await store.lock(tx, id)
    return Answered(message_id=await actions.answer(tx, request, answer.text, person(principal)))


@router.put("/requests/{id}/judgement", dependencies=_AGENTS)
async def overrule(
    id: UUID, tx: WriteTx, seen: IfMatch, judged: Reclassification, principal: Caller, response: Response
) -> RequestView:
    """Overrule the triage; the rules' judgement is kept beside it (R06)."""
    request = await store.lock(tx, id)
    seen.require(request.version)
    await actions.reclassify(
        tx, id, judged.kind, judged.severity, person(principal), judged.reason, request.version
    )
    request = await store.load(tx, id)
    show_version(response, request.version)
    return (await _views(tx, [request]))[0]


def person(principal: Principal) -> UUID:
    """Who acts, as dispatch's organisation knows them; programs act as nobody."""
    try:
        return UUID(principal.id)
    except ValueError:
        return UUID(int=0)


async def _views(tx: Tx, requests: list[store.Request]) -> list[RequestView]:
    judgements = await store.load_judgements(tx, [request.id for request in requests])
    return [
        RequestView(
            judgements=[
                Judgement.model_validate(each, from_attributes=True) for each in judgements[request.id]
            ],
            **{name: getattr(request, name) for name in RequestView.model_fields if name != "judgements"},
        )
        for request in requests
    ]
