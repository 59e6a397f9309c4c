"""From a database server to a suite that serves: secrets, roles, schemas, a welcome."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Final

import alembic.script  # noqa: F401  migrations are run with it; there is time to load it while PostgreSQL starts

from allinone import access, schemas
from allinone.installation import EMBEDDED as FOLDER

DATABASE: Final = "aftercare"


async def open_suite(port: int, answers: int) -> None:
    """What `allinone.opener` asks for: the environment of a suite, its roles and schemas, a welcome."""
    with os.fdopen(answers, "w") as opened:
        if not (postgres_url := (await _told()).strip()):
            return
        environment = suite_environment(port, postgres_url)
        os.environ.update(environment)
        print(json.dumps(environment), file=opened, flush=True)
        await prepare()
        print(file=opened)
    if await _told():
        from allinone.welcome import welcome  # what makes tokens and calls is loaded when all is served

        await welcome(port)


async def _told() -> str:
    """The next line; empty when nobody will tell another."""
    return await asyncio.to_thread(sys.stdin.readline)


def suite_environment(port: int, postgres_url: str) -> dict[str, str]:
    """All that the one process of a suite on that database server is told, and what opens it."""
    kept = access.kept_secrets(FOLDER / "secrets")
    database = access.database_environment(postgres_url, DATABASE, kept)
    return database | common_environment(port, kept["secret"]) | {"AFTERCARE_BUS": "memory"}


async def prepare() -> None:
    """Roles and schemas, as new as the code."""
    await schemas.provision_all()
    async for _ in schemas.migrate_all():
        pass


def common_environment(port: int, secret: str) -> dict[str, str]:
    """What every process of a suite on this machine is told, whichever way it runs."""
    return {
        "AFTERCARE_PUBLIC_URL": os.environ.get("PHONES_URL", f"http://127.0.0.1:{port}"),
        "AFTERCARE_SECRET": secret,
        "AFTERCARE_LOG_LEVEL": os.environ.get("AFTERCARE_LOG_LEVEL", "warning"),
    }
