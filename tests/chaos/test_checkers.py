"""The checkers find every kind of violation, and only those: a judge that cannot condemn proves nothing."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from chaos.checkers import (
    NotQuiescent,
    ProofFailed,
    Report,
    check_answers,
    check_deliveries,
    check_effects,
    check_sessions,
    quiescent,
)
from chaos.journal import Entry

SERVICES = ["intake", "dispatch", "sla"]
SUBSCRIPTIONS = {"intake.registered.v1": {"dispatch", "sla"}, "dispatch.opened.v1": {"sla"}}
EFFECTS = {"dispatch": "dispatch.effects", "sla": "sla.effects"}
# What the checkers read of the product's tables. The inbox has no key: a checker does not trust the guards.
TABLES = """
DROP SCHEMA IF EXISTS {schema} CASCADE;
CREATE SCHEMA {schema};
CREATE TABLE {schema}.event_log (id uuid PRIMARY KEY, type text NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE {schema}.event_log_1 PARTITION OF {schema}.event_log DEFAULT;
CREATE TABLE {schema}.outbox (event_id uuid PRIMARY KEY, type text NOT NULL);
CREATE TABLE {schema}.delivery (event_id uuid, subscriber text, PRIMARY KEY (subscriber, event_id));
CREATE TABLE {schema}.inbox (event_id uuid NOT NULL, type text NOT NULL) PARTITION BY RANGE (event_id);
CREATE TABLE {schema}.inbox_1 PARTITION OF {schema}.inbox DEFAULT;
CREATE TABLE {schema}.parked (event_id uuid PRIMARY KEY, type text NOT NULL);
CREATE TABLE {schema}.dead_letter (id uuid PRIMARY KEY, event_id uuid);
CREATE TABLE {schema}.effects (event_id uuid NOT NULL);
"""
REGISTERED, OPENED, UNHEARD = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture(scope="module")
async def database(postgres_url: str) -> AsyncIterator[str]:
    """A database of our own; its address."""
    name = f"chaos_{secrets.token_hex(4)}"
    administrator = await asyncpg.connect(postgres_url)
    await administrator.execute(f"CREATE DATABASE {name}")
    yield postgres_url.rsplit("/", 1)[0] + "/" + name
    await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await administrator.close()


@pytest.fixture
async def db(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Three services in which two events were delivered once, and a third had no listener."""
    connection = await asyncpg.connect(database)
    for service in SERVICES:
        await connection.execute(TABLES.format(schema=service))
    await connection.execute(
        f"""
        INSERT INTO intake.event_log VALUES
            ('{REGISTERED}', 'intake.registered.v1'), ('{UNHEARD}', 'intake.unheard.v1');
        INSERT INTO dispatch.event_log VALUES ('{OPENED}', 'dispatch.opened.v1');
        INSERT INTO dispatch.inbox VALUES ('{REGISTERED}', 'intake.registered.v1');
        INSERT INTO sla.inbox VALUES
            ('{REGISTERED}', 'intake.registered.v1'), ('{OPENED}', 'dispatch.opened.v1');
        INSERT INTO dispatch.effects SELECT event_id FROM dispatch.inbox;
        INSERT INTO sla.effects SELECT event_id FROM sla.inbox;
        """
    )
    yield connection
    await connection.close()


async def deliveries(db: asyncpg.Connection) -> Report:
    return await check_deliveries(db, SERVICES, SUBSCRIPTIONS)


def accepted(key: str, answer_id: str | None, body_hash: str = "h") -> list[Entry]:
    return [Entry(0.0, key, body_hash), Entry(0.1, key, body_hash, 201, answer_id)]


def unknown(key: str) -> list[Entry]:
    return [Entry(0.0, key, "h"), Entry(0.1, key, "h", "unknown")]


def created(*rows: tuple[str, str]) -> str:
    return "VALUES " + ", ".join(f"('{key}', '{id_}')" for key, id_ in rows)


# C1


async def test_c1_accepts_one_creation_however_often_it_was_asked_for(db: asyncpg.Connection) -> None:
    refused = [Entry(0.0, "c", "h"), Entry(0.1, "c", "h", 422)]
    retried = [*unknown("a"), *accepted("a", "1"), *accepted("a", "1")]
    journal = [*retried, *unknown("b"), *refused, *unknown("d")]
    report = await check_answers(db, journal, created(("a", "1"), ("b", "2"), ("of another client", "9")))
    report.assert_clean()
    assert report.checked == 4


@pytest.mark.parametrize(
    ("kind", "journal", "rows"),
    [
        ("accepted_and_lost", accepted("a", "1"), [("b", "1")]),
        ("created_twice", accepted("a", "1"), [("a", "1"), ("a", "2")]),
        ("created_twice", unknown("a"), [("a", "1"), ("a", "2")]),
        ("answered_two_ids", accepted("a", "1") + accepted("a", "2"), [("a", "1")]),
        ("answered_another_id", accepted("a", "2"), [("a", "1")]),
        ("accepted_without_id", accepted("a", None), [("a", "1")]),
        ("accepted_two_bodies", accepted("a", "1") + accepted("a", "1", "other"), [("a", "1")]),
    ],
)
async def test_c1_finds(
    db: asyncpg.Connection, kind: str, journal: list[Entry], rows: list[tuple[str, str]]
) -> None:
    report = await check_answers(db, journal + accepted("good", "7"), created(("good", "7"), *rows))
    assert report.found == {kind: 1}
    with pytest.raises(ProofFailed, match=f"C1 answers: 1 {kind} among 2\n{kind}: key a"):
        report.assert_clean()


async def test_c1_over_an_empty_journal_proves_nothing(db: asyncpg.Connection) -> None:
    report = await check_answers(db, [], created(("a", "1")))
    with pytest.raises(ProofFailed, match="nothing to check"):
        report.assert_clean()


# C2


async def test_c2_accepts_one_receipt_per_event_and_subscriber(db: asyncpg.Connection) -> None:
    report = await deliveries(db)
    report.assert_clean()
    assert report.checked == 3


@pytest.mark.parametrize(
    ("kind", "breakage"),
    [
        ("missing", f"DELETE FROM sla.inbox WHERE event_id = '{OPENED}'"),
        ("received_twice", "INSERT INTO dispatch.inbox SELECT * FROM dispatch.inbox"),
        ("parked", f"INSERT INTO sla.parked VALUES ('{OPENED}', 'dispatch.opened.v1')"),
        (
            "parked",
            f"""INSERT INTO sla.parked VALUES ('{OPENED}', 'dispatch.opened.v1');
            DELETE FROM sla.inbox WHERE event_id = '{OPENED}'""",
        ),
        (
            "dead_lettered",
            f"""INSERT INTO sla.dead_letter VALUES
                ('{UUID(int=8)}', '{OPENED}'), ('{UUID(int=9)}', '{OPENED}'), ('{UUID(int=10)}', NULL);
            DELETE FROM sla.inbox WHERE event_id = '{OPENED}'""",
        ),
        ("never_logged", f"INSERT INTO sla.inbox VALUES ('{UUID(int=9)}', 'dispatch.opened.v1')"),
        ("unsent", f"INSERT INTO intake.outbox VALUES ('{REGISTERED}', 'intake.registered.v1')"),
        ("undelivered", f"INSERT INTO intake.delivery VALUES ('{REGISTERED}', 'sla')"),
    ],
)
async def test_c2_finds(db: asyncpg.Connection, kind: str, breakage: str) -> None:
    await db.execute(breakage)
    report = await deliveries(db)
    assert report.found == {kind: 1}
    with pytest.raises(ProofFailed, match=f"1 {kind} among 3"):
        report.assert_clean()


async def test_c2_is_not_disturbed_by_what_the_consumer_received_of_its_own_accord(
    db: asyncpg.Connection,
) -> None:
    """Its own subscriptions outside of those under proof, and old dead letters that were replayed."""
    await db.execute(f"INSERT INTO sla.inbox VALUES ('{UUID(int=9)}', 'parts.issued.v1')")
    await db.execute(f"INSERT INTO sla.dead_letter VALUES ('{UUID(int=9)}', '{OPENED}')")
    (await deliveries(db)).assert_clean()


async def test_c2_counts_all_violations_and_shows_twenty(db: asyncpg.Connection) -> None:
    await db.execute(
        """
        INSERT INTO dispatch.event_log
        SELECT gen_random_uuid(), 'dispatch.opened.v1' FROM generate_series(1, 500)
        """
    )
    report = await deliveries(db)
    assert report.found == {"missing": 500}
    assert len(report.violations) == 20
    assert report.violations[0].startswith("missing: dispatch.opened.v1 ")


async def test_c2_without_any_event_proves_nothing(db: asyncpg.Connection) -> None:
    await db.execute("TRUNCATE intake.event_log, dispatch.event_log, dispatch.inbox, sla.inbox")
    with pytest.raises(ProofFailed, match="nothing to check"):
        (await deliveries(db)).assert_clean()


async def test_c2_over_a_misspelt_schema_is_an_error(db: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await check_deliveries(db, ["intak"], SUBSCRIPTIONS)


# C3


async def test_c3_accepts_one_effect_per_event_and_consumer(db: asyncpg.Connection) -> None:
    report = await check_effects(db, EFFECTS)
    report.assert_clean()
    assert report.checked == 3


@pytest.mark.parametrize(
    ("kind", "breakage"),
    [
        ("no_effect", f"DELETE FROM sla.effects WHERE event_id = '{OPENED}'"),
        ("effect_repeated", f"INSERT INTO sla.effects VALUES ('{OPENED}')"),
        ("effect_without_event", f"INSERT INTO sla.effects VALUES ('{UUID(int=9)}')"),
        ("effect_without_event", f"INSERT INTO dispatch.effects VALUES ('{OPENED}')"),
    ],
)
async def test_c3_finds(db: asyncpg.Connection, kind: str, breakage: str) -> None:
    await db.execute(breakage)
    report = await check_effects(db, EFFECTS)
    assert report.found == {kind: 1}


# C9


async def test_c9_finds_a_session_that_sleeps_in_its_transaction(
    db: asyncpg.Connection, database: str
) -> None:
    sleeper = await asyncpg.connect(database, server_settings={"application_name": "sleeper"})
    async with sleeper.transaction():
        await sleeper.execute("SELECT 'the last thing it did'")
        (await check_sessions(db)).assert_clean()
        report = await check_sessions(db, idle_seconds=0.0)
        assert report.found == {"idle_in_transaction": 1}
        assert "sleeper (pid" in report.violations[0]
        assert "the last thing it did" in report.violations[0]
    (await check_sessions(db, idle_seconds=0.0)).assert_clean()
    await sleeper.close()


# Quiescence


@pytest.mark.parametrize("table", ["outbox", "delivery", "parked"])
async def test_quiescence_waits_until_what_was_left_is_done(db: asyncpg.Connection, table: str) -> None:
    await db.execute(f"INSERT INTO intake.{table} VALUES ('{REGISTERED}', 'whatever it is')")
    with pytest.raises(NotQuiescent) as left:
        await quiescent(db, SERVICES, within=0.05, calm=0.01)
    assert left.value.left == {f"intake.{table}": 1}
    await db.execute(f"DELETE FROM intake.{table}")
    await quiescent(db, SERVICES, within=10.0, calm=0.01)


async def test_quiescence_lasts_as_long_as_the_calm_asked_for(db: asyncpg.Connection) -> None:
    """Events that come and go between two looks start the calm anew."""
    loop = asyncio.get_running_loop()
    events = iter(range(100, 104))
    last = 0.0

    async def traffic() -> dict[str, int]:
        nonlocal last
        if (event := next(events, None)) is not None:
            last = loop.time()
            await db.execute(f"INSERT INTO sla.inbox VALUES ('{UUID(int=event)}', 'dispatch.opened.v1')")
        return {"queue sla.live": 0}

    await quiescent(db, SERVICES, within=10.0, calm=0.2, elsewhere=traffic)
    assert next(events, None) is None
    assert loop.time() - last >= 0.2


async def test_quiescence_counts_what_waits_elsewhere(db: asyncpg.Connection) -> None:
    async def queues() -> dict[str, int]:
        return {"queue sla.live": 3, "queue sla.bulk": 0}

    await db.execute(f"INSERT INTO intake.outbox VALUES ('{REGISTERED}', 'intake.registered.v1')")
    with pytest.raises(NotQuiescent, match=r"1 in intake\.outbox, 3 in queue sla\.live"):
        await quiescent(db, SERVICES, within=0.05, calm=0.01, elsewhere=queues)


# The product's own tables


async def test_the_checkers_know_the_tables_of_the_product(
    postgres_url: str, toy_urls: dict[str, str]
) -> None:
    address = postgres_url.rpartition("/")[0] + "/" + toy_urls["maker"].rpartition("/")[2]
    administrator = await asyncpg.connect(address)
    event = UUID("01900000-0000-7000-8000-000000000000")
    await administrator.execute(
        "INSERT INTO maker.outbox (event_id, type, lane) VALUES ($1, 'maker.thing_made.v1', 'live')", event
    )
    report = await check_deliveries(administrator, list(toy_urls), {"maker.thing_made.v1": {"keeper"}})
    assert report.found == {"unsent": 1}
    assert (await check_effects(administrator, {"keeper": "keeper.effect"})).found == {}
    with pytest.raises(NotQuiescent, match=r"1 in maker\.outbox"):
        await quiescent(administrator, list(toy_urls), within=0.0)
    await administrator.close()


# Speed


async def test_twenty_thousand_events_are_judged_in_a_moment(db: asyncpg.Connection) -> None:
    await db.execute(
        """
        INSERT INTO intake.event_log
            SELECT gen_random_uuid(), 'intake.registered.v1' FROM generate_series(1, 20000);
        TRUNCATE dispatch.inbox, sla.inbox, dispatch.effects, sla.effects, dispatch.event_log;
        INSERT INTO dispatch.inbox SELECT * FROM intake.event_log WHERE type = 'intake.registered.v1';
        INSERT INTO sla.inbox SELECT * FROM dispatch.inbox;
        INSERT INTO dispatch.effects SELECT event_id FROM dispatch.inbox;
        INSERT INTO sla.effects SELECT event_id FROM sla.inbox;
        """
    )
    journal = [entry for number in range(20_000) for entry in accepted(f"key {number}", f"{number}")]
    all_of_it = "SELECT 'key ' || number, number FROM generate_series(0, 19999) AS number"
    began = asyncio.get_running_loop().time()
    reports = [
        await check_answers(db, journal, all_of_it),
        await deliveries(db),
        await check_effects(db, EFFECTS),
    ]
    took = asyncio.get_running_loop().time() - began
    for report in reports:
        report.assert_clean()
    assert [report.checked for report in reports] == [20_000, 40_002, 40_002]
    assert took < 3.0
