"""The `aftercare` command: what it prints, how it ends, and what it says when a server is out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from typer.testing import Result

from allinone import operations
from allinone.rulings import shipped_counting
from shared.clock import clock, uuid7
from shared.db import Database
from shared.db.tables import dead_letter, outbox, parked
from shared.events.dispatch import CustomerMessageRequested
from shared.events.envelope import event_model
from shared.events.intake import CallAnswered, CallRang
from shared.inbox import failure
from shared.outbox.emit import emit
from shared.process.service import Service
from sla_monitor.app import service as sla
from sla_monitor.calendars.store import load_calendar
from sla_monitor.policies.shipped import SHIPPED
from sla_monitor.policies.store import load_rulebook

Aftercare = Callable[..., Awaitable[Result]]
SECRET = "a-secret-of-thirty-two-characters!"
PASSWORD = "not-to-be-shown"
NOWHERE = "127.0.0.1:1"


def test_the_installed_command_shows_its_commands() -> None:
    shown = subprocess.run([sys.executable, "-m", "allinone.cli", "--help"], capture_output=True, text=True)
    assert shown.returncode == 0
    for command in ("status", "token", "deadline", "resend", "dead-letters"):
        assert f"\n  {command} " in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "start", "due"),
    [
        ("first_reply --channel email", "2026-02-14T15:00+08:00", "2026-02-14T16:00:00+08:00"),  # 调休
        ("first_reply --channel email", "2026-02-14T19:00+08:00", "2026-02-24T09:00:00+08:00"),  # 春节
        ("first_reply --channel web_form", "2026-11-20T11:05Z", "2026-11-23T09:00:00+08:00"),
        ("return_call", "2026-02-14T15:00", "2026-02-14T15:03:00+08:00"),
        ("accept --severity important", "2026-02-15T03:00", "2026-02-15T03:30:00+08:00"),
        ("on_site --severity urgent --same-city", "2026-02-14T23:00", "2026-02-15T01:00:00+08:00"),
        ("on_site --severity important --other-city", "2026-02-14T23:00", "2026-02-16T23:00:00+08:00"),
    ],
)
async def test_a_deadline_is_worked_out(arguments: str, start: str, due: str, aftercare: Aftercare) -> None:
    worked = await aftercare("deadline", "--clock", *arguments.split(), "--start", start, "--json")
    document = json.loads(worked.stdout)
    assert document["deadline"] == due
    counted = sum(each["seconds"] for each in document["intervals"] if each["counted"])
    assert counted == document["allowance"] > 0


def test_a_deadline_is_worked_out_without_loading_a_service(folder: Path) -> None:
    program = (
        "import atexit, sys; from allinone.cli import app; atexit.register(lambda: print(*sys.modules));"
        " app(['deadline', '--clock', 'return_call', '--start', '2026-02-14T15:00'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "deadline  Sat 2026-02-14 15:03+08:00\n" in done.stdout
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert not loaded & {"fastapi", "sqlalchemy", "asyncpg", "aio_pika", "httpx", "intake"}


async def test_each_step_of_a_deadline_is_told(aftercare: Aftercare) -> None:
    told = await aftercare(
        "deadline", "--clock", "first_reply", "--channel", "email", "--start", "2026-02-14T19:00+08:00"
    )
    lines = told.stdout.splitlines()
    assert lines[1] == "start     Sat 2026-02-14 19:00+08:00  outside working hours"
    assert "day       2026-02-14 Sat  working day (调休上班)" in lines
    assert "day       2026-02-17 Tue  off (春节)" in lines
    assert any(line.startswith("allowed ") and "R53" in line for line in lines)
    assert any(line.startswith("counted   Sat 2026-02-14 19:00+08:00 to Tue 2026-02-24") for line in lines)
    assert lines[-1] == "deadline  Tue 2026-02-24 09:00+08:00"


async def test_where_nothing_is_promised_there_is_no_deadline(aftercare: Aftercare) -> None:
    asked = ("deadline", "--clock", "answer_call", "--start", "2026-02-15T15:00")
    assert (await aftercare(*asked)).stdout.endswith("none: nothing is promised at that time\n")
    assert json.loads((await aftercare(*asked, "--json")).stdout)["deadline"] is None


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("nothing", "no clock 'nothing'; known are answer_call, return_call, first_reply, accept, on_site"),
        ("accept --severity dire", "no severity of accept 'dire'; known are urgent, important, general"),
        ("on_site --severity urgent", "same city: give one of --same-city, --other-city"),
        ("first_reply", "first_reply depends on channel: give one of email, web_chat, web_form"),
        ("return_call --severity urgent", "return_call does not depend on severity; leave it out"),
    ],
)
async def test_an_unknown_name_lists_the_known_ones(
    arguments: str, reason: str, aftercare: Aftercare
) -> None:
    refused = await aftercare("deadline", "--clock", *arguments.split(), "--start", "2026-02-14T15:00")
    assert refused.exit_code == 2
    assert reason in refused.stderr


async def test_a_start_that_is_no_instant_is_refused(aftercare: Aftercare) -> None:
    refused = await aftercare("deadline", "--clock", "return_call", "--start", "tomorrow")
    assert refused.exit_code == 2
    assert "'tomorrow' is not an instant like 2026-02-14T15:00+08:00" in refused.stderr


async def test_offline_is_as_in_force_after_a_migration(
    new_database: Callable[..., Awaitable[dict[str, str]]],
) -> None:
    database = Database("sla", (await new_database((sla,)))["sla"], pool_size=1)
    try:
        async with database.transaction() as tx:
            governing = (await load_rulebook(tx)).at(datetime(2026, 2, 14, tzinfo=UTC))
            stored = await load_calendar(tx, SHIPPED.calendar, governing.versions[1])
    finally:
        await database.close()
    calendar = shipped_counting().calendar
    assert (stored.zone, stored.week, stored.days) == (calendar.zone, calendar.week, calendar.days)
    assert governing.policy == SHIPPED


@pytest_asyncio.fixture
async def intake(
    folder: Path, new_database: Callable[..., Awaitable[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """Intake's database, which the commands find by the environment; no process works on it."""
    url = (await new_database((Service("intake"),)))["intake"]
    monkeypatch.setenv("AFTERCARE_INTAKE_DATABASE_URL", url)
    database = Database("intake", url, pool_size=2)
    yield database
    await database.close()


