"""Makes things in bulk, straight in maker's schema, as an import would."""

import asyncio
from collections.abc import Sequence
from typing import Final, Self

from sqlalchemy import func, select

from shared.db import Database
from shared.db.engine import is_database_outage
from shared.db.tx import Lane, Tx
from testbed.ground import Ground
from testbed.things import Thing
from toy.events import ThingMade
from toy.services import TOPOLOGY, make_things, thing

AWAY: Final = 0.2  # seconds between two tries while PostgreSQL is away


class Writer:
    """One connection to PostgreSQL, direct: what it breaks off from is a server that died."""

    def __init__(self, ground: Ground) -> None:
        self.written = 0
        self.in_doubt = 0
        self._database = Database(
            "maker",
            ground.database_url("maker"),
            pool_size=1,
            listening=TOPOLOGY.listened_from("maker"),
            purpose="import",
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()

    async def write(self, things: Sequence[Thing], lane: Lane) -> None:
        """All of them in one transaction; when its end is in doubt the table is asked."""
        tries = 0
        while not (tries and await self._found(things)):
            tries += 1
            try:
                await self._database.transact(lambda tx: _make(tx, things), lane=lane)
                break
            except Exception as error:
                if not is_database_outage(error):
                    raise
                self.in_doubt += 1
        self.written += len(things)

    async def _found(self, things: Sequence[Thing]) -> bool:
        keys = [each.key for each in things]
        count = select(func.count()).select_from(thing).where(thing.c.key.in_(keys))
        while True:
            try:
                async with self._database.transaction() as tx:
                    found: int = (await tx.execute(count)).scalar_one()
                break
            except Exception as error:
                if not is_database_outage(error):
                    raise
            await asyncio.sleep(AWAY)
        assert found in (0, len(things)), f"{found} of {len(things)} things: half a transaction"
        return found > 0


async def _make(tx: Tx, things: Sequence[Thing]) -> None:
    await make_things(tx, ((each.subject, each.sequence, ThingMade(amount=each.amount)) for each in things))
