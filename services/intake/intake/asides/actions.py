"""What could not be read when it came is read again once its fault is mended: nothing lost, nothing doubled.

A call that is read again leads to the same messages with the same ids, so that however often it is replayed,
by whomever at once, and whatever its provider sends again meanwhile, each of them is stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import structlog

from intake.accounts import rules as sealing
from intake.accounts import store as accounts
from intake.asides import store
from intake.channels.contract import Account, Arrived, Incoming, Verdict, kept
from intake.channels.doors import take
from intake.channels.held import held
from intake.channels.registry import channel_of
from intake.optouts.rules import wished
from shared.clock import made_at
from shared.context import ServiceContext
from shared.db import Tx
from shared.db.audit import record
from shared.errors import AftercareError
from shared.http.keys import keys_for

FAILED: Final = "failed"
AT_ONCE: Final = 200
"""Calls that one request replays at most."""

log = structlog.get_logger(__name__)


class NotToBeReplayed(AftercareError):
    """What was set aside as {reason} is kept to be read; only what failed is replayed."""

    kind = "conflict"


class StillFails(AftercareError):
    """It cannot be read yet ({fault}); it stays here until its fault is mended."""

    kind: ClassVar = "conflict"


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of many: replayed now, and those that still fail."""

    replayed: int
    failing: int


async def replay(context: ServiceContext, id: UUID, by: str) -> Any:
    """Read one call again and store what it says; as it stands then. Once: again, it is as it was.

    Raises `NoSuchAside`, `NotToBeReplayed`, `StillFails`.
    """
    row, account = await context.database.transact(partial(_load, id=id, context=context))
    if row.at is None:
        verdicts = _read(row, account)
        await take(context, account, verdicts)
        await context.database.transact(partial(_note, id=id, by=by, verdicts=verdicts))
    return await context.database.transact(partial(store.load, id=id))


async def replay_all(context: ServiceContext, channel: str | None, by: str) -> Tally:
    """Replay what failed and was not replayed, the oldest first, at most `AT_ONCE`; each for itself."""
    chosen = partial(store.list_open, reason=FAILED, channel=channel, most=AT_ONCE)
    done = failing = 0
    for id in await context.database.transact(chosen):
        try:
            await replay(context, id, by)
        except (StillFails, accounts.NoSuchAccount, sealing.SecretsUnreadable):
            failing += 1
        else:
            done += 1
    return Tally(done, failing)


async def _load(tx: Tx, id: UUID, context: ServiceContext) -> tuple[Any, Account]:
    row = await store.load(tx, id)
    if row.reason != FAILED:
        raise NotToBeReplayed(reason=row.reason)
    keys = keys_for(sealing.PURPOSE, context.settings)
    return row, await accounts.load(tx, row.channel, row.account, keys)


def _read(row: Any, account: Account) -> Sequence[Verdict]:
    """As the door would have; it was verified when it came, and by the time it came."""
    url = row.url or ""
    query = dict(reversed(parse_qsl(urlsplit(url).query, keep_blank_values=True)))
    incoming = Incoming("POST", url, {}, query, row.body, made_at(row.id))
    try:
        told = [held(wished(each)) for each in channel_of(row.channel).parse(incoming, account)]
    except Exception as error:
        fault = type(error).__name__
        log.warning("replay_failed", channel=row.channel, account=row.account, fault=fault)
        raise StillFails(fault=fault) from None
    return told or [kept("empty", row.body)]


async def _note(tx: Tx, id: UUID, by: str, verdicts: Sequence[Verdict]) -> None:
    messages = sum(isinstance(each, Arrived) for each in verdicts)
    if await store.save_replay(tx, id, by, messages, len(verdicts) - messages):
        await record(tx, by, "set_aside_replayed", str(id), {"messages": messages})
