"""What ships now reaches older installations as a new version, and changes nothing that runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from chaos.databases import Fresh, password_of
from contracts.promising import Body, promise, shipped
from shared.clock import uuid7
from shared.db.migrate import Migrations
from shared.db.provision import provision
from sla_monitor.app import service
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.shipped import SHIPPED

MIGRATIONS = service.migrations or Path()


@asynccontextmanager
async def installed(postgres_url: str, folder: Path) -> AsyncIterator[tuple[asyncpg.Connection, str]]:
    """An installation at the newest migration in `folder`: its owner's connection, and the address."""
    database = Fresh(postgres_url, f"test_{uuid7().hex}")
    await provision(postgres_url, database.name, ["sla"], password_of)
    try:
        await Migrations("sla", folder).upgrade(database.url("sla_owner"))
        owner = await asyncpg.connect(database.url("sla_owner"), server_settings={"search_path": "sla"})
        yield owner, database.url("sla_owner")
        await owner.close()
    finally:
        await database.drop()


async def test_an_older_shipped_policy_stays_and_is_followed_by_what_ships_now(
    postgres_url: str, tmp_path: Path
) -> None:
    older = shipped()
    older["promises"] = older["promises"][:3]
    for each in older["promises"]:
        del each["ladder"], each["enabled"]
        each["warns"] = [75]
    for name in ("sla_0001_clocks.py", "sla_0002_calendars.py"):
        shutil.copy(MIGRATIONS / name, tmp_path)
    async with installed(postgres_url, tmp_path) as (owner, url):
        await owner.execute("UPDATE policy_version SET digest = 'older', body = $1", json.dumps(older))
        await Migrations("sla", MIGRATIONS).upgrade(url)
        rows = await owner.fetch("SELECT version, source, body FROM policy_version ORDER BY version")
    assert [(row["version"], row["source"]) for row in rows] == [(1, "shipped"), (2, "shipped")]
    assert Policy.model_validate_json(rows[1]["body"]) == SHIPPED
    assert [each.warns for each in Policy.model_validate_json(rows[0]["body"]).promises] == [(75,)] * 3


def before_leadership(body: Body) -> Body:
    """R23: without the promise that leadership acknowledges."""
    others = [each for each in body["promises"] if each["code"] != "leadership_acknowledged"]
    return body | {"promises": others}


def before_progress(body: Body) -> Body:
    """R62: the customer hears how it goes, switched off."""
    promise(body, "progress")["enabled"] = False
    return body


def before_replies(body: Body) -> Body:
    """R52: a first reply is awaited although the request is closed or merged."""
    promise(body, "first_reply")["cancels"] = []
    return body


def before_waiting(body: Body) -> Body:
    """Nothing stood while work waited for the customer."""
    for each in body["promises"]:
        each["pauses"] = [rule for rule in each["pauses"] if "when" not in rule]
    return body


@pytest.mark.parametrize(
    ("before", "last"),
    [(before_leadership, 9), (before_progress, 12), (before_replies, 13), (before_waiting, 14)],
)
@pytest.mark.parametrize(("own", "sources"), [(False, ["shipped"] * 2), (True, ["shipped", "edited"])])
async def test_a_new_promise_reaches_who_has_what_shipped_and_nobody_who_has_their_own(
    postgres_url: str,
    tmp_path: Path,
    own: bool,
    sources: list[str],
    before: Callable[[Body], Body],
    last: int,
) -> None:
    """An installation of before the promise; what it published itself is its own word."""
    older = before(shipped())
    for file in sorted(MIGRATIONS.glob("sla_*.py"))[:last]:
        shutil.copy(file, tmp_path)
    async with installed(postgres_url, tmp_path) as (owner, url):
        await owner.execute("UPDATE policy_version SET digest = 'older', body = $1", json.dumps(older))
        if own:
            await owner.execute(
                """
                INSERT INTO policy_version (version, valid_from, body, source, digest, made_by, note)
                SELECT 2, now() + interval '1 day', body, 'edited', 'own', 'desk.one', '' FROM policy_version
                """
            )
        began_at = await owner.fetchval("SELECT clock_timestamp()")
        for _ in range(2):  # again changes nothing
            await Migrations("sla", MIGRATIONS).upgrade(url)
        rows = await owner.fetch("SELECT source, valid_from, body FROM policy_version ORDER BY version")
    assert [row["source"] for row in rows] == sources
    assert Policy.model_validate_json(rows[0]["body"]) == Policy.model_validate(older)
    if not own:
        assert Policy.model_validate_json(rows[1]["body"]) == SHIPPED
        assert rows[1]["valid_from"] > began_at  # what runs keeps its version


async def test_a_new_installation_has_one_version(postgres_url: str) -> None:
    async with installed(postgres_url, MIGRATIONS) as (owner, _):
        assert await owner.fetchval("SELECT count(*) FROM policy_version") == 1
