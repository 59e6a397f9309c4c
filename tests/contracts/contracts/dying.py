"""A process that dies at a commit: just before it, or after it and before anybody is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

When = Literal["before", "after"]


class Died(ConnectionResetError):
    """There is nobody any more who could answer."""


@contextmanager
def dying(admin: asyncpg.Connection, when: When, nth: int = 0) -> Iterator[list[bool]]:
    """The commit after `nth` others is the last thing that happens to its transaction.

    Before it, PostgreSQL ends the connection, as it does when a process is gone; after it, the commit has
    happened and whoever waits for the answer gets none. The list is not empty once it has happened.
    """
    happened: list[bool] = []
    left = nth
    commit = AsyncConnection.commit

    async def last(connection: AsyncConnection) -> None:
        nonlocal left
        left -= 1
        if left != -1:
            return await commit(connection)
        happened.append(True)
        if when == "before":
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert driver is not None
            await admin.execute("SELECT pg_terminate_backend($1, 5000)", driver.get_server_pid())
        await commit(connection)
        raise Died

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsyncConnection, "commit", last)
        yield happened