@pytest.mark.parametrize("quiet", [False, True])
async def test_resend_tells_each_batch_and_queues_all(
    intake: Database, quiet: bool, aftercare: Aftercare
) -> None:
    async with intake.transaction() as tx:
        for number in range(1, 4):
            emit(tx, CallRang(region="east"), subject=UUID(int=number), sequence=1)
        emit(tx, CallAnswered(region="east"), subject=UUID(int=1), sequence=2)
    since = (clock.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    options = ("--json",) if quiet else ()
    done = await aftercare("resend", "--since", since, "--service", "intake", *options)
    assert done.exit_code == 0
    if quiet:
        assert (json.loads(done.stdout), done.stderr) == ({"intake": 4}, "")
    else:
        assert done.stdout == "intake: 4 events queued again\n"
        assert done.stderr.splitlines() == [
            "intake: 1 × intake.call_answered.v1",
            "intake: 3 × intake.call_rang.v1",
        ]
    async with intake.transaction() as tx:
        queued = (await tx.execute(select(outbox.c.lane, func.count()).group_by(outbox.c.lane))).all()
    assert [tuple(row) for row in queued] == [("bulk", 4)]


async def bury(database: Database, readable: int) -> None:
    """Dead letters: so many that can be read, and one that cannot."""
    async with database.transaction() as tx:
        bodies = [f"[{_message_requested()}]".encode() for _ in range(readable)]
        letters = [failure.Poison(body, "failed too often", "Boom") for body in (*bodies, b"nonsense")]
        await failure.bury(tx, letters)


def _message_requested() -> str:
    event = event_model(CustomerMessageRequested)(
        id=uuid7(), source="/aftercare/dispatch", type=CustomerMessageRequested.type, subject="ticket",
        sequence="0000000001", time=clock.now(),
        data=CustomerMessageRequested(request_id=uuid7(), template="please_accept"),
    )  # fmt: skip
    return str(event.model_dump_json(exclude_none=True))


async def test_replay_tells_each_batch(
    intake: Database, monkeypatch: pytest.MonkeyPatch, aftercare: Aftercare
) -> None:
    monkeypatch.setattr(operations, "LETTERS_AT_ONCE", 2)
    await bury(intake, 4)
    done = await aftercare("dead-letters", "replay", "intake")
    assert done.exit_code == 0
    assert done.stderr.splitlines()[0] == "intake: 2 of 5 tried, 2 revived"
    assert [line.partition(" tried")[0] for line in done.stderr.splitlines()[1:]] == [
        "intake: 4 of 5",
        "intake: 5 of 5",
    ]
    assert done.stdout == "intake: 4 of 5 revived; 1 cannot be read yet, are too old, or are not there\n"
    async with intake.transaction() as tx:
        counts = [(await tx.execute(select(func.count()).select_from(each))).scalar_one() for each in
                  (parked, dead_letter)]  # fmt: skip
    assert counts == [4, 1]


async def test_replay_as_json_is_one_document(intake: Database, aftercare: Aftercare) -> None:
    await bury(intake, 1)
    done = await aftercare("dead-letters", "replay", "intake", "--json")
    assert (json.loads(done.stdout), done.stderr) == ({"service": "intake", "revived": 1, "left": 1}, "")
    listed = json.loads((await aftercare("dead-letters", "list", "--service", "intake", "--json")).stdout)
    assert [each["reason"] for each in listed] == ["failed too often"]


def nowhere() -> dict[str, str]:
    """Every address there is, at a port where nobody listens."""
    database = f"postgresql://somebody:{PASSWORD}@{NOWHERE}/aftercare"
    names = [f"{name}_{part}" for name in ("INTAKE", "DISPATCH", "SLA", "PARTS", "FEEDBACK")
             for part in ("DATABASE_URL", "OWNER_DATABASE_URL")]  # fmt: skip
    return {
        **{f"AFTERCARE_{name}": database for name in ("ADMIN_DATABASE_URL", *names)},
        "AFTERCARE_ADMIN_AMQP_URL": f"amqp://somebody:{PASSWORD}@{NOWHERE}/house",
        "AFTERCARE_BUS": "memory",
        "AFTERCARE_SECRET": SECRET,
    }


@pytest.mark.parametrize(
    "command",
    [
        "provision",
        "migrate",
        "topology",
        "resend --since 2026-01-01",
        "dead-letters list",
        "dead-letters replay intake",
        "token --role care",
    ],
)
async def test_a_server_out_of_reach_ends_in_a_sentence(command: str, aftercare: Aftercare) -> None:
    ended = await aftercare(*command.split(), **nowhere())
    assert ended.exit_code == 1
    assert len(ended.stderr.splitlines()) == 1
    assert f"cannot be used as somebody at {NOWHERE}" in ended.stderr
    assert "start it, or correct AFTERCARE_" in ended.stderr
    assert PASSWORD not in ended.output


def test_a_suite_whose_database_is_out_of_reach_does_not_start(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "allinone.cli", "run"],
        env={"PATH": os.environ["PATH"], **nowhere()}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"PostgreSQL cannot be used as somebody at {NOWHERE}/")
    assert len(ended.stderr.splitlines()) == 1
    assert PASSWORD not in ended.stdout + ended.stderr


