"""Accounts at providers, set up by an admin; their secrets go in and never come out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, StringConstraints

from intake.accounts import rules, store
from intake.channels.contract import Account
from intake.pulling import store as pulling
from intake.requests.rules import UNKNOWN
from intake.sending import store as sending
from intake.sending.registry import SetUp, set_up_of, set_ups
from shared.db.audit import record
from shared.events.terms import Code
from shared.http.auth import Caller, allow
from shared.http.keys import keys_for
from shared.http.problem import invalid
from shared.http.scope import settings_of
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import N_
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

_ADMINS = [Depends(allow("admin"))]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]


class SourceView(BaseModel):
    """What is fetched from a provider that only announces, and why it was not the last time."""

    source: str
    told_at: datetime
    next_at: datetime
    trouble: str | None


class AccountView(BaseModel):
    """One account of a channel; its secrets are not told."""

    name: str
    region: str
    city: str
    product_line: str | None
    updated_at: datetime
    fetched: list[SourceView] = []


class ChannelView(BaseModel):
    """A channel, what an account of it is set up with, and the accounts there are."""

    name: str
    secrets: list[str]
    optional: list[str]
    accounts: list[AccountView]


class AccountSetUp(Sent):
    """What the provider signs with and answers are sent with, and where requests belong that do not say."""

    secrets: dict[Code, Secret]
    region: Code = UNKNOWN
    city: Code = UNKNOWN
    product_line: Code | None = None


@router.get("/channels", dependencies=_ADMINS)
async def read_channels(tx: ReadTx) -> list[ChannelView]:
    """Every channel of a provider, with its accounts."""
    by_channel: dict[str, list[AccountView]] = {name: [] for name in set_ups()}
    fetched: dict[tuple[str, str], list[SourceView]] = {}
    for row in await pulling.load_all(tx):
        source = SourceView(source=row.source, told_at=row.told_at, next_at=row.due_at, trouble=row.detail)
        fetched.setdefault((row.channel, row.account), []).append(source)
    for row in await store.load_all(tx):
        view = AccountView.model_validate(row, from_attributes=True)
        view.fetched = fetched.get((row.channel, row.name), [])
        by_channel.setdefault(row.channel, []).append(view)
    return [
        ChannelView(
            name=each.name,
            secrets=list(each.secrets),
            optional=list(each.optional),
            accounts=by_channel[each.name],
        )
        for each in set_ups().values()
    ]


@router.put("/channels/{channel}/accounts/{name}", status_code=204, dependencies=_ADMINS)
async def set_up(
    channel: Code, name: Code, tx: WriteTx, wanted: AccountSetUp, request: Request, caller: Caller
) -> Response:
    """Set an account up, or anew; its provider posts to `/intake/channels/{channel}/{name}`."""
    _complete(set_up_of(channel), wanted)
    account = Account(channel, name, wanted.secrets, wanted.region, wanted.city, wanted.product_line)
    await store.save(tx, account, keys_for(rules.PURPOSE, settings_of(request))[0], tx.now)
    await sending.look_again(tx, tx.now)
    await pulling.look_again(tx, channel, name)
    await record(tx, caller.id, "channel_account_set", account.place, {})
    return Response(status_code=204)


@router.delete("/channels/{channel}/accounts/{name}", status_code=204, dependencies=_ADMINS)
async def close(channel: Code, name: Code, tx: WriteTx, caller: Caller) -> Response:
    """Close its door; what came in by it stays."""
    await store.remove(tx, channel, name)
    await record(tx, caller.id, "channel_account_closed", f"{channel}/{name}", {})
    return Response(status_code=204)


def _complete(channel: SetUp, wanted: AccountSetUp) -> None:
    for name in channel.secrets:
        if name not in wanted.secrets:
            raise invalid("body", ("secrets", name), N_("This channel is not safe without it"), "missing")
    for name in wanted.secrets:
        if name not in (*channel.secrets, *channel.optional):
            raise invalid("body", ("secrets", name), N_("This channel has no such secret"), "extra_forbidden")
