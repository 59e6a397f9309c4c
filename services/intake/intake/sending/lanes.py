"""One lane per account: it takes what waits for it, sends it, and records what became of it.

A lane is a task of its own while its account has something to do, so that a provider that hangs delays no
other. Nothing is sent within a transaction: a message is recorded as `sending`, sent, and its fate recorded.
After a crash in between it is repeated if its receiver drops duplicates, else shown to a person as `unknown`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from prometheus_client import Counter

from intake.accounts import rules as sealing
from intake.accounts import store as accounts
from intake.accounts.rules import SecretsUnreadable
from intake.accounts.store import NoSuchAccount
from intake.channels.contract import Account
from intake.messages import threads
from intake.optouts import rules as optouts
from intake.optouts.store import Withdrawn, load_withdrawn
from intake.requests import store as requests
from intake.sending import store
from intake.sending.calls import Calls
from intake.sending.contract import Later, Outcome, Outgoing, Refused, Sender, Sent, Uncertain
from intake.sending.mail import MailServer, host_of, submit
from intake.sending.registry import senders
from intake.sending.rules import (
    MAIL,
    SMS,
    Asked,
    Ways,
    after_attempt,
    places_of,
    planned,
    rest_of_lane,
    too_long,
    window_over,
)
from intake.sending.words import UnknownTemplate, automatic, text_of
from shared.clock import clock, made_at
from shared.context import ServiceContext
from shared.db import Tx
from shared.events.intake import MessageSent
from shared.http import metrics
from shared.http.keys import Key, keys_for
from shared.inbox.failure import explain
from shared.outbox.emit import emit
from shared.outgoing import PATIENCE
from shared.outgoing import Outgoing as WayOut

AT_ONCE: Final = 8  # messages of one account on their way together
# Longer than any attempt takes: who holds a message so long is dead, or will not record it any more.
LEASE: Final = timedelta(seconds=6 * PATIENCE)
ENDING: Final = 5.0  # seconds that a process which stops waits for what is on its way
REST_OF_A_BUG: Final = 5.0

outcomes: Final = Counter(
    "aftercare_intake_sends",
    "Attempts to send to customers.",
    ["channel", "outcome"],
    registry=metrics.registry,
)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Through:
    """By what a lane sends: the mail server, or an account with its sender."""

    mail: MailServer | None
    account: Account | None = None
    sender: Sender | None = None

    @property
    def drops_duplicates(self) -> bool:
        return self.sender.drops_duplicates if self.sender else True


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is to be sent now: its row, what is around it, and why it must not be sent, if so."""

    row: Any
    around: Any
    unwanted: str | None


