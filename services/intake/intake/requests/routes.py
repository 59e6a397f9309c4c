"""Requests by HTTP, for those who work on them."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, StringConstraints

from intake.customers import store as customers
from intake.messages import store as messages
from intake.optouts.rules import wants_no_more
from intake.optouts.store import load_withdrawn
from intake.requests import access, actions, store
from intake.sending.fates import fates_of, told_of
from shared.db import Tx
from shared.db.audit import record
from shared.events.terms import Kind, Level, Severity
from shared.http.auth import Caller, Principal, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.logs import redact
from shared.sent import Sent

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
    """One request as the desk sees it, contact data removed: that has doors of its own."""

    id: UUID
    number: int
    """Short, to be said on the telephone; pages and letters write R-100001."""
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
    solved_at: datetime | None
    """When the desk solved it by an answer alone (R11)."""
    judgements: list[Judgement]


class MessageView(BaseModel):
    """One thing said, by either side; a link is absolute, as customers need it."""

    id: UUID
    direction: str
    channel: str
    author: str
    template: str | None
    link: str | None
    text: str
    state: str
    """received; waiting, sending, sent, failed, unknown; delivered, read where the provider says so."""
    why: str | None = None
    detail: str | None = None
    sent_at: datetime | None = None


class CustomerView(BaseModel):
    """Who asked, and how to reach them."""

    id: UUID
    name: str
    level: Level
    phones: list[str]
    emails: list[str]


class Reclassification(Sent):
    """What a person judges instead, and why."""

    kind: Kind
    severity: Severity
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


AnswerText = Annotated[str, StringConstraints(min_length=1, max_length=20_000, strip_whitespace=True)]


class Answer(Sent):
    """What to tell the customer."""

    text: AnswerText
    solved: bool = False
    """There is nothing else to do: of enquiries and questions about orders only (R11)."""
    spoken: bool = False
    """It was said on the phone already: it is written down and not sent."""

    def said(self, name: str | None) -> actions.Said:
        return actions.Said(self.text, self.solved, self.spoken, name or "")


class Answered(BaseModel):
    """The message waits to be sent; `no_more` says that the customer asked for no messages where it goes."""

    message_id: UUID
    no_more: bool = False


_PLAIN = [name for name in RequestView.model_fields if name not in ("judgements", "title")]
_DESK = [Depends(allow("care", "dispatcher", "operations", "admin"))]
_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]


@router.get("/requests", dependencies=_DESK)
async def read_requests(tx: ReadTx, paging: Paged, principal: Caller) -> Page[RequestView]:
    """The newest first."""
    before = paging.after[0] if paging.after else None
    start = before if isinstance(before, UUID) else None
    requests = await access.load_newest(tx, principal, paging.limit + 1, start)
    return paging.page(await _views(tx, requests), key=lambda view: (view.id,))


@router.get("/requests/{id}", dependencies=_DESK)
async def read_request(id: UUID, tx: ReadTx, principal: Caller, response: Response) -> RequestView:
    """One request with every judgement of it."""
    request = await access.load(tx, principal, id)
    show_version(response, request.version)
    return (await _views(tx, [request]))[0]


@router.get("/requests/{id}/customer", dependencies=_DESK)
async def read_customer(id: UUID, request: Request, principal: Caller) -> CustomerView:
    """Who asked; looking is recorded."""
    return await service_of(request).database.transact(partial(_customer, id=id, viewer=principal))


@router.get("/requests/{id}/messages", dependencies=_DESK)
async def read_messages(id: UUID, request: Request, principal: Caller) -> list[MessageView]:
    """The conversation, in order; customers write their numbers into it, so looking is recorded."""
    look = partial(_conversation, id=id, viewer=principal, public_url=settings_of(request).public_url)
    return await service_of(request).database.transact(look)


@router.post("/requests/{id}/answers", status_code=201, dependencies=[*_AGENTS, Depends(idempotent())])
async def post_answer(id: UUID, tx: WriteTx, answer: Answer, principal: Caller) -> Answered:
    """Answer the customer; the first answer keeps the promise of a first reply (R52, R53).

    What was not said on the phone, and nobody would read, is refused: no address, no link to their page.
    """
    request = await access.lock(tx, principal, id)
    no_more = wants_no_more(request.channel, await load_withdrawn(tx, [request.customer_id]))
    message_id = await actions.answer(tx, request, answer.said(principal.name), person(principal))
    return Answered(message_id=message_id, no_more=no_more)


@router.put("/requests/{id}/judgement", dependencies=_AGENTS)
async def overrule(
    id: UUID, tx: WriteTx, seen: IfMatch, judged: Reclassification, principal: Caller, response: Response
) -> RequestView:
    """Overrule the triage; the rules' judgement is kept beside it (R06)."""
    request = await access.lock(tx, principal, id)
    seen.require(request.version)
    await actions.reclassify(tx, request, judged.kind, judged.severity, person(principal), judged.reason)
    await record(tx, principal.id, "triage_overruled", str(id), {"severity": judged.severity})
    request = await store.load(tx, id)
    show_version(response, request.version)
    return (await _views(tx, [request]))[0]


def person(principal: Principal) -> UUID:
    """Who acts, as dispatch's organisation knows them; programs act as nobody."""
    try:
        return UUID(principal.id)
    except ValueError:
        return UUID(int=0)


async def _customer(tx: Tx, id: UUID, viewer: Principal) -> CustomerView:
    asked = await access.load(tx, viewer, id)
    customer = await look_at_customer(tx, asked, viewer.id)
    reached = await customers.load_identities(tx, asked.customer_id)
    return CustomerView(
        id=customer.id,
        name=customer.name,
        level=customer.level,
        phones=[each.value for each in reached if each.kind == "phone"],
        emails=[each.value for each in reached if each.kind == "email"],
    )


async def _conversation(tx: Tx, id: UUID, viewer: Principal, public_url: str) -> list[MessageView]:
    await look_at_customer(tx, await access.load(tx, viewer, id), viewer.id)
    said = await messages.load_conversation(tx, id)
    fates = await fates_of(tx, said)
    views = [MessageView.model_validate(row, from_attributes=True) for row in said]
    return [
        view.model_copy(update={"link": absolute(view.link, public_url), **told_of(fates.get(view.id))})
        for view in views
    ]


def absolute(link: str | None, public_url: str) -> str | None:
    """A link that leads there from anywhere: events carry some without the address of the house."""
    return public_url.rstrip("/") + link if link and link.startswith("/") else link


async def look_at_customer(tx: Tx, asked: store.Request, actor: str) -> Any:
    """The customer of a request; that `actor` looked is recorded in the same transaction."""
    await record(tx, actor, "customer_read", str(asked.customer_id), {"request": str(asked.id)})
    return (await customers.load(tx, [asked.customer_id]))[asked.customer_id]


async def _views(tx: Tx, requests: list[store.Request]) -> list[RequestView]:
    judgements = await store.load_judgements(tx, [request.id for request in requests])
    return [
        RequestView(
            judgements=[
                Judgement.model_validate(each, from_attributes=True) for each in judgements[request.id]
            ],
            **{name: getattr(request, name) for name in _PLAIN},
            title=redact(request.title),
        )
        for request in requests
    ]
