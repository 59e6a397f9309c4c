"""Group commit: what waits while one transaction commits goes into the next. No timer.

Under light load a request is alone in its transaction; under heavy load the cost of a commit is shared. One
bad message never fails its neighbours: a group that fails is divided until the culprit is alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from intake.requests import actions
from intake.requests.actions import Overtaken, Registered
from intake.requests.rules import Normalised
from shared.context import ServiceContext
from shared.db import Database, Tx
from shared.errors import Outage
from shared.http.idempotency import IdempotencyKeyReused
from shared.inbox.failure import is_outage

LARGEST_GROUP: Final = 200
TRIES: Final = 3

_ROUTE: Final = "intake.register"

# A key is claimed in the transaction of what it guards; one that is there already answers for itself.
_CLAIM = text(
    """
    INSERT INTO idempotency (principal, route, key, body_hash, status, created_at)
    SELECT principal, :route, key, hash, 202, :now
    FROM unnest(CAST(:principals AS text[]), CAST(:keys AS text[]), CAST(:hashes AS bytea[]))
         AS sent (principal, key, hash)
    ORDER BY principal, key
    ON CONFLICT (principal, route, key) DO NOTHING
    RETURNING principal, key
    """
)
_ANSWERED = text(
    """
    SELECT idempotency.principal, idempotency.key, idempotency.body_hash, idempotency.body
    FROM idempotency JOIN unnest(CAST(:principals AS text[]), CAST(:keys AS text[])) AS sent (principal, key)
      ON idempotency.principal = sent.principal AND idempotency.key = sent.key
    WHERE idempotency.route = :route
    """
)
_ANSWER = text(
    """
    UPDATE idempotency SET body = given.body
    FROM unnest(CAST(:principals AS text[]), CAST(:keys AS text[]), CAST(:bodies AS bytea[]))
         AS given (principal, key, body)
    WHERE idempotency.principal = given.principal AND idempotency.key = given.key
      AND idempotency.route = :route
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
        self._waiting.append(Waiting(message, guard, answer))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await asyncio.shield(answer)

    async def _write_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:LARGEST_GROUP], self._waiting[LARGEST_GROUP:]
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


def writer_of(context: ServiceContext) -> Writer:
    """The one writer of this process."""
    return context.keep(Writer)


async def register_group(tx: Tx, group: Sequence[Waiting]) -> list[Registered | Exception]:
    """Register what is new, repeat answers already given, refuse keys used for something else."""
    guards = {each.guard.place: each.guard for each in group if each.guard}
    claimed = await _claim(tx, list(guards.values()))
    given = await _given(tx, [guard for place, guard in guards.items() if place not in claimed])
    outcomes: dict[int, Registered | Exception] = {}
    fresh: list[tuple[int, Waiting]] = []
    for index, each in enumerate(group):
        known = given.get(each.guard.place) if each.guard else None
        if known is not None and each.guard is not None:
            same = known[0] == each.guard.body_hash
            outcomes[index] = Registered(known[1], fresh=False) if same else IdempotencyKeyReused()
        elif each.guard and guards[each.guard.place].body_hash != each.guard.body_hash:
            outcomes[index] = IdempotencyKeyReused()  # two requests of this very group share a key
        else:
            fresh.append((index, each))
    registered = await actions.register(tx, [each.message for _, each in fresh])
    for (index, _), answer in zip(fresh, registered, strict=True):
        outcomes[index] = answer
    await _answer(tx, {each.guard.place: outcomes[index] for index, each in fresh if each.guard})
    return [outcomes[index] for index in range(len(group))]


async def _claim(tx: Tx, guards: Sequence[Guard]) -> set[tuple[str, str]]:
    if not guards:
        return set()
    rows = await tx.execute(
        _CLAIM,
        {"route": _ROUTE, "now": tx.now, "hashes": [guard.body_hash for guard in guards], **_places(guards)},
    )
    return {(row.principal, row.key) for row in rows}


async def _given(tx: Tx, guards: Sequence[Guard]) -> dict[tuple[str, str], tuple[bytes, UUID]]:
    if not guards:
        return {}
    rows = await tx.execute(_ANSWERED, {"route": _ROUTE, **_places(guards)})
    return {(row.principal, row.key): (row.body_hash, UUID(bytes=row.body)) for row in rows}


async def _answer(tx: Tx, outcomes: dict[tuple[str, str], Registered | Exception]) -> None:
    bodies = {
        place: outcome.request_id.bytes
        for place, outcome in sorted(outcomes.items(), key=lambda pair: pair[0])
        if isinstance(outcome, Registered)
    }
    if bodies:
        await tx.execute(
            _ANSWER,
            {
                "route": _ROUTE,
                "principals": [principal for principal, _ in bodies],
                "keys": [key for _, key in bodies],
                "bodies": list(bodies.values()),
            },
        )


def _places(guards: Sequence[Guard]) -> dict[str, Any]:
    return {"principals": [guard.principal for guard in guards], "keys": [guard.key for guard in guards]}


def _settle(each: Waiting, outcome: Registered | Exception) -> None:
    if each.answer.done():
        return
    if isinstance(outcome, Exception):
        each.answer.set_exception(outcome)
    else:
        each.answer.set_result(outcome)
