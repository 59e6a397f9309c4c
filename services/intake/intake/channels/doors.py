"""The doors of providers: verified before parsed, stored before answered, each thing once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog
from fastapi import APIRouter, Depends, Request, Response

from intake.accounts import rules as sealing
from intake.accounts import store as accounts
from intake.calls.actions import find, note_event
from intake.channels.contract import (
    Account,
    Arrived,
    CallTold,
    Channel,
    DeliveryTold,
    Incoming,
    Noticed,
    Reply,
    Unreadable,
    Verdict,
)
from intake.channels.registry import channel_of
from intake.messages import store as messages
from intake.requests import store as requests
from intake.requests.writer import writer_of
from shared.clock import clock, uuid7
from shared.context import ServiceContext
from shared.db import Tx
from shared.errors import AftercareError
from shared.events.terms import Code
from shared.http.auth import public
from shared.http.keys import keys_for
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ServiceRoute, reading

router = APIRouter(route_class=ServiceRoute)
log = structlog.get_logger()

_OPEN = [Depends(public())]
DEFAULT = "default"


class NoHandshake(AftercareError):
    """{channel} has no handshake: its provider only posts here."""

    kind = "not_found"


@router.get("/channels/{channel}", dependencies=_OPEN, include_in_schema=False)
async def greet_default(channel: Code, request: Request) -> Response:
    """The provider's handshake with the account `default`."""
    return await greet(channel, DEFAULT, request)


@router.get("/channels/{channel}/{name}", dependencies=_OPEN)
async def greet(channel: Code, name: Code, request: Request) -> Response:
    """Answer the provider's handshake, by which it makes sure that the address is ours."""
    kind = channel_of(channel)
    if kind.greet is None:
        raise NoHandshake(channel=channel)
    account = await _account(request, channel, name)
    return _answer(kind.greet(await _incoming(request), account))


@router.post("/channels/{channel}", dependencies=_OPEN, include_in_schema=False)
async def receive_default(channel: Code, request: Request) -> Response:
    """The same for the account `default`."""
    return await receive(channel, DEFAULT, request)


@router.post("/channels/{channel}/{name}", dependencies=_OPEN)
async def receive(channel: Code, name: Code, request: Request) -> Response:
    """What a provider posts, signed as it signs. Answered once all of it is stored."""
    kind = channel_of(channel)
    account = await _account(request, channel, name)
    incoming = await _incoming(request)
    kind.verify(incoming, account)
    await take(service_of(request), account, read(kind, incoming, account))
    return _answer(kind.acknowledge)


def read(kind: Channel, incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """What a verified call says; one that says nothing we know is kept as `unreadable`."""
    try:
        return kind.parse(incoming, account)
    except Unreadable:
        log.warning("channel_unreadable", channel=account.channel, account=account.name)
        return [Noticed("unreadable", str(uuid7()), incoming.body)]


async def take(context: ServiceContext, account: Account, verdicts: Sequence[Verdict]) -> None:
    """Store all of it: messages with the group that waits, the rest in one transaction."""
    arrived = [each.message for each in verdicts if isinstance(each, Arrived)]
    others = [each for each in verdicts if not isinstance(each, Arrived)]
    if others:
        await context.database.transact(partial(_note, account=account, verdicts=others))
    if arrived:
        await asyncio.gather(*(writer_of(context).register(each) for each in arrived))


async def _note(tx: Tx, account: Account, verdicts: Sequence[Verdict]) -> None:
    for each in verdicts:
        if isinstance(each, CallTold):
            call = await find(tx, account.place, each.external_id, each.event, each.at, account.region)
            await note_event(tx, call, each.event, each.at, account.region, None, call.request_id)
    told = [each for each in verdicts if isinstance(each, DeliveryTold)]
    await messages.save_deliveries(tx, account.channel, account.name, told)
    noticed = [each for each in verdicts if isinstance(each, Noticed)]
    await requests.put_aside(tx, [_aside(account, each) for each in noticed])


def _aside(account: Account, noticed: Noticed) -> dict[str, object]:
    return {
        "id": uuid7(),
        "channel": account.channel,
        "account": account.name,
        "external_id": noticed.external_id,
        "reason": noticed.kind,
        "body": noticed.raw,
    }


async def _account(request: Request, channel: str, name: str) -> Account:
    keys = keys_for(sealing.PURPOSE, settings_of(request))
    async with reading(service_of(request).database) as tx:
        return await accounts.load(tx, channel, name, keys)


async def _incoming(request: Request) -> Incoming:
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Incoming(
        method=request.method,
        url=settings_of(request).public_url.rstrip("/") + path,
        headers={name.lower(): value for name, value in reversed(request.headers.items())},
        query=dict(reversed(request.query_params.multi_items())),
        body=await request.body(),
        received_at=clock.now(),
    )


def _answer(reply: Reply) -> Response:
    return Response(reply.body, reply.status, media_type=reply.content_type)
