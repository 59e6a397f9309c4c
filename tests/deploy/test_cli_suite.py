"""`aftercare status` and `aftercare token`, against processes that answer on real ports."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

import httpx
import pytest
import pytest_asyncio
import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from typer.testing import Result

from allinone import gateway, installation
from shared.clock import clock, uuid7s
from shared.db import Database
from shared.db.tables import outbox
from shared.http.app import build_app
from shared.http.auth import ROLES, Caller, allow
from shared.http.health import FlowReport, ServiceFlow, health_router
from shared.http.transaction import ServiceRoute
from shared.process.assembly import Process
from shared.process.service import Service, topology_of
from shared.settings import Settings

Aftercare = Callable[..., Awaitable[Result]]
SECRET = "a-secret-of-thirty-two-characters!"


class _Server(uvicorn.Server):
    """Leaves the signals of the test run alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(asgi: object) -> AsyncIterator[str]:
    """The address of an application on a real port; it listens before it starts, so nobody need wait."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Server(uvicorn.Config(asgi, log_config=None, access_log=False))  # type: ignore[arg-type]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@contextmanager
def recorded(**environment: str) -> Iterator[None]:
    """As if a suite with this environment ran in this folder."""
    installation.EMBEDDED.mkdir(exist_ok=True)
    with ExitStack() as stack:
        with mock.patch.dict(os.environ, environment):
            stack.enter_context(installation.recorded(installation.EMBEDDED))
        yield


@dataclass
class Told:
    """A process that reports whatever the test says."""

    services: dict[str, str | None]
    stuck: tuple[str, ...] = ()
    draining: bool = False
    counts: dict[str, ServiceFlow] = field(default_factory=dict)

    async def readiness(self) -> dict[str, str | None]:
        return self.services

    async def flow(self) -> FlowReport:
        well = ServiceFlow(
            outbox_oldest_seconds=None, parked=0, dead_letters=0, consumers=3, consumers_wanted=3
        )
        counts = {name: self.counts.get(name, well) for name in self.services}
        return FlowReport(bus=None, services=counts, tasks={}, stuck=self.stuck)


def process_of(told: Told) -> FastAPI:
    api = FastAPI()
    api.include_router(health_router(told))
    return api


async def test_status_of_a_suite_that_is_well_ends_with_0(aftercare: Aftercare) -> None:
    async with served(process_of(Told({"intake": None, "sla": None}))) as url:
        shown = await aftercare("status", "--url", url)
        told = await aftercare("status", "--url", f"{url}/", "--json")
    assert (shown.exit_code, told.exit_code) == (0, 0)
    assert "intake   yes   yes    yes   0       0       0             3/3" in shown.stdout
    assert shown.stdout.endswith(f"all is well at {url}\n")
    document = json.loads(told.stdout)
    assert document["ready"] is True
    assert document["services"]["sla"]["queues_consumed"] == 3


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (Told({"intake": "migrations are behind"}), "red  intake: migrations are behind"),
        (Told({"intake": None}, stuck=("intake.live is not consumed",)), "red  intake: intake.live is not"),
        (Told({"intake": None}, stuck=("bus: RabbitMQ is away",)), "red  bus: RabbitMQ is away"),
        (Told({"intake": None}, draining=True), "red  the process is not ready: draining"),
    ],
)
async def test_status_says_what_is_red_and_ends_with_1(told: Told, reason: str, aftercare: Aftercare) -> None:
    async with served(process_of(told)) as url:
        shown = await aftercare("status", "--url", url)
    assert shown.exit_code == 1
    assert reason in shown.stdout
    assert "NO" in shown.stdout


async def test_status_counts_what_waits(aftercare: Aftercare) -> None:
    waits = ServiceFlow(outbox_oldest_seconds=12.4, parked=2, dead_letters=7, consumers=1, consumers_wanted=3)
    async with served(process_of(Told({"parts": None}, counts={"parts": waits}))) as url:
        shown = await aftercare("status", "--url", url)
    assert "parts    yes   yes    yes   ?, oldest 12 s  2       7             1/3" in shown.stdout


async def test_status_of_nothing_ends_with_2_and_a_way_out(aftercare: Aftercare) -> None:
    shown = await aftercare("status", PORT="1")
    assert shown.exit_code == 2
    assert shown.stdout == (
        "http://127.0.0.1:1 does not answer: "
        "start it with `make run` or `make up`, or name another address with --url\n"
    )
    assert json.loads((await aftercare("status", "--url", "nonsense", "--json")).stdout)["answers"] is False


async def test_status_of_a_stranger_is_no_answer(aftercare: Aftercare) -> None:
    async with served(FastAPI()) as url:
        shown = await aftercare("status", "--url", url)
    assert shown.exit_code == 2
    assert "answers, but not as Aftercare does" in shown.stdout


async def test_behind_the_gateway_every_process_is_seen(aftercare: Aftercare) -> None:
    well, stuck = Told({"intake": None}), Told({"parts": None}, stuck=("clock is down: Boom",))
    async with served(process_of(well)) as first, served(process_of(stuck)) as second:
        ports = {"intake": httpx.URL(first).port or 0, "parts": httpx.URL(second).port or 0, "sla": 1}
        async with served(gateway.build(ports)) as url:
            shown = await aftercare("status", "--url", url, "--json")
    document = json.loads(shown.stdout)
    assert shown.exit_code == 1
    services = document["services"]
    assert {name: (each["live"], each["ready"], each["flow"]) for name, each in services.items()} == {
        "intake": (True, True, True),
        "parts": (True, True, False),
        "sla": (False, False, False),
    }
    assert services["parts"]["red"] == ["parts: clock is down: Boom"]


@dataclass(frozen=True)
class Suite:
    """A running process, its database, and its settings as the commands see them."""

    database: Database
    environment: Mapping[str, str]
    address: str


@pytest_asyncio.fixture
async def suite(folder: Path, new_database: Callable[..., Awaitable[dict[str, str]]]) -> AsyncIterator[Suite]:
    """Intake without its features, in this process: its doors, its database, its token."""
    router = APIRouter(route_class=ServiceRoute)

    @router.get("/me", dependencies=[Depends(allow(*ROLES))])
    async def me(caller: Caller) -> dict[str, object]:
        return {"id": caller.id, "roles": list(caller.roles), "regions": list(caller.regions or ())}

    service = Service("intake", router)
    url = (await new_database((service,)))["intake"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = Settings(database_url=url, bus="memory", secret=SECRET, public_url=address)
        process = Process((service,), {"intake": settings}, topology_of((service,)))
        process.start()
        await process.begun()
        api = build_app(process.contexts, {"intake": router}, process)
        server = _Server(uvicorn.Config(api, lifespan="off", log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        environment = {
            "AFTERCARE_INTAKE_DATABASE_URL": url,
            "AFTERCARE_PUBLIC_URL": address,
            "AFTERCARE_SECRET": SECRET,
            "AFTERCARE_BUS": "memory",
        }
        yield Suite(process.contexts["intake"].database, environment, address)
        server.should_exit = True
        await serving
        await process.stop()


async def test_status_finds_the_suite_of_this_folder_and_its_outbox(
    suite: Suite, aftercare: Aftercare
) -> None:
    async def leave_one(old: timedelta) -> None:
        async with suite.database.transaction() as tx:
            row = {"event_id": next(uuid7s(clock.now() - old)), "type": "intake.call_rang.v1", "lane": "live"}
            await tx.execute(outbox.insert().values(**row, retry_at=clock.now() + timedelta(days=1)))

    with recorded(**suite.environment):
        assert (await aftercare("status")).exit_code == 0
        await leave_one(timedelta(seconds=60))
        shown = await aftercare("status", "--json")
    intake = json.loads(shown.stdout)["services"]["intake"]
    assert (shown.exit_code, intake["ready"], intake["flow"], intake["unsent"]) == (1, True, False, 1)
    assert intake["oldest_unsent_seconds"] >= 60


async def test_the_suite_accepts_the_token(suite: Suite, aftercare: Aftercare) -> None:
    with recorded(**suite.environment):
        made = await aftercare(
            "token", "--role", "care", "--subject", "nobody-real", "--scope", "region=east",
            "--hours", "3", "--json",
        )  # fmt: skip
        plain = await aftercare("token", "--role", "admin")
    document = json.loads(made.stdout)
    assert (document["role"], document["scopes"]) == ("care", {"region": ["east"]})
    left = datetime.fromisoformat(document["expires"]) - clock.now()
    assert timedelta(hours=2, minutes=59) < left <= timedelta(hours=3)
    async with httpx.AsyncClient(base_url=suite.address, trust_env=False) as client:
        seen = [
            (await client.get("/intake/me", headers={"authorization": f"Bearer {token}"})).json()
            for token in (document["token"], plain.stdout.strip())
        ]
    assert seen[0] == {"id": "nobody-real", "roles": ["care"], "regions": ["east"]}
    assert seen[1]["roles"] == ["admin"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--role", "boss"), "no role 'boss'; known are adapter, admin, care, department, dispatcher,"),
        (("--role", "engineer"), "name the person's id with --subject"),
        (("--role", "care", "--scope", "colour=red"), "known are channel=…, region=…"),
        (("--role", "care"), "no suite runs in this folder (`aftercare run`, `aftercare up`), and AFTERCARE"),
    ],
)
async def test_a_token_that_cannot_be_is_refused_with_the_reason(
    arguments: tuple[str, ...], reason: str, aftercare: Aftercare
) -> None:
    refused = await aftercare("token", *arguments)
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert reason in refused.stderr


def test_what_runs_is_kept_for_its_owner_only_until_it_ends(folder: Path) -> None:
    record = folder / installation.EMBEDDED / installation.RECORD
    with recorded(AFTERCARE_SECRET=SECRET):
        assert record.stat().st_mode & 0o777 == 0o600
        assert installation.environment()["AFTERCARE_SECRET"] == SECRET
    assert not record.exists()


async def test_servers_of_two_suites_are_never_mixed(aftercare: Aftercare) -> None:
    here, elsewhere = (f"postgresql://x:x@127.0.0.1:1/{name}" for name in ("here", "elsewhere"))
    with recorded(AFTERCARE_PARTS_DATABASE_URL=here, AFTERCARE_INTAKE_DATABASE_URL=here):
        found = await aftercare("dead-letters", "list", "--service", "parts")
        assert "/here" in found.stderr
        mixed = await aftercare(
            "dead-letters", "list", "--service", "parts", AFTERCARE_INTAKE_DATABASE_URL=elsewhere
        )
    assert mixed.exit_code == 2
    assert "AFTERCARE_PARTS_DATABASE_URL is not set" in mixed.stderr
