"""The transaction that every action takes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Executable

from shared.clock import uuid7s

if TYPE_CHECKING:
    from shared.outbox.emit import Draft

Lane = Literal["live", "bulk"]


class Tx:
    """One open transaction of one service; only the edge that opened it commits.

    now      the instant the transaction began, by the database's clock; the default time of its events
    lane     "bulk" for imports and re-sends, so that what they cause never delays live work
    ids      of its events: they carry `now`, so the oldest unsent one tells how far all has been sent
    drafts   the events of this transaction, written with it at commit (see `shared.outbox.emit`)
    """

    __slots__ = ("connection", "drafts", "ids", "lane", "now", "service")

    def __init__(self, connection: AsyncConnection, service: str, now: datetime, lane: Lane) -> None:
        self.connection = connection
        self.service = service
        self.now = now
        self.lane = lane
        self.ids = uuid7s(now)
        self.drafts: list[Draft] = []

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        """Run one statement in this transaction."""
        return await self.connection.execute(statement, parameters)
