"""Database, roles and schemas: the one step that needs an administrator.

Each service gets two roles: `<service>_owner` owns the schema and migrates it; `<service>` serves, with no
right on any other schema and no DDL. So "nobody reads another's table" is PostgreSQL's rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import asyncpg
from sqlalchemy.engine import make_url

PasswordOf = Callable[[str], str]
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def role_url(url: str, role: str, password: str, database: str | None = None) -> str:
    """The same server (and database, unless another is named) as seen by another role."""
    parsed = make_url(url).set(username=role, password=password)
    if database is not None:
        parsed = parsed.set(database=database)
    return parsed.render_as_string(hide_password=False)


async def provision(admin_url: str, database: str, services: Iterable[str], password_of: PasswordOf) -> None:
    """Create what is missing, leave what is there; repeatable, and safe when several run at once."""
    names = sorted(services)
    for name in (database, *names):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a schema: use lower-case letters, digits and _")
    await _create_database_and_roles(admin_url, database, names, password_of)
    await _create_schemas(admin_url, database, names)


async def _create_database_and_roles(
    admin_url: str, database: str, services: list[str], password_of: PasswordOf
) -> None:
    connection = await asyncpg.connect(admin_url)
    try:
        # Roles belong to the whole cluster: two provisionings of different databases meet here.
        await connection.execute("SELECT pg_advisory_lock(hashtext('aftercare provision'))")
        for role in (role for service in services for role in (f"{service}_owner", service)):
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(f"CREATE ROLE {role}")
            secret = await connection.fetchval("SELECT quote_literal($1::text)", password_of(role))
            await connection.execute(f"ALTER ROLE {role} LOGIN NOINHERIT PASSWORD {secret}")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(f"CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0")
    finally:
        await connection.close()


async def _create_schemas(admin_url: str, database: str, services: list[str]) -> None:
    target = make_url(admin_url).set(database=database).render_as_string(hide_password=False)
    connection = await asyncpg.connect(target)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('aftercare provision'))")
            await connection.execute(
                f"""
                CREATE EXTENSION IF NOT EXISTS btree_gist;
                CREATE EXTENSION IF NOT EXISTS pg_trgm;
                REVOKE ALL ON DATABASE {database} FROM PUBLIC;
                REVOKE CREATE ON SCHEMA public FROM PUBLIC;
                """
            )
            for service in services:
                await connection.execute(
                    f"""
                    GRANT CONNECT ON DATABASE {database} TO {service}_owner, {service};
                    CREATE SCHEMA IF NOT EXISTS {service};
                    ALTER SCHEMA {service} OWNER TO {service}_owner;
                    GRANT USAGE ON SCHEMA {service} TO {service};
                    """
                )
    finally:
        await connection.close()
