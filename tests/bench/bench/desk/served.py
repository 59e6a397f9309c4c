"""django-helpdesk, installed, migrated, served."""

from __future__ import annotations

import os
import sys
from asyncio.subprocess import PIPE, STDOUT, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import httpx

import bench
from bench.chain import CLIENTS
from bench.figure import NotMeasured, Numbers
from bench.load import post
from bench.stage import Stage
from chaos.processes import running
from shared.clock import uuid7

PINS: Final = (
    "django-helpdesk==2.6.1",
    "Django==5.2.19",
    "djangorestframework==3.18.3",
    "gunicorn==27.0.1",
    "psycopg[binary]==3.3.9",
)
START: Final = Path(__file__).with_name("start.json")
TOKEN: Final = "bench"  # START has it
# What our request says, as far as a ticket there has a place for it.
TICKET: Final = (
    '{"queue":1,"title":"Compressor overheats, $number","priority":3,'
    '"description":"The compressor overheats and sometimes stops since this morning; it is number $number. '
    'Please send somebody who knows the cooling circuit, we can be reached the whole day."}'
)


class CommandFailed(Exception):
    """A program that prepares it did not succeed; below is what it said."""

    def __init__(self, command: tuple[str, ...], output: str) -> None:
        super().__init__(f"{' '.join(command)}\n{output}")


@dataclass(frozen=True, slots=True)
class Desk:
    """Where it is served."""

    address: str

    async def flood(self, seconds: float) -> Numbers:
        """Post as fast as answers come; returns when it has done what the last clients did not wait for."""
        numbers = await post(f"{self.address}/api/tickets/", CLIENTS, seconds, TICKET, TOKEN, scheme="Token")
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            (await client.get(f"{self.address}/health/ready")).raise_for_status()
        return numbers


@asynccontextmanager
async def desk(stage: Stage) -> AsyncIterator[Desk]:
    """With an environment and a database of its own."""
    python = await installed(stage.folder / "desk")
    settings = {
        "DESK_PYTHON": str(python),
        "DESK_DATABASE_URL": await _new_database(stage),
        "DJANGO_SETTINGS_MODULE": "bench.desk.settings",
        "PYTHONPATH": str(Path(bench.__path__[0]).parent),
    }
    await _run(python, "-m", "django", "migrate", **settings)
    await _run(python, "-m", "django", "loaddata", START, **settings)
    replica = stage.replica("bench.desk", **settings)
    async with running(replica):
        yield Desk(f"http://127.0.0.1:{replica.port}")


async def installed(folder: Path) -> Path:
    """The Python of a new environment with `PINS`; raises `NotMeasured` where they are not to be had."""
    uv, python = Path(sys.executable).with_name("uv"), folder / "bin" / "python"
    await _run(uv, "venv", "--quiet", "--python", sys.executable, folder)
    try:
        await _run(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *PINS)
    except CommandFailed as error:
        raise NotMeasured(f"{PINS[0]} cannot be installed here: nothing to compare with") from error
    return python


async def _new_database(stage: Stage) -> str:
    name = f"bench_{uuid7().hex}"
    connection = await asyncpg.connect(stage.postgres_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return f"{stage.postgres_url.rpartition('/')[0]}/{name}"


async def _run(*command: str | Path, **environment: str) -> None:
    words = tuple(map(str, command))
    process = await create_subprocess_exec(*words, stdout=PIPE, stderr=STDOUT, env=os.environ | environment)
    output, _ = await process.communicate()
    if process.returncode:
        raise CommandFailed(words, output.decode(errors="replace"))
