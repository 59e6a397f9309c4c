"""Group commit: what waits while one transaction commits goes into the next. No timer.

Under light load a request is alone in its transaction; under heavy load the cost of a commit is shared. One
bad message never fails its neighbours: a group that fails is divided until the culprit is alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import text

from intake.requests import actions
from intake.requests.actions import Overtaken, Registered
from intake.requests.rules import Normalised
from shared.context import ServiceContext
from shared.db import Database, Tx
from shared.db.rows import Rows
from shared.db.tables import idempotency
from shared.errors import Outage
from shared.http.idempotency import IdempotencyKeyReused
from shared.inbox.failure import is_outage
from shared.trace import current_traceparent

LARGEST_GROUP: Final = 200
HEAVIEST_GROUP: Final = 16 * 1024 * 1024  # bytes; a larger mail travels alone
TRIES: Final = 3

_ROUTE: Final = "intake.register"

_ANSWERED = text(
    """
    SELECT sent.principal, sent.key, given.body_hash, given.body
    FROM unnest(CAST(:principals AS text[]), CAST(:keys AS text[])) AS sent (principal, key)
    CROSS JOIN LATERAL (
        SELECT body_hash, body FROM idempotency
        WHERE idempotency.principal = sent.principal AND idempotency.route = :route
          AND idempotency.key = sent.key OFFSET 0
    ) AS given
    """
)


@dataclass(frozen=True, slots=True)
class Guard:
    """The Idempotency-Key of a message: whose, which, and what it was sent with."""

    principal: str
    key: str
    body_hash: bytes

    @property
    def place(self) -> tuple[str, str]:
        return self.principal, self.key


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message whose sender waits for the answer."""

    message: Normalised
    guard: Guard | None
    answer: asyncio.Future[Registered]


class Writer:
    """Registers messages for all requests of a process, one transaction after the other."""

    def __init__(self, context: ServiceContext) -> None:
        self._database: Database = context.database
        self._waiting: list[Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def register(self, message: Normalised, guard: Guard | None = None) -> Registered:
        """Returns once the request is committed; raises what is wrong with this message alone."""
        answer: asyncio.Future[Registered] = asyncio.get_running_loop().create_future()
        traced = replace(message, traceparent=current_traceparent())
        self._waiting.append(Waiting(traced, guard, answer))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await asyncio.shield(answer)

    async def _write_all(self) -> None:
        while self._waiting:
            size = size_of_group(self._waiting)
            group, self._waiting = self._waiting[:size], self._waiting[size:]
            await self._write(group)

    async def _write(self, group: Sequence[Waiting], tries: int = TRIES) -> None:
        try:
            answers = await self._database.transact(partial(register_group, group=group))
        except Exception as error:
            if isinstance(error, Overtaken) and tries > 1:
                return await self._write(group, tries - 1)
            if len(group) == 1 or is_outage(error):
                for each in group:
                    _settle(each, Outage(what="PostgreSQL") if is_outage(error) else error)
                return None
            middle = len(group) // 2
            await self._write(group[:middle])
            await self._write(group[middle:])
            return None
        for each, answer in zip(group, answers, strict=True):
            _settle(each, answer)
        return None


def size_of_group(waiting: Sequence[Waiting]) -> int:
    """How many of those in front go together; at least one."""
    weight = 0
    for size, each in enumerate(waiting[:LARGEST_GROUP]):
        weight += len(each.message.raw)
        if size and weight > HEAVIEST_GROUP:
            return size
    return min(len(waiting), LARGEST_GROUP)


def writer_of(context: ServiceContext) -> Writer:
    """The one writer of this process."""
    return context.keep(Writer)


async def register_group(tx: Tx, group: Sequence[Waiting]) -> list[Registered | Exception]:
    """Register what is new, repeat answers already given, refuse keys used for something else."""
    firsts: dict[tuple[str, str], int] = {}  # a key may stand in one group many times
    for index, each in enumerate(group):
        if each.guard:
            firsts.setdefault(each.guard.place, index)
    given = await _given(tx, list(firsts))
    fresh = [
        index
        for index, each in enumerate(group)
        if each.guard is None or (each.guard.place not in given and firsts[each.guard.place] == index)
    ]
    guards = [group[index].guard for index in fresh]
    beside = partial(_kept, guards, now=tx.now)
    registered = await actions.register(tx, [group[index].message for index in fresh], beside)
    new: dict[int, Registered] = dict(zip(fresh, registered, strict=True))
    for guard, answer in zip(guards, registered, strict=True):
        if guard:
            given[guard.place] = guard.body_hash, answer.request_id
    return [new.get(index) or _repeated(each, given) for index, each in enumerate(group)]


def _repeated(each: Waiting, given: Mapping[tuple[str, str], tuple[bytes, UUID]]) -> Registered | Exception:
    assert each.guard is not None
    body_hash, request_id = given[each.guard.place]
    if body_hash != each.guard.body_hash:
        return IdempotencyKeyReused()
    return Registered(request_id, fresh=False)


async def _given(tx: Tx, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[bytes, UUID]]:
    """The answers that these keys have had already, with what each was sent with."""
    if not places:
        return {}
    rows = await tx.execute(
        _ANSWERED,
        {
            "route": _ROUTE,
            "principals": [principal for principal, _ in places],
            "keys": [key for _, key in places],
        },
    )
    return {(row.principal, row.key): (row.body_hash, UUID(bytes=row.body)) for row in rows}


def _kept(guards: Sequence[Guard | None], answers: Sequence[Registered], now: datetime) -> list[Rows]:
    """The answers by key, for the transaction of what they guard; a key that is there already fails it."""
    rows = [
        {
            "principal": guard.principal,
            "route": _ROUTE,
            "key": guard.key,
            "body_hash": guard.body_hash,
            "status": 202,
            "body": answer.request_id.bytes,
            "created_at": now,
        }
        for guard, answer in zip(guards, answers, strict=True)
        if guard
    ]
    return [(idempotency, rows)]


def _settle(each: Waiting, outcome: Registered | Exception) -> None:
    if each.answer.done():
        return
    if isinstance(outcome, Exception):
        each.answer.set_exception(outcome)
    else:
        each.answer.set_result(outcome)