class Lanes:
    """The lanes of this process."""

    def __init__(self, context: ServiceContext, way_out: WayOut, mail: MailServer | None) -> None:
        self.database = context.database
        self.public_url = context.settings.public_url
        self.keys: Sequence[Key] = keys_for(sealing.PURPOSE, context.settings)
        self.thread_key = keys_for(threads.PURPOSE, context.settings)[0]
        self.mail = mail
        self.calls = Calls(way_out)
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._resting: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._begun = self._stopping = False

    async def tick(self, tx: Tx, now: datetime) -> datetime | None:
        """Begin a lane for every account that has something to do, and find the way of what is new.

        What has found its way now can be sent only once that is committed: at the next call, at once.
        """
        if not self._begun:  # the settings may name a mail server that was not there before
            await store.look_again(tx, now)
            self._begun = True
        self._forget_ended()
        for lane in await store.list_due(tx, now):
            if lane not in self._lanes and self._resting.get(lane, 0.0) <= time.monotonic():
                self._lanes[lane] = asyncio.create_task(self.work(lane), name=f"lane {lane}")
        return now if await self._plan(tx) else None

    async def stop(self) -> None:
        """End all lanes; what they could not end is found again when its lease is over."""
        self._stopping = True
        lanes = list(self._lanes.values())
        if lanes:
            await asyncio.wait(lanes, timeout=ENDING)
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        self._lanes.clear()
        await self.calls.close()

    async def settle(self) -> None:
        """Wait until no lane has anything to do at present."""
        while self._lanes:
            await asyncio.wait(self._lanes.values())
            self._forget_ended()

    def _forget_ended(self) -> None:
        for lane, task in list(self._lanes.items()):
            if not task.done():
                continue
            del self._lanes[lane]
            if not task.cancelled() and (error := task.exception()):
                log.warning("a lane broke off", lane=lane, error=explain(error))
                self._resting[lane] = time.monotonic() + REST_OF_A_BUG

    async def _plan(self, tx: Tx) -> bool:
        rows = await store.load_unplanned(tx, tx.now)
        if not rows:
            return False
        bound = await store.load_bound(tx, [row.customer_id for row in rows if not row.address], SMS)
        asked = {row.id: store.asked_of(row, bound) for row in rows}
        ways = await self.ways(tx, list(asked.values()))
        for row in rows:
            queued_at = row.queued_at or made_at(row.id)
            way = planned(asked[row.id], ways, queued_at, tx.now)
            await store.save_plan(tx, row.id, queued_at, way)
        return True

    async def ways(self, tx: Tx, asked: Sequence[Asked]) -> Ways:
        """What is set up that these could go by."""
        places = {place for each in asked for place in places_of(each)}
        return Ways(await accounts.load_places(tx, places, self.keys), senders(), self.mail is not None)

    async def work(self, lane: str) -> None:
        """Send all that waits for one account now, until nothing is due or the account is in trouble."""
        while not self._stopping:
            through, claimed = await self.database.transact(partial(self._claim, lane=lane))
            ended = await asyncio.gather(
                *(self._deliver(lane, through, each) for each in claimed), return_exceptions=True
            )
            for each in ended:  # all of them come to their end, also when one of them cannot be recorded
                if isinstance(each, BaseException):
                    raise each
            if not ended or not all(ended):
                return

    async def _claim(self, tx: Tx, lane: str) -> tuple[Through, Sequence[Claimed]]:
        through = await self._through(tx, lane)
        if through is None:
            await store.forget_lane(tx, lane)
            return Through(None), ()
        # While it fails one message at a time asks whether it is well again.
        most = 1 if self._failures.get(lane) else AT_ONCE
        host = host_of(self.public_url) if lane.startswith(f"{MAIL}/") else ""
        repeat = through.drops_duplicates
        claimed = await store.claim(tx, lane, tx.now + LEASE, most, repeat=repeat, host=host)
        around = await store.load_around(tx, [row.id for row in claimed])
        # What customers want is asked now, not when somebody or something decided to tell them.
        asked = [around[row.id].customer_id for row in claimed if optouts.may_be_unwanted(row.template)]
        withdrawn = await load_withdrawn(tx, asked)
        return through, [
            Claimed(row, found := around[row.id], _unwanted(lane, row, found, withdrawn)) for row in claimed
        ]

    async def _through(self, tx: Tx, lane: str) -> Through | None:
        channel, _, name = lane.partition("/")
        if channel == MAIL:
            return Through(self.mail) if self.mail else None
        sender = senders().get(channel)
        if sender is None:
            return None
        try:
            return Through(None, await accounts.load(tx, channel, name, self.keys), sender)
        except (NoSuchAccount, SecretsUnreadable):
            return None

    async def _deliver(self, lane: str, through: Through, claimed: Claimed) -> bool:
        row = claimed.row
        try:
            if claimed.unwanted is not None:
                outcome: Outcome = Refused(claimed.unwanted, "unwanted")
            else:
                outcome = await self._send(through, self._outgoing(row, claimed.around, lane))
        except UnknownTemplate:
            outcome = Refused(row.template, "unknown_template")
        except Exception as error:  # whatever it is, it belongs to this message alone
            log.warning("a message cannot be sent", lane=lane, error=explain(error))
            outcome = Uncertain(type(error).__name__)
        outcomes.labels(lane.partition("/")[0], type(outcome).__name__.lower()).inc()
        await self.database.transact(partial(self._record, row=row, outcome=outcome, through=through))
        return self._well(lane, outcome)

    def _outgoing(self, row: Any, around: Any, lane: str) -> Outgoing:
        """What is said, of a claimed message and what is around it. Raises `UnknownTemplate`."""
        url = self.public_url.rstrip("/")
        return Outgoing(
            id=row.id,
            round=row.round,
            request_id=row.request_id,
            address=row.address,
            text=text_of(row.template, row.text, row.link, dict(row.facts or {}), around.heard, url),
            subject=around.title,
            made_at=made_at(row.id),
            message_id=row.external_id or "",
            token=threads.thread_token(row.request_id, self.thread_key, clock.now()),
            thread=tuple(around.thread),
            replies_to=around.replies_to or "",
            heard_at=made_at(around.last_id) if around.last_id else None,
            reference=around.reference,
            callback=f"{url}/intake/channels/{lane}" if url.startswith("https") else "",
            automatic=automatic(row.template),
        )

    async def _send(self, through: Through, outgoing: Outgoing) -> Outcome:
        if through.sender is None or through.account is None:
            assert through.mail is not None
            return await submit(through.mail, outgoing, self.public_url)
        refused = window_over(through.sender, outgoing, clock.now()) or too_long(through.sender, outgoing)
        return refused or await self.calls.send(through.sender, through.account, outgoing)

    async def _record(self, tx: Tx, row: Any, outcome: Outcome, through: Through) -> None:
        repeat = through.drops_duplicates
        change = after_attempt(outcome, row.attempts, row.queued_at, tx.now, random.random(), repeat=repeat)
        sent_id = outcome.external_id if isinstance(outcome, Sent) else None
        recorded = await store.record(tx, row.id, row.attempts, change, sent_id)
        if recorded is None or change.state != "sent":
            return
        request = await requests.lock(tx, recorded.request_id)
        await requests.save(tx, request.id)
        told = MessageSent(template=recorded.template or "answer", channel=recorded.channel, sent_at=tx.now)
        emit(tx, told, subject=request.id, sequence=request.version + 1)

    def _well(self, lane: str, outcome: Outcome) -> bool:
        """Whether the account is well; after a failure of its own it rests for a while."""
        if isinstance(outcome, Sent | Refused):
            self._failures.pop(lane, None)
            return True
        failures = self._failures[lane] = self._failures.get(lane, 0) + 1
        after = outcome.after if isinstance(outcome, Later) else None
        rest = rest_of_lane(failures, after, random.random())
        self._resting[lane] = time.monotonic() + rest.total_seconds()
        return False


def _unwanted(lane: str, row: Any, around: Any, withdrawn: Withdrawn) -> str | None:
    """The purpose for which this customer wants nothing where this message would go."""
    channel = optouts.channel_of(lane, row.address)
    theirs = {purpose for id, purpose, by in withdrawn if (id, by) == (around.customer_id, channel)}
    return optouts.unwanted(row.template, theirs)