async def test_a_wrong_password_and_a_missing_database_have_ways_out(
    intake: Database, aftercare: Aftercare
) -> None:
    named = make_url(os.environ["AFTERCARE_INTAKE_DATABASE_URL"])
    wrong = named.set(password=PASSWORD).render_as_string(hide_password=False)
    missing = named.set(database="not_there").render_as_string(hide_password=False)
    for url, way_out in ((wrong, "correct user and password in AFTERCARE_INTAKE"), (missing, "provision")):
        said = await aftercare("dead-letters", "list", "--service", "intake",
                               AFTERCARE_INTAKE_DATABASE_URL=url)  # fmt: skip
        assert said.exit_code == 1
        assert way_out in said.stderr
        assert PASSWORD not in said.stderr
        assert len(said.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("topology", "AFTERCARE_ADMIN_AMQP_URL is not set"),
        (
            "dead-letters replay nobody",
            "no service 'nobody'; known are intake, dispatch, sla, parts, feedback",
        ),
        ("dead-letters list", "no suite runs in this folder"),
        ("resend --since soon", "'soon' is not an instant"),
    ],
)
async def test_what_a_command_lacks_is_named(arguments: str, reason: str, aftercare: Aftercare) -> None:
    refused = await aftercare(*arguments.split())
    assert refused.exit_code == 2
    assert reason in refused.stderr


async def test_what_is_no_address_is_not_repeated(aftercare: Aftercare) -> None:
    refused = await aftercare("topology", AFTERCARE_ADMIN_AMQP_URL=PASSWORD)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("AFTERCARE_ADMIN_AMQP_URL is not an address")
    assert PASSWORD not in refused.stderr
