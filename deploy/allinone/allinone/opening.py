"""From a database server to a suite that serves: secrets, roles, schemas, a welcome."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Final

import httpx

from allinone import access, demo, operations, sample
from allinone.installation import EMBEDDED as FOLDER
from shared.clock import clock
from shared.db import Database
from shared.settings import load

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
    await operations.provision_all()
    async for _ in operations.migrate_all():
        pass


async def welcome(port: int) -> None:
    """Say where everything is, who may sign in, and play the sample day (DEMO=0 for none)."""
    settings = load("intake")
    database = Database("intake", str(settings.database_url), pool_size=1)
    await clock.sync(database.time)
    await database.close()
    address = f"http://127.0.0.1:{port}"
    print(f"\nAftercare is at {address}/ (Ctrl-C stops it). Sample sign-ins, good for 12 hours:\n")
    for role in sample.WHO:
        if role != "adapter":
            print(f"  {role:<12} {address}/sign-in#token={sample.token(role, settings)}")
    print(f"\n  API          {address}/openapi.json   events {address}/asyncapi.json", flush=True)
    if os.environ.get("DEMO", "1") != "0":
        try:
            played = await demo.play(FOLDER, address, settings)
        except (demo.Refused, httpx.HTTPError, TimeoutError) as error:
            print(f"the sample day could not be played to its end: {error}", file=sys.stderr, flush=True)
            return
        if played:
            print("\nA sample day has been played: open the operations board, /sla/board.", flush=True)


def common_environment(port: int, secret: str) -> dict[str, str]:
    """What every process of a suite on this machine is told, whichever way it runs."""
    return {
        "AFTERCARE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "AFTERCARE_SECRET": secret,
        "AFTERCARE_LOG_LEVEL": os.environ.get("AFTERCARE_LOG_LEVEL", "warning"),
    }
