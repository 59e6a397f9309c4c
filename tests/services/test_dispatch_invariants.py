"""What must never be is counted where nothing forbids it: so a 0 says that it is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from contracts.dispatching import DUTY_LEAD_G, JUNIOR_A, SAMPLE, Desk, dispatching, post, times
from dispatch.invariants import INVARIANTS, VIOLATIONS
from shared.clock import uuid7

_FORBIDDING = """
    SELECT format('ALTER TABLE dispatch.%I DROP CONSTRAINT %I CASCADE', relname, conname)
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE connamespace = 'dispatch'::regnamespace AND contype IN ('c', 'f', 'x') AND coninhcount = 0
    UNION ALL SELECT 'DROP INDEX dispatch.visit_agreed'
    UNION ALL
    SELECT format('ALTER TABLE dispatch.ticket ALTER %I DROP NOT NULL', attname)
    FROM pg_attribute WHERE attrelid = 'dispatch.ticket'::regclass AND attname = 'owner_id'
"""
TASK = """
    INSERT INTO department_task VALUES (
        '01930000-0000-7000-8000-00000000abcd', {ticket}, 1, 'rnd', 'Look into it', now(), true, 'asked',
        {owner}, 'somebody', now(), '', now(), 1)"""
# One deed that breaks each, on a ticket with a visit, and on another one that waits for its customer.
BREAK: dict[str, str] = {
    "tickets_without_owner": "UPDATE ticket SET owner_id = NULL WHERE id = $1",
    "open_tickets_owned_by_who_left": "UPDATE person SET active = false WHERE id = $3",
    "tickets_worked_on_by_who_left": "UPDATE person SET active = false WHERE id = $3",
    "tickets_at_work_without_engineer": "UPDATE ticket SET engineer_id = NULL WHERE id = $1",
    "urgent_tickets_without_group": "UPDATE ticket SET severity = 'urgent' WHERE id = $1",
    "important_tickets_without_supervisor": "UPDATE ticket SET severity = 'important' WHERE id = $1",
    "people_who_supervise_themselves": "UPDATE ticket SET supervisor_id = engineer_id WHERE id = $1",
    "tickets_that_wait_for_nothing": "UPDATE ticket SET state = 'waiting' WHERE id = $1",
    "cancelled_tickets_without_reason": "UPDATE ticket SET state = 'cancelled' WHERE id = $1",
    "open_tickets_that_ended": "UPDATE ticket SET ended_as = 'other' WHERE id = $1",
    "duplicates_of_nothing": "UPDATE ticket SET duplicate_of = id WHERE id = $1",
    "customers_not_asked": "UPDATE acceptance SET outcome = 'accepted' WHERE ticket_id = $2",
    "customers_asked_in_vain": "UPDATE ticket SET state = 'closed' WHERE id = $2",
    "engineers_at_two_places": """
        INSERT INTO visit SELECT $4, ticket_id, engineer_id, starts_at, ends_at, false, 'agreed'
        FROM visit WHERE ticket_id = $1""",
    "visits_of_tickets_that_ended": "UPDATE ticket SET state = 'closed' WHERE id = $1",
    "tickets_with_gaps_in_history": "DELETE FROM history WHERE ticket_id = $1 AND version = 1",
    "open_tasks_nobody_here_answers_for": TASK.format(ticket="$1", owner="$4"),
    "tasks_open_after_the_end": TASK.format(ticket="$1", owner="$3")
    + "; UPDATE ticket SET state = 'closed' WHERE id = $1",
    "finished_in_spite_of_a_task": TASK.format(ticket="$2", owner="$3"),
    "wrong_loads": "UPDATE capacity SET working = working + 1 WHERE person_id = $3",
    "events_about_unknown_requests": """
        INSERT INTO early_event VALUES ($4, $4, 1, '{}', now() - interval '2 minutes')""",
    "parts_for_unknown_tickets": """
        INSERT INTO requisition (id, ticket_id, state, lines, missing, version, told_at)
        VALUES ($4, $4, 'requested', '[]', '[]', 1, now() - interval '2 minutes')""",
}


@pytest_asyncio.fixture(scope="module")
async def loose(postgres_url: str) -> AsyncIterator[tuple[Desk, tuple[object, ...]]]:
    """A copy of the schema that forbids nothing, with two tickets; what each deed is told to work on."""
    async with dispatching(postgres_url) as desk:
        await desk.put(SAMPLE, 0)
        ticket, other = [await desk.ticket(await desk.ask()) for _ in range(2)]
        engineer = desk.acting(ticket.engineer_id, "engineer")
        version = (await post(engineer, ticket.id, "accept", ticket.version))["version"]
        await post(engineer, ticket.id, "visits", version, **times())
        second = desk.acting(other.engineer_id, "engineer")
        version = other.version
        for command in ("accept", "begin"):
            version = (await post(second, other.id, command, version))["version"]
        done = {"work_note": "done", "items": ["cause_found", "tested"]}
        await post(second, other.id, "resolve", version, **done)
        assert await desk.violations() == {}
        for row in await desk.admin.fetch(_FORBIDDING):
            await desk.admin.execute(row[0])
        yield desk, (ticket.id, other.id, ticket.engineer_id, uuid7())


def test_each_invariant_is_broken_here() -> None:
    assert set(BREAK) == set(INVARIANTS)


@pytest.mark.parametrize("name", list(BREAK))
async def test_what_must_not_be_is_counted_where_it_is(
    loose: tuple[Desk, tuple[object, ...]], name: str
) -> None:
    desk, known = loose
    admin: asyncpg.Connection = desk.admin
    before = await _counts(admin)
    assert set(before.values()) == {0}
    transaction = admin.transaction()
    await transaction.start()
    try:
        await admin.execute("SET LOCAL search_path TO dispatch")
        used = max(place for place in range(1, 5) if f"${place}" in BREAK[name])
        statement = BREAK[name]
        for place in range(1, used + 1):
            statement = statement.replace(f"${place}", f"'{known[place - 1]}'")
        await admin.execute(statement)
        assert (await _counts(admin))[name] > 0
    finally:
        await transaction.rollback()


async def _counts(admin: asyncpg.Connection) -> dict[str, int]:
    await admin.execute("SET search_path TO dispatch")
    return dict(await admin.fetchrow(str(VIOLATIONS)))


async def test_the_endpoint_counts_at_once(loose: tuple[Desk, tuple[object, ...]]) -> None:
    """Live, from the tables as they are: no restart, no sweep (R24)."""
    desk, (ticket, *_) = loose
    watcher = desk.acting(DUTY_LEAD_G, "operations")
    for owner, total in ((None, 1), (JUNIOR_A, 0)):
        await desk.admin.execute("UPDATE dispatch.ticket SET owner_id = $1 WHERE id = $2", owner, ticket)
        told = (await watcher.get("/dispatch/invariants")).json()
        assert (told["total"], told["violations"]["tickets_without_owner"]) == (total, total)
