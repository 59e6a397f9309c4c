"""The five services as processes on one database and one broker, with the sample organisation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg
import httpx

from allinone import sample
from allinone.packages import PACKAGES
from allinone.services import SERVICES, topology
from allinone.visitor import Visitor
from bench.stage import Stage
from chaos.processes import Replica, running
from shared.http.auth import Principal, mint
from shared.settings import Settings

# About as long as what customers write, with words that triage knows.
REQUEST: Final = (
    '{"channel":"web_form","external_id":"$key","region":"east","city":"shanghai","product_line":"cooling",'
    '"customer":{"name":"Example customer","phone":"+8613$digits"},'
    '"description":"The compressor overheats and sometimes stops since this morning; it is number $number. '
    'Please send somebody who knows the cooling circuit, we can be reached the whole day."}'
)
SETTINGS: Final = Settings.model_validate({"database_url": "postgresql://nowhere/none", "bus": "memory"})
"""As far as tokens go, those of every process here: the defaults."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What runs, and a connection that may read all of it."""

    replicas: Mapping[str, Replica]
    admin: asyncpg.Connection

    @property
    def door(self) -> str:
        return f"http://127.0.0.1:{self.replicas['intake'].port}/intake/requests"


def adapter_token(settings: Settings = SETTINGS) -> str:
    """A token of somebody who brings requests."""
    return mint(Principal("bench", frozenset({"adapter"})), settings, timedelta(hours=12))


@asynccontextmanager
async def five(stage: Stage) -> AsyncIterator[Suite]:
    """All five, started as `aftercare up` starts them, without the one address in front."""
    database, broker = await stage.database(*SERVICES), await stage.vhost(topology())
    replicas = {
        name: stage.replica(
            module,
            AFTERCARE_DATABASE_URL=database(name),
            AFTERCARE_AMQP_URL=broker(name),
            AFTERCARE_LOG_LEVEL="warning",
        )
        for name, module in PACKAGES.items()
    }
    admin = await stage.admin(database("intake"))
    try:
        async with running(*replicas.values()):
            await organise(f"http://127.0.0.1:{replicas['dispatch'].port}")
            yield Suite(replicas, admin)
    finally:
        await admin.close()


async def organise(address: str, settings: Settings = SETTINGS) -> None:
    """Import the sample organisation: without one nobody can own a ticket."""
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
        document, new = sample.organisation(), {"if-match": '"0"'}
        await Visitor(client, settings).as_(
            "admin", "PUT", "/dispatch/organisation", json=document, headers=new
        )
