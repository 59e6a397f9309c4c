"""The all-in-one, as `aftercare run` starts it, with its data in a folder of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from allinone import access
from allinone.suite import START_WITHIN_S
from bench.embedded_run import FOLDER
from bench.stage import Stage
from chaos.processes import Replica
from localservers.postgres import PostgresServer
from shared.settings import Settings

NOWHERE: Final = "postgresql://nowhere/none"  # tokens need no database


def embedded(stage: Stage, folder: Path) -> Replica:
    """The all-in-one with a database of its own; nothing but what is in `folder` is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {"AFTERCARE_ADMIN_DATABASE_URL": "", "DEMO": "0", FOLDER: str(folder)}
    return stage.replica("bench.embedded_run", **own)


@asynccontextmanager
async def serving(replica: Replica, within: float = START_WITHIN_S) -> AsyncIterator[float]:
    """Start it, stop it in the end as an operator does; the seconds until it was ready."""
    replica.start()
    try:
        yield await replica.ready(within)
        await replica.stop(within)
    finally:
        await replica.close()


def settings_of(replica: Replica, folder: Path) -> Settings:
    """As far as its tokens go."""
    public = {"public_url": f"http://127.0.0.1:{replica.port}"}
    secret = access.kept_secrets(folder / ".aftercare" / "secrets")["secret"]
    return Settings.model_validate({"database_url": NOWHERE, "bus": "memory", "secret": secret, **public})


async def forget(folder: Path) -> None:
    """Remove the data of an all-in-one that has ended."""
    await PostgresServer(folder / ".aftercare" / "postgres").remove()
