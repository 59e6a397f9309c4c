"""The judges of the suite accept a day that went well, and find what could have gone wrong in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
import pytest_asyncio

from allinone.services import SERVICES, topology
from allinone.visitor import Visitor
from chaos.checkers import ProofFailed, Report
from localservers.postgres import PostgresServer
from shared.clock import clock
from shared.http.app import build_app
from shared.http.install import install_pages
from shared.process.assembly import Process
from shared.settings import Settings
from testbed.ground import Ground, fresh_ground
from testbed.promises import check_nothing_else
from testbed.suite_verdict import check_invariants, check_suite, come_to_rest
from testbed.wishes import Wish

WISHES = [
    Wish("ref-000000", "", "设备冒烟，完全不能用！".encode(), "urgent", "fault"),
    Wish("ref-000001", "", b"The compressor overheats and sometimes stops.", "important", "fault"),
    Wish("ref-000002", "", "请问滤芯多久更换一次？".encode(), "general", "enquiry"),
]
FIRST = "(SELECT id FROM dispatch.ticket ORDER BY id LIMIT 1)"
LAST = "(SELECT id FROM dispatch.ticket ORDER BY id DESC LIMIT 1)"
STRANGER = "'01930000-0000-7000-8000-999999999999'"
ANOTHER_ID = "overlay(id::text PLACING 'ffff' FROM 33)::uuid"  # within the same partition

BREAKAGES = [
    ("tickets", "no_ticket", f"DELETE FROM dispatch.ticket WHERE id = {LAST}"),
    (
        "tickets",
        "several_tickets",
        f"""ALTER TABLE dispatch.ticket DROP CONSTRAINT ticket_request_id_key;
            UPDATE dispatch.ticket AS later SET request_id = earlier.request_id
            FROM dispatch.ticket AS earlier WHERE earlier.id = {FIRST} AND later.id = {LAST}""",
    ),
    ("tickets", "ticket_without_request", "DELETE FROM intake.request WHERE title = 'ref-000001'"),
    (
        "tickets",
        "request_not_told_its_ticket",
        "UPDATE intake.request SET ticket_id = NULL WHERE title = 'ref-000001'",
    ),
    (
        "tickets",
        "not_assigned_once",
        f"""INSERT INTO dispatch.event_log
            SELECT {ANOTHER_ID}, type, subject, sequence, lane, body FROM dispatch.event_log
            WHERE type = 'dispatch.ticket_assigned.v1' AND subject = {LAST}::text""",
    ),
    ("tickets", "judged_otherwise", f"UPDATE dispatch.ticket SET kind = 'complaint' WHERE id = {LAST}"),
    (
        "owners",
        "not_opened_once",
        f"""DELETE FROM dispatch.event_log
            WHERE type = 'dispatch.ticket_opened.v1' AND subject = {LAST}::text""",
    ),
    (
        "owners",
        "unowned_at_first",
        f"""UPDATE dispatch.event_log SET body = (body::jsonb #- '{{data,owner_id}}')::text
            WHERE type = 'dispatch.ticket_opened.v1' AND subject = {LAST}::text""",
    ),
    ("owners", "unowned_now", f"UPDATE dispatch.ticket SET owner_id = {STRANGER} WHERE id = {LAST}"),
    (
        "owners",
        "another_owner_on_the_board",
        f"UPDATE sla.subject SET owner_id = {STRANGER} WHERE id = {LAST}",
    ),
    ("clocks", "no_clock", f"DELETE FROM sla.clock WHERE promise = 'accept' AND subject_id = {LAST}"),
    (
        "clocks",
        "clock_too_many",
        f"""UPDATE sla.clock SET promise = 'accept', occurrence = 99
            WHERE promise = 'visit_agreed' AND subject_id = {LAST}""",
    ),
    (
        "clocks",
        "clock_too_many",
        f"UPDATE sla.clock SET subject_id = {STRANGER} WHERE promise = 'accept' AND subject_id = {LAST}",
    ),
    (
        "clocks",
        "clock_of_another_rule",
        "UPDATE sla.clock SET requirement = 'R57' WHERE requirement = 'R56'",
    ),
    (
        "clocks",
        "clock_of_another_start",
        f"""UPDATE sla.clock
            SET started_at = started_at + interval '1 s', deadline = deadline + interval '1 s'
            WHERE promise = 'accept' AND subject_id = {LAST}""",
    ),
    (
        "clocks",
        "clock_of_another_length",
        f"""UPDATE sla.clock SET deadline = deadline + interval '1 s'
            WHERE promise = 'accept' AND subject_id = {LAST}""",
    ),
    (
        "C2 deliveries",
        "missing",
        "DELETE FROM parts.inbox WHERE type = 'dispatch.parts_requested.v1'",
    ),
    (
        "C3 effects",
        "no_effect",
        "DELETE FROM sla.history WHERE kind = 'dispatch.engineer_arrived'",
    ),
    (
        "consequences",
        "message_to_the_customer_missing",
        "DELETE FROM intake.message WHERE template = 'survey'",
    ),
    (
        "consequences",
        "message_to_the_customer_repeated",
        f"UPDATE intake.message SET cause = {STRANGER} WHERE template = 'survey'",
    ),
    (
        "consequences",
        "news_missing",
        """DELETE FROM dispatch.event_log WHERE id =
            (SELECT id FROM dispatch.event_log WHERE type = 'dispatch.customer_informed.v1' LIMIT 1)""",
    ),
    (
        "consequences",
        "news_repeated",
        "DELETE FROM intake.event_log WHERE type = 'intake.answer_given.v1'",
    ),
    ("consequences", "requisition_missing", "DELETE FROM parts.requisition"),
    ("consequences", "requisition_repeated", f"UPDATE parts.requisition SET id = {STRANGER}"),
    ("consequences", "survey_missing", "DELETE FROM feedback.survey"),
    ("consequences", "survey_repeated", "UPDATE feedback.survey SET episode = 2"),
    (
        "consequences",
        "clock_told_missing",
        """DELETE FROM sla.event_log WHERE id =
            (SELECT id FROM sla.event_log WHERE type = 'sla.clock_started.v1' LIMIT 1)""",
    ),
    (
        "consequences",
        "version_told_repeated",
        f"""INSERT INTO intake.event_log
            SELECT {ANOTHER_ID}, type, subject, sequence, lane, body FROM intake.event_log LIMIT 1""",
    ),
    (
        "dead letters",
        "bug",
        f"""INSERT INTO feedback.dead_letter
            VALUES ({STRANGER}, NULL, 'bug', 'it broke', 5, 'live', 'body', 'digest')""",
    ),
]


@pytest_asyncio.fixture(scope="module")
async def day(postgres: PostgresServer) -> AsyncIterator[Ground]:
    """Three requests, the first of them repaired to the end, and everything at rest."""
    async with fresh_ground(postgres, None, SERVICES) as ground:
        settings = {
            each.name: Settings(database_url=ground.database_url(each.name), bus="memory", database_pool=3)
            for each in SERVICES
        }
        process = Process(SERVICES, settings, topology())
        process.start()
        await process.begun()
        app = build_app(process.contexts, {each.name: each.router for each in SERVICES}, process)
        pages = {each.name: each.site for each in SERVICES if each.site}
        process.follow_commits(install_pages(app, pages, process.contexts).wake)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            await spend(Visitor(client, settings["intake"]), ground)
        await process.stop()
        yield ground


async def spend(visitor: Visitor, ground: Ground) -> None:
    await visitor.set_up()
    requests = [await visitor.mail(wish.body.decode(), wish.reference, "east", "shanghai") for wish in WISHES]
    ticket = await visitor.ticket_of(requests[0])
    await visitor.answer(requests[0], "We are on it.")
    await visitor.repair(ticket["id"], clock.now())
    await visitor.press(await visitor.link(requests[0], "please_accept"), verdict="accept")
    db = await asyncpg.connect(ground.database_url("postgres"))
    (await come_to_rest(db, ground, within=30)).assert_clean()
    await db.close()


@pytest.fixture
async def db(day: Ground) -> AsyncIterator[asyncpg.Connection]:
    """The day's tables, to be doctored without a guard; nothing of it stays."""
    connection = await asyncpg.connect(day.database_url("postgres"))
    doctored = connection.transaction()
    await doctored.start()
    await connection.execute("SET LOCAL session_replication_role = replica")  # no foreign key is looked at
    yield connection
    await doctored.rollback()
    await connection.close()


async def judged(db: asyncpg.Connection) -> dict[str, Report]:
    return {report.checker: report for report in await check_suite(db, WISHES)}


async def test_a_day_that_went_well_is_accepted(db: asyncpg.Connection) -> None:
    reports = await judged(db)
    for report in reports.values():
        report.assert_clean()
    assert reports["tickets"].checked == reports["owners"].checked == 3
    # A first reply, an acceptance, a visit, a solution, news each; one agreed on a time, one informed
    # leadership; one had more news: an answer, the agreed time, the engineer's word, and that they came.
    assert reports["clocks"].checked == 14 + 3 + 4


@pytest.mark.parametrize(
    ("checker", "kind", "breakage"), BREAKAGES, ids=[f"{checker}: {kind}" for checker, kind, _ in BREAKAGES]
)
async def test_the_judges_find(db: asyncpg.Connection, checker: str, kind: str, breakage: str) -> None:
    await db.execute(breakage)
    report = (await judged(db))[checker]
    assert report.found.get(kind) == 1, report
    with pytest.raises(ProofFailed, match=kind):
        report.assert_clean()


async def refusals(db: asyncpg.Connection) -> Report:
    return await check_nothing_else(db, [wish.reference for wish in WISHES], ["bad-000009"])


async def test_what_was_refused_and_left_nothing_is_accepted(db: asyncpg.Connection) -> None:
    (await refusals(db)).assert_clean()


@pytest.mark.parametrize(
    ("kind", "breakage"),
    [
        ("refused_and_kept", f"INSERT INTO intake.customer VALUES ({STRANGER}, 'bad-000009', 'standard')"),
        (
            "refused_and_kept",
            f"INSERT INTO intake.source VALUES ({STRANGER}, 'text/plain', 'Subject: bad-000009')",
        ),
        ("nobody_asked", "UPDATE intake.request SET title = 'ref-000099' WHERE title = 'ref-000001'"),
    ],
)
async def test_what_nobody_was_told_of_is_found(db: asyncpg.Connection, kind: str, breakage: str) -> None:
    await db.execute(breakage)
    assert (await refusals(db)).found == {kind: 1}


async def test_an_event_that_nobody_received_is_no_rest(db: asyncpg.Connection, day: Ground) -> None:
    await db.execute("DELETE FROM parts.inbox WHERE type = 'dispatch.parts_requested.v1'")
    report = await come_to_rest(db, day, within=0.0)
    assert report.found == {"not_at_rest": 1}
    assert "events not received by parts" in report.violations[0]


def test_an_invariant_that_does_not_hold_is_found() -> None:
    assert check_invariants({"wrong_loads": 2, "tickets_without_owner": 0}).found == {"wrong_loads": 2}
