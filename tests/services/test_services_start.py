"""The services as a process runs them, over the memory bus: they start, are ready, and hear each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from allinone.services import SERVICES
from chaos.databases import Fresh, fresh, password_of
from feedback.app import service as feedback
from parts.app import service as parts
from parts.catalogue.actions import save_catalogue
from parts.stock.actions import receive_delivery
from shared.clock import uuid7
from shared.db import Database, Tx
from shared.db.provision import provision
from shared.events.dispatch import PartsRequested, TicketClosed
from shared.events.terms import PartLine, Site
from shared.outbox.emit import emit
from shared.process.assembly import Process
from shared.process.service import Service, topology_of
from shared.settings import Settings
from toy.stage import until

ENGINEER = UUID(int=1)
DISPATCH = Service("dispatch")
"""Its schema alone: the test speaks for it."""


@asynccontextmanager
async def running(admin_url: str, services: Sequence[Service]) -> AsyncIterator[Process]:
    """A process of `services`, begun, on a database of its own."""
    async with started(await fresh(admin_url, services), services) as process:
        async with asyncio.timeout(30):
            await process.begun()
        yield process


@asynccontextmanager
async def started(made: Fresh, services: Sequence[Service]) -> AsyncIterator[Process]:
    settings = {each.name: Settings(database_url=made.url(each.name), bus="memory") for each in services}
    process = Process(tuple(services), settings, topology_of(services))
    process.start()
    try:
        yield process
    finally:
        await process.stop()
        await made.drop()


def database_of(process: Process, name: str) -> Database:
    return process.contexts[name].database


@pytest.mark.parametrize("services", [(parts, feedback), SERVICES], ids=["parts and feedback", "all five"])
async def test_they_start_together_and_are_ready(postgres_url: str, services: Sequence[Service]) -> None:
    async with running(postgres_url, services) as process:
        assert await process.readiness() == {each.name: None for each in services}

        assert (await process.flow()).stuck == ()
        assert {
            name: state.last_error for name, state in process.supervisor.states.items() if state.restarts
        } == {}


async def test_they_wait_for_their_schemas(postgres_url: str) -> None:
    made, names = Fresh(postgres_url, f"test_{uuid7().hex}"), [parts.name, feedback.name]
    await provision(postgres_url, made.name, names, password_of)
    async with started(made, (parts, feedback)) as process:

        async def behind() -> None:
            reason = "starting: migrations are behind: run `aftercare migrate`"
            assert await process.readiness() == dict.fromkeys(names, reason)

        await until(behind, within=10)
        await parts.history.upgrade(made.url("parts_owner"))
        await behind()
        await feedback.history.upgrade(made.url("feedback_owner"))
        async with asyncio.timeout(10):
            await process.begun()
        assert await process.readiness() == dict.fromkeys(names)
        assert not any(state.restarts for state in process.supervisor.states.values())


async def test_what_dispatch_tells_becomes_a_hold_and_a_survey(postgres_url: str) -> None:
    requisition, ticket = uuid7(), uuid7()

    async def stock(tx: Tx) -> None:
        await save_catalogue(tx, {"PUMP-7": ("Pump", "泵")}, {"SH-1": "shanghai"})
        await receive_delivery(tx, "SH-1", [("PUMP-7", 5)], "PO-1")

    async def tell(tx: Tx) -> None:
        lines = (PartLine(part_number="PUMP-7", quantity=2),)
        asked = PartsRequested(
            requisition_id=requisition, engineer_id=ENGINEER, centre="shanghai", lines=lines
        )
        site = Site(region="east", city="shanghai")
        closed = TicketClosed(
            request_id=uuid7(), customer_id=uuid7(), engineer_id=ENGINEER, reason="accepted",
            severity="general", site=site, episode=1,
        )  # fmt: skip
        emit(tx, asked, subject=ticket, sequence=5)
        emit(tx, closed, subject=ticket, sequence=9)

    async with running(postgres_url, (DISPATCH, parts, feedback)) as process:
        await database_of(process, "parts").transact(stock)
        await database_of(process, "dispatch").transact(tell)
        url = make_url(postgres_url)
        name = make_url(str(process.residents[0].settings.database_url)).database
        admin = await asyncpg.connect(url.set(database=name).render_as_string(hide_password=False))

        async def both_have_acted() -> None:
            states = await admin.fetch("SELECT state FROM parts.requisition")
            assert [row["state"] for row in states] == ["released"]  # held, then the ticket was closed
            assert await admin.fetchval("SELECT count(*) FROM feedback.survey") == 1

        try:
            await until(both_have_acted)
            assert all(not state.restarts for state in process.supervisor.states.values())
        finally:
            await admin.close()
