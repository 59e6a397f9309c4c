"""The doors of providers: verified before parsed, stored before answered, each thing once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.exc import DBAPIError
from starlette.convertors import StringConvertor, register_url_convertor

from intake.accounts import rules as sealing
from intake.accounts import store as accounts
from intake.calls.actions import find, note_event
from intake.channels.contract import (
    Account,
    Announced,
    Arrived,
    CallTold,
    Channel,
    DeliveryTold,
    Incoming,
    Noticed,
    Opted,
    Reply,
    Unreadable,
    Verdict,
    kept,
)
from intake.channels.held import held, is_nameless
from intake.channels.once import only
from intake.channels.registry import channel_of, doors
from intake.messages import store as messages
from intake.optouts import actions as optouts
from intake.optouts.rules import wished
from intake.pulling import store as pulling
from intake.requests import store as requests
from intake.requests.writer import writer_of
from shared.clock import clock, uuid7
from shared.context import ServiceContext
from shared.db import Tx
from shared.errors import AftercareError
from shared.events.terms import Code
from shared.http.auth import public
from shared.http.keys import keys_for
from shared.http.limits import allow_body
from shared.http.problem import InvalidInput
from shared.http.query import any_query
from shared.http.scope import service_of, settings_of
from shared.http.transaction import ServiceRoute, reading

router = APIRouter(route_class=ServiceRoute)
log = structlog.get_logger()

_OPEN = [Depends(public()), Depends(any_query())]
DEFAULT = "default"


class _OfProviders(StringConvertor):
    """The name of a registered channel: doors with an address of their own keep their 405."""

    regex = "|".join(map(re.escape, doors()))


register_url_convertor("provider", _OfProviders())


class NoHandshake(AftercareError):
    """{channel} has no handshake: its provider only posts here."""

    kind = "not_found"


@router.get("/channels/{channel:provider}", dependencies=_OPEN, include_in_schema=False)
async def greet_default(channel: Code, request: Request) -> Response:
    """The provider's handshake with the account `default`."""
    return await greet(channel, DEFAULT, request)


@router.get("/channels/{channel:provider}/{name}", dependencies=_OPEN)
async def greet(channel: Code, name: Code, request: Request) -> Response:
    """Answer the provider's handshake, by which it makes sure that the address is ours."""
    kind = channel_of(channel)
    if kind.greet is None:
        raise NoHandshake(channel=channel)
    account = await _account(request, channel, name)
    return _answer(kind.greet(await _incoming(request), account))


@router.post("/channels/{channel:provider}", dependencies=_OPEN, include_in_schema=False)
async def receive_default(channel: Code, request: Request) -> Response:
    """The same for the account `default`."""
    return await receive(channel, DEFAULT, request)


@router.post("/channels/{channel:provider}/{name}", dependencies=_OPEN)
async def receive(channel: Code, name: Code, request: Request) -> Response:
    """What a provider posts, signed as it signs. Answered once all of it is stored."""
    kind = channel_of(channel)
    account = await _account(request, channel, name)
    allow_body(request, kind.largest)
    incoming = await _incoming(request)
    kind.verify(incoming, account)
    if kind.once and (call := kind.once(incoming, account)):
        taken = partial(only, account=account, name=call, body=incoming.body)
        await service_of(request).database.transact(taken)
    await take(service_of(request), account, read(kind, incoming, account))
    return _answer(kind.acknowledge)


