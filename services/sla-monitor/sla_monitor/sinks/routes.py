"""Sinks over HTTP: set them up, see how they fare, try them, send again."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from shared.context import ServiceContext
from shared.events.terms import Code
from shared.http.auth import Caller, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.idempotency import idempotent
from shared.http.readers import wants_page
from shared.http.scope import service_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.outgoing import Outgoing
from sla_monitor.sinks import page, queue, store
from sla_monitor.sinks.actions import add_sink, change_sink, replay, retire_sink, try_sink
from sla_monitor.sinks.answers import (
    ChangedSink,
    MessageShown,
    NewSink,
    Replayed,
    SinkShown,
    Span,
    Tried,
)
from sla_monitor.sinks.loops import outgoing_of
from sla_monitor.sinks.registry import kind_of

router = APIRouter(route_class=ServiceRoute)


def _outgoing(request: Request) -> Outgoing:
    context: ServiceContext = service_of(request)
    return context.keep(outgoing_of)


Out = Annotated[Outgoing, Depends(_outgoing)]


@router.get("/sinks", dependencies=[Depends(allow("operations", "admin"))], response_model=list[SinkShown])
async def sinks(request: Request, tx: ReadTx, viewer: Caller) -> Any:
    """Every sink and how it fares; for a browser the page that shows them."""
    unsent = await queue.count_unsent(tx)
    shown = [SinkShown.of(each, unsent.get(each.id)) for each in await store.list_sinks(tx)]
    if wants_page(request):
        return page.show_all(request, viewer, shown)
    return shown


@router.post("/sinks", status_code=201, dependencies=[Depends(allow("admin")), Depends(idempotent())])
async def add(tx: WriteTx, viewer: Caller, out: Out, body: NewSink, response: Response) -> SinkShown:
    """Tell one more sink of every alert from now on."""
    sink = await add_sink(tx, viewer.id, out, body.kind, body.wanted)
    response.headers["Location"] = f"/sla/sinks/{sink.id}"
    show_version(response, sink.version)
    return SinkShown.of(sink, None)


@router.get("/sinks/new/{kind}", dependencies=[Depends(allow("admin"))], include_in_schema=False)
async def new_sink(request: Request, viewer: Caller, kind: Code) -> Response:
    """The form of a new sink."""
    return page.show_form(request, viewer, kind_of(kind), None)


@router.get("/sinks/{id}", dependencies=[Depends(allow("operations", "admin"))], response_model=SinkShown)
async def sink(request: Request, tx: ReadTx, viewer: Caller, id: UUID, response: Response) -> Any:
    """One sink; its ETag is what a change asks for. For a browser the form that changes it."""
    found = await store.load_sink(tx, id)
    shown = SinkShown.of(found, (await queue.count_unsent(tx)).get(id))
    if wants_page(request):
        latest = await queue.list_messages(tx, id, None, page.MESSAGES)
        return page.show_form(request, viewer, kind_of(found.kind), shown, latest)
    show_version(response, shown.version)
    return shown


@router.put("/sinks/{id}", dependencies=[Depends(allow("admin"))])
async def change(
    tx: WriteTx, viewer: Caller, out: Out, id: UUID, seen: IfMatch, body: ChangedSink, response: Response
) -> SinkShown:
    """Set a sink up anew; it is tried at once."""
    changed = await change_sink(tx, viewer.id, out, id, body.wanted, seen.require)
    show_version(response, changed.version)
    return SinkShown.of(changed, (await queue.count_unsent(tx)).get(id))


@router.delete("/sinks/{id}", status_code=204, dependencies=[Depends(allow("admin"))])
async def retire(tx: WriteTx, viewer: Caller, id: UUID, seen: IfMatch) -> None:
    """Tell a sink nothing any more; what it was told stays known."""
    await retire_sink(tx, viewer.id, id, seen.require)


@router.get("/sinks/{id}/messages", dependencies=[Depends(allow("operations", "admin"))])
async def messages(tx: ReadTx, id: UUID, paging: Paged) -> Page[MessageShown]:
    """What a sink was told, and what became of it, the latest first."""
    await store.load_sink(tx, id)
    rows = await queue.list_messages(tx, id, paging.after, paging.limit + 1)
    return paging.page([MessageShown.of(row) for row in rows], key=lambda each: (each.made_at, each.id))


@router.post("/sinks/{id}/test", status_code=202, dependencies=[Depends(allow("admin"))])
async def test(tx: WriteTx, viewer: Caller, id: UUID) -> Tried:
    """Send a message that says no more than that it is a test."""
    return Tried(message=await try_sink(tx, viewer.id, id))


@router.post("/sinks/{id}/replay", status_code=202, dependencies=[Depends(allow("admin"))])
async def send_again(tx: WriteTx, viewer: Caller, id: UUID, body: Span) -> Replayed:
    """Send again what was made in a time, under the same ids: receivers drop what they have."""
    return Replayed(messages=await replay(tx, viewer.id, id, body.since, body.until))
