"""The schemas of all services: who owns them and what is in them, without loading a service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

from sqlalchemy.engine import make_url

from allinone import access
from allinone.packages import PACKAGES
from shared.db.migrate import Migrations
from shared.db.provision import provision


async def provision_all() -> None:
    """Database, roles and schemas, with the passwords that the services' URLs carry."""
    passwords = {}
    for name in access.NAMES:
        for url in (access.service_url(name), access.owner_url(name)):
            parsed = make_url(url)
            passwords[parsed.username or ""] = str(parsed.password or "")
    database = make_url(access.service_url(access.NAMES[0])).database or ""
    admin = access.admin_database_url()
    with access.reaching("PostgreSQL", access.ADMIN_DATABASE, admin):
        await provision(admin, database, access.NAMES, passwords.__getitem__)


async def migrate_all() -> AsyncIterator[str]:
    """Bring each schema to head; yields each service when it is done."""
    for name in access.NAMES:
        owner = access.owner_url(name)
        with access.reaching("PostgreSQL", access.owner_variable(name), owner):
            await history(name).upgrade(owner)
        yield name


def history(service: str) -> Migrations:
    """Its migrations; of the service nothing but the empty package around them is loaded."""
    return Migrations(service, Path(import_module(PACKAGES[service]).__path__[0]) / "migrations")