def read(kind: Channel, incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """What a verified call says; one that says nothing we know is kept as `unreadable`, or as `empty`."""
    try:
        said = kind.parse(incoming, account)
        told = [
            kept("unreadable", incoming.body) if is_nameless(each) else held(wished(each)) for each in said
        ]
        return told or [kept("empty", incoming.body)]
    except InvalidInput:
        raise
    except Unreadable:
        log.warning("channel_unreadable", channel=account.channel, account=account.name)
        return [kept("unreadable", incoming.body)]
    except Exception as error:  # a fault of ours: whoever is answered 500 may never send it again
        fault = type(error).__name__
        log.error("channel_failed", channel=account.channel, account=account.name, fault=fault)
        return [replace(kept("failed", incoming.body), url=incoming.url)]


async def take(context: ServiceContext, account: Account, verdicts: Sequence[Verdict]) -> None:
    """Store all of it: messages with the group that waits, the rest in one transaction.

    Each thing is stored once, however often it comes: whoever dies on the way leaves a call unanswered, and
    the provider sends it again. One message that cannot be stored at all is put aside, for its like would be
    sent again and again with all that came beside it.
    """
    arrived = [each.message for each in verdicts if isinstance(each, Arrived)]
    others = [each for each in verdicts if not isinstance(each, Arrived)]
    if others:
        await _put(context, account, others)
    outcomes = await asyncio.gather(
        *(writer_of(context).register(each) for each in arrived), return_exceptions=True
    )
    refused: list[Verdict] = []
    for message, outcome in zip(arrived, outcomes, strict=True):
        if isinstance(outcome, DBAPIError | ValueError):
            fault = type(outcome).__name__  # not what it says: that may quote the message
            log.error("message_refused", channel=account.channel, account=account.name, fault=fault)
            refused.append(kept("refused", message.raw, message.external_id))
        elif isinstance(outcome, BaseException):
            raise outcome
    if refused:
        await _put(context, account, refused)


async def _put(context: ServiceContext, account: Account, verdicts: Sequence[Verdict]) -> None:
    await context.database.transact(partial(_note, account=account, verdicts=verdicts))


async def _note(tx: Tx, account: Account, verdicts: Sequence[Verdict]) -> None:
    for each in verdicts:
        if isinstance(each, CallTold):
            call = await find(tx, account.place, each.external_id, each.event, each.at, account.region)
            await note_event(tx, call, each.event, each.at, account.region, None, call.request_id)
    told = [each for each in verdicts if isinstance(each, DeliveryTold)]
    await messages.save_deliveries(tx, account.channel, account.name, told)
    await pulling.announce(tx, account, [each for each in verdicts if isinstance(each, Announced)])
    await optouts.note(tx, [each for each in verdicts if isinstance(each, Opted)])
    # In one order, so that two batches with the same things do not wait for each other.
    noticed = sorted((each for each in verdicts if isinstance(each, Noticed)), key=_name)
    await requests.put_aside(tx, [_aside(account, each) for each in noticed])


def _name(noticed: Noticed) -> str:
    return noticed.external_id


def _aside(account: Account, noticed: Noticed) -> dict[str, object]:
    return {
        "id": uuid7(),
        "channel": account.channel,
        "account": account.name,
        "external_id": noticed.external_id,
        "reason": noticed.kind,
        "body": noticed.raw,
        "url": noticed.url,
    }


async def _account(request: Request, channel: str, name: str) -> Account:
    keys = keys_for(sealing.PURPOSE, settings_of(request))
    async with reading(service_of(request).database) as tx:
        return await accounts.load(tx, channel, name, keys)


async def _incoming(request: Request) -> Incoming:
    """The call as its provider made it, whatever a proxy on the way calls this address."""
    raw_path: bytes | None = request.scope.get("raw_path")
    path = raw_path.decode("ascii", "replace") if raw_path else quote(request.scope["path"])
    query = request.scope["query_string"].decode("latin-1")
    return Incoming(
        method=request.method,
        url=settings_of(request).public_url.rstrip("/") + path + (f"?{query}" if query else ""),
        headers={name.lower(): value for name, value in reversed(request.headers.items())},
        query=dict(reversed(request.query_params.multi_items())),
        body=await request.body() if request.method == "POST" else b"",
        received_at=clock.now(),
    )


def _answer(reply: Reply) -> Response:
    return Response(reply.body, reply.status, media_type=reply.content_type)
