"""The loop that fetches what providers announced: stored first, then the cursor; each thing once.

Whoever dies in between is asked to fetch the same page again, and the ids of its messages make them the same
requests. One source that hangs delays no other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from intake.accounts import rules as sealing
from intake.accounts import store as accounts
from intake.accounts.rules import SecretsUnreadable
from intake.accounts.store import NoSuchAccount
from intake.channels.contract import Account
from intake.channels.doors import take
from intake.channels.held import held
from intake.channels.registry import channel_of
from intake.optouts.rules import wished
from intake.pulling import rules, store
from intake.pulling.contract import MOST_READ, Asked, Pull, Pulled
from intake.pulling.store import Source
from intake.sending.calls import Calls
from intake.sending.contract import Later, Refused, Renew, Uncertain
from shared.clock import clock
from shared.context import ServiceContext
from shared.db import Database, Tx
from shared.http.keys import keys_for
from shared.inbox.failure import explain
from shared.outgoing import PATIENCE, Allowed, Outgoing
from shared.process.loops import Loop

EVERY: Final = timedelta(seconds=1)
AT_ONCE: Final = 20  # sources of one process
# Longer than any page takes: who holds a source so long is dead.
LEASE: Final = timedelta(seconds=6 * PATIENCE)
_LONGEST_DETAIL: Final = 300

log = structlog.get_logger(__name__)
Failed = Later | Refused | Uncertain


class Pulls:
    """The sources that this process is fetching from."""

    def __init__(self, context: ServiceContext) -> None:
        self.context = context
        settings = context.settings
        way_out = Outgoing(Allowed.read(settings.allowed_hosts), settings.public_url)
        self.calls = Calls(way_out)
        self._keys = keys_for(sealing.PURPOSE, settings)
        self._working: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    async def tick(self, tx: Tx, now: datetime) -> None:
        """Begin with every source that is due."""
        free = AT_ONCE - len(self._working)
        for claimed in await store.claim(tx, now + LEASE, free) if free > 0 else ():
            if claimed.place not in self._working:
                task = asyncio.create_task(self._work_safely(claimed), name=f"pull {claimed.place}")
                self._working[claimed.place] = task
                task.add_done_callback(partial(self._ended, claimed.place))

    def _ended(self, place: tuple[str, str, str], task: asyncio.Task[None]) -> None:
        self._working.pop(place, None)

    async def settle(self) -> None:
        """Wait until nothing is being fetched."""
        while self._working:
            await asyncio.wait(list(self._working.values()))

    async def stop(self) -> None:
        """End; what is not stored is fetched again when its lease is over."""
        working = list(self._working.values())
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await self.calls.close()

    async def _work_safely(self, claimed: Source) -> None:
        try:
            await self.work(claimed)
        except Exception as error:  # the source is asked again when its lease is over
            log.warning("pull_broke_off", channel=claimed.channel, error=explain(error))

    async def work(self, claimed: Source) -> None:
        """Fetch page by page until the provider has no more, or cannot be asked."""
        database = self.context.database
        while True:
            account = await database.transact(partial(self._account, claimed=claimed))
            kind = channel_of(claimed.channel).pull
            if account is None or kind is None or any(not account.secrets.get(each) for each in kind.needs):
                return await self._failed(claimed, Later("not set up"))
            page = await self._ask(kind, account, claimed)
            if not isinstance(page, Pulled):
                return await self._failed(claimed, page)
            told = [held(wished(each)) for each in rules.as_found(page.verdicts, claimed.begun_at)]
            await take(self.context, account, told)
            further = page.more and page.cursor != (claimed.cursor or "")
            due_at = clock.now() + (LEASE if further else rules.EVERY)
            moved = partial(store.advance, claimed=claimed, cursor=page.cursor, due_at=due_at)
            if not await database.transact(moved) or not further:
                return None
            claimed = _at(claimed, page.cursor)

    async def _ask(self, kind: Pull, account: Account, claimed: Source) -> Pulled | Failed:
        """With the announcement's token; without it where the provider will not have it any more."""
        token = rules.token_now(claimed.token, claimed.told_at, clock.now())
        page: Pulled | Failed = Later("")
        for shown in dict.fromkeys((token, "")):
            asked = Asked(claimed.source, claimed.cursor or "", shown)
            compose, read = partial(kind.compose, asked, account), partial(_read, kind, account)
            page = await self.calls.ask(kind.ticket, account, compose, read, MOST_READ)
            if not isinstance(page, Refused):
                break
        return page

    async def _failed(self, claimed: Source, failed: Failed) -> None:
        after = failed.after if isinstance(failed, Later) else None
        due_at = rules.again_at(clock.now(), claimed.failures + 1, after, random.random())
        anew = isinstance(failed, Refused) and claimed.cursor is not None
        log.warning("pull_failed", channel=claimed.channel, account=claimed.account, outcome=failed.detail)
        detail = failed.detail[:_LONGEST_DETAIL]
        note = partial(store.fail, claimed=claimed, due_at=due_at, detail=detail, anew=anew)
        await self.context.database.transact(note)

    async def _account(self, tx: Tx, claimed: Source) -> Account | None:
        try:
            return await accounts.load(tx, claimed.channel, claimed.account, self._keys)
        except (NoSuchAccount, SecretsUnreadable):
            return None


def _read(
    kind: Pull, account: Account, status: int, headers: Mapping[str, str], body: bytes
) -> Pulled | Renew | Refused | Later:
    """A fault of ours costs nothing but time: the provider keeps the page until we can read it."""
    try:
        return kind.read(status, headers, body, account, clock.now())
    except Exception as error:
        log.error("page_not_read", channel=account.channel, fault=type(error).__name__)
        return Later(f"not read: {type(error).__name__}")


def _at(claimed: Source, cursor: str) -> Source:
    return replace(claimed, cursor=cursor, failures=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulling(Loop):
    """Fetches what was announced, and looks now and then whether something was not."""

    pulls: Pulls

    async def run(self, database: Database) -> None:
        try:
            await Loop.run(self, database)
        finally:
            await self.pulls.stop()


def pulling(context: ServiceContext) -> Pulling:
    pulls = context.keep(Pulls)
    return Pulling("pulls", pulls.tick, every=EVERY, pulls=pulls)
