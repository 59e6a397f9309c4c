"""Fresh databases for tests: migrated once for each set of services, copied from then on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from shared.clock import uuid7
from shared.db.provision import provision, role_url
from shared.process.service import Service

_Schemas = tuple[tuple[str, tuple[Path, ...]], ...]
_AFFECTED: Final = """
    WITH RECURSIVE affected AS (
        SELECT unnest($1::text[])::regclass::oid AS id
        UNION
        SELECT conrelid FROM pg_constraint JOIN affected ON confrelid = id WHERE contype = 'f'
    )
    SELECT id::regclass::text AS name FROM affected JOIN pg_class ON oid = id WHERE NOT relispartition
"""
_models: Final[dict[tuple[str, _Schemas], Fresh]] = {}
"""The database that others are copied from, by server, services and where their migrations come from."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A database that nobody else uses, with the migrated schemas of some services.

    server  an administrator's URL
    """

    server: str
    name: str

    def url(self, role: str) -> str:
        """As that role sees it: `<service>`, `<service>_owner`."""
        return role_url(self.server, role, password_of(role), self.name)

    async def drop(self) -> None:
        """Whoever is still connected is thrown out."""
        await _administer(self.server, f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


def password_of(role: str) -> str:
    """Roles belong to the whole server: these are the passwords that all tests give them."""
    return f"test-{role}"


async def fresh(server: str, services: Sequence[Service]) -> Fresh:
    """A new database on `server`."""
    key = server, tuple(sorted((each.name, tuple(each.history.folders)) for each in services))
    if key not in _models:
        _models[key] = await _migrated(server, services)
    copy = Fresh(server, f"test_{uuid7().hex}")
    await _administer(server, f"CREATE DATABASE {copy.name} TEMPLATE {_models[key].name}")
    # Who may connect is not copied, and somebody may have given the roles other passwords.
    await provision(server, copy.name, [each.name for each in services], password_of)
    return copy


async def empty(connection: asyncpg.Connection, tables: str) -> None:
    """Delete the rows of `tables`, as in "sink, alert", and of all that refer to them, whoever guards them.

    TRUNCATE makes new files for tables and indexes; for a test's few rows that takes a hundred times as long.
    """
    for patience in (4, 3, 2, 1, 0):
        try:
            return await _emptied(connection, re.split(r",\s*", tables))
        except asyncpg.DeadlockDetectedError:  # a page that is still being read had some of them already
            if not patience:
                raise


async def _emptied(connection: asyncpg.Connection, tables: list[str]) -> None:
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        names = [row["name"] for row in await connection.fetch(_AFFECTED, tables)]
        await connection.execute(f"LOCK TABLE {', '.join(names)}")  # who is still at work ends first
        await connection.execute("; ".join(f"DELETE FROM {name}" for name in names))


async def forget_models(server: str) -> None:
    """Leave nothing behind on a server that goes on."""
    for key in [each for each in _models if each[0] == server]:
        await _models.pop(key).drop()


async def _migrated(server: str, services: Sequence[Service]) -> Fresh:
    model = Fresh(server, f"model_{uuid7().hex}")
    await provision(server, model.name, [each.name for each in services], password_of)
    for each in services:
        await each.history.upgrade(model.url(f"{each.name}_owner"))
    return model


async def _administer(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
