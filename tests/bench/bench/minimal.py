"""The shortest way in that still commits together: what POST → outbox → relay can be at its least."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from fastapi import APIRouter, Depends, Request

from bench.events import ThingCounted
from shared.clock import uuid7
from shared.context import ServiceContext
from shared.db import Tx
from shared.http.auth import public
from shared.http.scope import service_of
from shared.outbox.emit import emit
from toy.services import MadeThing, NewThing

router: Final = APIRouter(dependencies=[Depends(public())])


class Gathering:
    """What waits while one transaction commits goes into the next."""

    def __init__(self, context: ServiceContext) -> None:
        self._database = context.database
        self._waiting: list[NewThing] = []
        self._next: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def store(self, new: NewThing) -> None:
        """Returns once the event of it is committed."""
        self._waiting.append(new)
        if self._next is None:
            self._next = asyncio.create_task(self._commit())
        await asyncio.shield(self._next)

    async def _commit(self) -> None:
        async with self._one_at_a_time:
            things, self._waiting, self._next = self._waiting, [], None
            await self._database.transact(partial(_emit_all, things=things))


async def _emit_all(tx: Tx, things: list[NewThing]) -> None:
    for new in things:
        emit(tx, ThingCounted(amount=1), subject=new.subject, sequence=new.sequence)


@router.post("/counted", status_code=201)
async def post_counted(new: NewThing, request: Request) -> MadeThing:
    await service_of(request).keep(Gathering).store(new)
    return MadeThing(id=uuid7())
