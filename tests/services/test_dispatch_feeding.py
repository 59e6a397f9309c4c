"""Decisions are made from the agreed visit, the parts that come and the promise (R24, R54, R58, R73)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio

from contracts.dispatching import DUTY_LEAD_G, SAMPLE, Desk, dispatching, heard, post, times
from dispatch.tickets import store
from dispatch.tickets.jobs import load_jobs
from shared.clock import clock, uuid7
from shared.events.parts import PartsExpected, PartsShort
from shared.events.sla import ClockPaused, ClockStarted
from shared.events.terms import PartLine

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LINES = (PartLine(part_number="P-1", quantity=2),)


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(served: Desk) -> AsyncIterator[Desk]:
    await served.clear()
    await served.put(SAMPLE, 0)
    yield served
    assert await served.violations() == {}


async def visited(desk: Desk, hours: float) -> Any:
    """A ticket with an agreed visit, promised and short of parts."""
    ticket = await desk.ticket(await desk.ask())
    engineer = desk.acting(ticket.engineer_id, "engineer")
    version = (await post(engineer, ticket.id, "accept", ticket.version))["version"]
    await post(engineer, ticket.id, "visits", version, **times(hours=hours))
    about = {"about": ticket.id, "about_kind": "ticket", "promise": "on_site"}
    due = clock.now() + 30 * HOUR
    await desk.receive(
        heard(ClockStarted(**about, deadline=due, started_at=clock.now()), uuid7()),
        heard(PartsShort(ticket_id=ticket.id, missing=LINES), (requisition := uuid7()), 1),
        heard(PartsExpected(ticket_id=ticket.id, expected_at=clock.now() + DAY), requisition, 2),
    )
    return await desk.ticket(ticket.request_id)


async def jobs_of(desk: Desk, *rows: Any) -> Any:
    async with desk.database.transaction() as tx:
        ids = {row.id for row in rows}
        tickets = [each for each in await store.load_tickets(tx, store.IS_OPEN) if each.id in ids]
        with desk.statements() as sent:
            jobs = await load_jobs(tx, tickets)
        return jobs, len(sent)


async def test_a_job_knows_the_visit_the_parts_and_the_promise_in_as_many_statements_for_many(
    desk: Desk,
) -> None:
    """R24, R54, R73."""
    tickets = [await visited(desk, 24 + 3 * place) for place in range(6)]
    one, alone = await jobs_of(desk, tickets[0])
    many, together = await jobs_of(desk, *tickets)
    assert (alone, len(many)) == (together, 6)
    [visit] = await desk.rows("SELECT * FROM visit WHERE ticket_id = :id", id=tickets[0].id)
    job = one[tickets[0].id]
    assert job.appointment == (visit.starts_at, visit.ends_at)
    assert job.held == (visit.engineer_id, job.appointment)
    assert timedelta(0) < job.due_at - clock.now() < 30 * HOUR
    assert timedelta(0) < job.not_before - clock.now() < DAY


async def test_what_stands_still_or_comes_too_late_to_be_foreseen_binds_nobody(desk: Desk) -> None:
    """R58, R73."""
    ticket, requisition = await desk.ticket(await desk.ask()), uuid7()
    about = {"about": ticket.id, "about_kind": "ticket", "promise": "on_site", "deadline": clock.now() + HOUR}
    await desk.receive(
        heard(ClockPaused(**about, reason="customer"), uuid7(), 2),
        heard(PartsExpected(ticket_id=ticket.id, expected_at=clock.now() + 90 * DAY), requisition, 2),
    )
    jobs, _ = await jobs_of(desk, ticket)
    job = jobs[ticket.id]
    assert (job.appointment, job.held, job.not_before, job.due_at) == (None, None, None, None)


async def test_the_next_engineer_is_one_who_can_come_at_the_agreed_time(desk: Desk) -> None:
    """R58, R24: the customer expects somebody then, and nobody is moved in silence."""
    ticket = await visited(desk, 24)
    others = [each for each in SAMPLE.people if each.id != ticket.engineer_id]
    lead = desk.acting(DUTY_LEAD_G, "dispatcher")
    [visit] = await desk.rows("SELECT * FROM visit WHERE ticket_id = :id", id=ticket.id)
    juniors = [each for each in others if each.tier == "junior" and "east" in each.regions]
    away = {"kind": "leave", "starts_at": visit.starts_at.isoformat(), "ends_at": visit.ends_at.isoformat()}
    for each in juniors:
        answer = await lead.post("/dispatch/leave", json={**away, "person_id": str(each.id)})
        assert answer.status_code in (200, 201), answer.text
    await desk.put(SAMPLE.model_copy(update={"people": tuple(others)}), 1)
    now = await desk.ticket(ticket.request_id)
    assert now.engineer_id not in {each.id for each in juniors}
    [kept] = await desk.rows("SELECT * FROM visit WHERE ticket_id = :id AND state = 'agreed'", id=ticket.id)
    assert (kept.starts_at, kept.engineer_id) == (visit.starts_at, now.engineer_id)
