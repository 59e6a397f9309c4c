"""Schemas, roles and partitions: made by steps of their own, and each role can do no more than it must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from chaos.databases import password_of
from shared.clock import clock, uuid7, uuid7_floor
from shared.db import Database
from shared.db.migrate import Migrations
from shared.db.provision import provision, role_url
from toy.services import maker as maker_service
from toy.stage import administrator, build, tear_down


@pytest_asyncio.fixture(scope="module")
async def urls(postgres_url: str) -> AsyncIterator[dict[str, str]]:
    made = await build(postgres_url)
    yield made
    await tear_down(postgres_url, made)


@pytest_asyncio.fixture
async def admin(postgres_url: str, urls: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    connection = await administrator(postgres_url, urls)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def maker(urls: dict[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """As the serving role of maker."""
    connection = await asyncpg.connect(urls["maker"], server_settings={"search_path": "maker"})
    yield connection
    await connection.close()


def month_of(instant: datetime) -> str:
    return f"{instant:%Y%m}"


def owner_url(urls: dict[str, str]) -> str:
    return role_url(urls["maker"], "maker_owner", password_of("maker_owner"))


FORBIDDEN = [
    "SELECT * FROM keeper.total",
    "SELECT * FROM keeper.inbox",
    "INSERT INTO keeper.effect VALUES (gen_random_uuid(), 'x')",
    "SELECT * FROM keeper.alembic_version",
    "SELECT keeper.keep_partitions('inbox', interval '90 days')",
    "UPDATE event_log SET body = ''",
    "DELETE FROM event_log",
    "TRUNCATE event_log",
    "UPDATE inbox SET type = ''",
    "DELETE FROM inbox",
    "UPDATE audit SET actor = ''",
    "DELETE FROM audit",
    "UPDATE event_log_{month} SET body = ''",
    "DELETE FROM event_log_{month}",
    "DELETE FROM inbox_{month}",
    "DELETE FROM audit_{month}",
    "TRUNCATE audit_{month}",
    "DROP TABLE outbox",
    "ALTER TABLE outbox ADD COLUMN more text",
    "CREATE TABLE mine (id int)",
    "CREATE TABLE public.mine (id int)",
    "CREATE SCHEMA mine",
    "UPDATE alembic_version SET version_num = 'x'",
    "SET ROLE maker_owner",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_a_serving_role_may_not(maker: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"permission denied|must be owner"):
        await maker.execute(statement.format(month=month_of(clock.now())))


async def test_a_serving_role_may_append_and_read_what_may_not_change(maker: asyncpg.Connection) -> None:
    await maker.execute(
        "INSERT INTO audit VALUES ($1, 'somebody', 'read', 'contact data', '{}')", entry := uuid7()
    )
    assert await maker.fetchval("SELECT actor FROM audit WHERE id = $1", entry) == "somebody"


async def partitions(admin: asyncpg.Connection, parent: str) -> set[str]:
    rows = await admin.fetch(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent = $1::regclass",
        f"maker.{parent}",
    )
    return {row["relname"] for row in rows}


async def test_the_coming_months_have_their_partitions(
    maker: asyncpg.Connection, admin: asyncpg.Connection
) -> None:
    now = clock.now()
    following = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    await admin.execute(f"DROP TABLE maker.event_log_{month_of(following)}")
    await maker.execute("SELECT keep_partitions('event_log', interval '90 days')")
    assert {f"event_log_{month_of(now)}", f"event_log_{month_of(following)}"} <= await partitions(
        admin, "event_log"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await maker.execute(f"DELETE FROM event_log_{month_of(following)}")


async def test_the_inbox_remembers_from_before_its_schema_was_made(
    maker: asyncpg.Connection, admin: asyncpg.Connection
) -> None:
    assert len(await partitions(admin, "inbox")) >= 5


@pytest.mark.parametrize("parent", ["event_log", "inbox", "audit"])
async def test_what_has_expired_is_dropped_and_nothing_else(
    maker: asyncpg.Connection, admin: asyncpg.Connection, parent: str
) -> None:
    begin, end = (uuid7_floor(datetime(2020, month, 1, tzinfo=UTC)) for month in (1, 2))
    before = await partitions(admin, parent)
    await admin.execute(
        f"CREATE TABLE maker.{parent}_202001 PARTITION OF maker.{parent}"
        f" FOR VALUES FROM ('{begin}') TO ('{end}');"
        f"ALTER TABLE maker.{parent}_202001 OWNER TO maker_owner"
    )
    await maker.execute("SELECT keep_partitions($1, interval '7300 days')", parent)
    assert f"{parent}_202001" in await partitions(admin, parent)
    await maker.execute("SELECT keep_partitions($1, interval '730 days')", parent)
    assert before <= await partitions(admin, parent)
    assert f"{parent}_202001" not in await partitions(admin, parent)


@pytest.mark.parametrize(
    ("parent", "days", "why"),
    [
        ("event_log", 29, "less than 30 days"),
        ("outbox", 90, "not a partitioned table"),
        ("event_log; DROP TABLE outbox", 90, "not a partitioned table"),
    ],
)
async def test_retention_that_would_lose_events_is_refused(
    maker: asyncpg.Connection, parent: str, days: int, why: str
) -> None:
    with pytest.raises(asyncpg.RaiseError, match=why):
        await maker.execute("SELECT keep_partitions($1, make_interval(days => $2))", parent, days)


async def test_provisioning_and_migrating_again_change_nothing(
    postgres_url: str, urls: dict[str, str], admin: asyncpg.Connection
) -> None:
    everything = "SELECT oid, relname, relacl::text FROM pg_class WHERE relnamespace = 'maker'::regnamespace"
    before = {tuple(row) for row in await admin.fetch(everything)}
    database = urls["maker"].rpartition("/")[2]
    for _ in range(2):
        await provision(postgres_url, database, ["maker"], password_of)
        await maker_service.history.upgrade(owner_url(urls))
    assert {tuple(row) for row in await admin.fetch(everything)} == before


async def test_two_who_provision_and_migrate_at_once_do_not_meet(postgres_url: str) -> None:
    name = f"both_{uuid7().hex}"
    urls = {"maker": role_url(postgres_url, "maker", password_of("maker"), name)}

    async def install() -> None:
        await provision(postgres_url, name, ["maker"], password_of)
        await maker_service.history.upgrade(owner_url(urls))

    try:
        await asyncio.gather(install(), install(), install())
        connection = await asyncpg.connect(urls["maker"])
        assert await connection.fetchval("SELECT count(*) FROM maker.thing") == 0
        await connection.close()
    finally:
        await tear_down(postgres_url, urls)


async def test_a_name_that_is_no_name_is_refused(postgres_url: str) -> None:
    with pytest.raises(ValueError, match="cannot name a schema"):
        await provision(postgres_url, "fine", ["maker; DROP DATABASE postgres"], password_of)


async def test_readiness_asks_for_a_schema_at_least_as_new(
    postgres_url: str, urls: dict[str, str], admin: asyncpg.Connection, tmp_path: Path
) -> None:
    database = Database("maker", urls["maker"])
    (tmp_path / "maker_0002_more.py").touch()
    newer_code = Migrations("maker", tmp_path)
    try:
        async with database.engine.connect() as connection:
            assert await maker_service.history.at_head(connection)
            assert not await newer_code.at_head(connection)
            await admin.execute(
                "UPDATE maker.alembic_version SET version_num = 'maker_0002' WHERE version_num = 'maker_0001'"
            )
            assert await newer_code.at_head(connection)
            assert await maker_service.history.at_head(connection)  # old code beside a newer database
    finally:
        await admin.execute(
            "UPDATE maker.alembic_version SET version_num = 'maker_0001' WHERE version_num = 'maker_0002'"
        )
        await database.close()
