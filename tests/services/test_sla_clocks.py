"""Events in, clocks and events out, on a real database."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from contracts.clocking import (
    ARRIVED,
    DUE,
    ENGINEER,
    HOUR,
    LEAD,
    MINUTE,
    SITE,
    TEN,
    Desk,
    assigned,
    clocking,
    opened,
    visit,
)
from shared.clock import uuid7
from shared.db import Tx
from shared.events.dispatch import CustomerInformed, TicketClosed, TicketRegraded
from shared.events.intake import RequestClosed, RequestMerged, RequestRegistered, RequestSplit


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    """The desk with nothing on it."""
    await running.clear()
    return running


async def test_a_ticket_is_clocked_from_assignment_to_arrival(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.happen(ticket, ARRIVED, DUE)
    clock = await desk.clock(ticket)
    assert (clock["outcome"], clock["deadline"], clock["stopped_at"]) == ("met", DUE, DUE)
    assert await desk.words(ticket) == ["started", "met"]
    assert await desk.words(ticket, "accept") == ["started", "met"]


async def test_events_carry_rising_versions_of_their_clock(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.happen(ticket, ARRIVED, DUE)
    rows = await desk.admin.fetch("SELECT subject, sequence FROM event_log ORDER BY id")
    versions: dict[str, list[int]] = {}
    for row in rows:
        versions.setdefault(row["subject"], []).append(row["sequence"])
    assert sorted(versions.values()) == [[1], [1], [1, 2], [1, 2]]  # resolution, progress, accept, on_site


async def test_an_arrival_that_is_told_before_the_assignment_counts(desk: Desk) -> None:
    ticket = uuid7()
    started, arrived = desk.event(ticket, assigned(), TEN), desk.event(ticket, ARRIVED, TEN + HOUR)
    await desk.receive(arrived)
    assert await desk.clock(ticket) is None
    await desk.receive(started)
    assert (await desk.clock(ticket))["outcome"] == "met"


async def test_a_customer_told_in_time_is_not_missed_however_late_it_becomes_known(desk: Desk) -> None:
    """R62: due at 10:00 + 2 h; told at 11:50, known only after the miss was told."""
    ticket = uuid7()
    await desk.happen(ticket, opened(), TEN)
    await desk.tick(DUE + MINUTE, dispatch=DUE + MINUTE)
    told = desk.event(ticket, CustomerInformed(by=LEAD), DUE - 10 * MINUTE)
    await desk.receive(told, told)
    await desk.receive(told)
    words = await desk.words(ticket, "progress")
    assert words == ["started", "breached", "amended", "started"]
    query = "SELECT outcome, deadline FROM clock WHERE promise = 'progress' ORDER BY deadline"
    rows = await desk.admin.fetch(query)
    assert [tuple(row) for row in rows] == [("met", DUE), ("running", DUE - 10 * MINUTE + 2 * HOUR)]


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_delivery_leads_to_the_same_rows(desk: Desk, seed: int) -> None:
    tickets = [uuid7() for _ in range(6)]
    bodies = [
        desk.event(ticket, payload, TEN + minutes * MINUTE)
        for ticket in tickets
        for payload, minutes in (
            (opened("general"), 0),
            (assigned("general"), 1),
            (TicketRegraded(severity="urgent", previous_severity="general", by=LEAD, reason="worse"), 20),
            (visit(TEN + 30 * HOUR), 40),
            (ARRIVED, 29 * 60),
        )
    ]
    delivered = bodies + bodies[::3]
    random.Random(seed).shuffle(delivered)
    for body in delivered:
        await desk.receive(body)
    columns = "promise, occurrence, outcome, deadline, stopped_at, severity, standing, reason"
    rows = await desk.admin.fetch(f"SELECT DISTINCT {columns} FROM clock ORDER BY promise, occurrence")
    assert [tuple(row)[:3] for row in rows] == [
        ("accept", rows[0]["occurrence"], "running"),
        ("appointment_kept", 4, "met"),
        ("on_site", 1, "met"),
        ("progress", 1, "met"),  # 10:00 + 2 h, agreed at 10:40
        ("progress", 4, "breached"),  # 10:40 + 2 h, arrived 29 h later
        ("progress", 5, "running"),
        ("resolution", 1, "running"),
        ("visit_agreed", 1, "cancelled"),
    ]
    # 10:01 + 2 h, of which 39 min are gone at 10:40; the other 81 min begin with the visit.
    assert rows[2]["deadline"] == TEN + 30 * HOUR + 81 * MINUTE
    title = await desk.admin.fetch("SELECT DISTINCT title, severity, owner_id FROM subject")
    assert [tuple(row) for row in title] == [("The press stands still", "urgent", LEAD)]


async def test_the_number_of_statements_does_not_grow_with_the_list(desk: Desk) -> None:
    counts = []
    for length in (2, 40):
        with desk.statements() as sent:
            await desk.receive(*(desk.event(uuid7(), assigned(), TEN) for _ in range(length)))
        counts.append(len(sent))
    assert counts[0] == counts[1]


async def test_a_wish_pauses_and_the_visit_resumes_the_clock(desk: Desk) -> None:
    now: datetime = await desk.admin.fetchval("SELECT now()")  # only a pause that lasts is one to tell of
    begins = now + 5 * HOUR
    ticket = await desk.urgent(now - 30 * MINUTE)
    await desk.happen(ticket, visit(begins), now)
    clock = await desk.clock(ticket)
    assert (clock["pause_reason"], clock["paused_until"]) == ("customers_wish", begins)
    assert clock["deadline"] == begins + 90 * MINUTE
    assert await desk.words(ticket) == ["started", "paused"]
    await desk.tick(begins)
    assert await desk.words(ticket) == ["started", "paused", "resumed"]
    assert (await desk.clock(ticket))["pause_reason"] is None


async def test_a_regraded_ticket_is_late_at_once_and_says_so(desk: Desk) -> None:
    ticket = uuid7()
    await desk.happen(ticket, assigned("important"), TEN)
    regraded = TicketRegraded(severity="urgent", previous_severity="important", by=LEAD, reason="worse")
    await desk.happen(ticket, regraded, TEN + 3 * HOUR)
    await desk.tick(TEN + 3 * HOUR, dispatch=TEN + 3 * HOUR)
    (word, data) = (await desk.told_about(ticket))[-1]
    assert (word, data["severity"], data["confirmed"]) == ("breached", "urgent", True)
    assert "due 2026-11-20T04:00:00Z" in data["explanation"]


async def test_closing_cancels_what_is_open(desk: Desk) -> None:
    ticket = await desk.urgent()
    closed = TicketClosed(
        request_id=UUID(int=9), customer_id=UUID(int=8), engineer_id=ENGINEER, reason="accepted",
        severity="urgent", site=SITE, episode=1,
    )  # fmt: skip
    await desk.happen(ticket, closed, TEN + HOUR)
    assert await desk.words(ticket) == ["started", "cancelled"]
    assert await desk.admin.fetchval("SELECT count(*) FROM timer") == 0


# What the database itself promises.


@pytest.mark.parametrize("table", ["history", "policy_version", "calendar_version", "calendar_day"])
async def test_what_was_is_not_rewritten(desk: Desk, table: str) -> None:
    async def rewrite(tx: Tx) -> None:
        await tx.execute(text(f"DELETE FROM {table}"))

    with pytest.raises(Exception, match="permission denied"):
        await desk.database.transact(rewrite)


@pytest.mark.parametrize(
    "change",
    [
        "outcome = 'met', stopped_at = deadline + interval '1 s'",
        "outcome = 'met'",
        "outcome = 'breached', stopped_at = deadline",
        "alerted_at = now()",
        "outcome = 'cancelled', alerted_at = now(), confirmed = true",
    ],
)
async def test_a_clock_cannot_say_what_its_instants_deny(desk: Desk, change: str) -> None:
    ticket = await desk.urgent()
    with pytest.raises(asyncpg.CheckViolationError):
        await desk.admin.execute(f"UPDATE clock SET {change} WHERE subject_id = $1", ticket)


async def test_a_request_that_was_merged_awaits_its_reply_again_once_it_is_split(desk: Desk) -> None:
    """R52: cancelled while another request stands for it; due as before when they are two after all."""
    request = uuid7()
    asked = RequestRegistered(
        channel="email", customer_id=uuid7(), kind="fault", severity="general", site=SITE, title="It leaks"
    )
    other = {"main_id": uuid7(), "by": LEAD}
    await desk.happen(request, asked, TEN)
    await desk.happen(request, RequestMerged(**other), TEN + 10 * MINUTE)
    await desk.tick(TEN + 2 * HOUR, intake=TEN + 2 * HOUR)
    assert await desk.alerts(request, "first_reply") == []
    await desk.happen(request, RequestSplit(**other), TEN + 3 * HOUR)
    await desk.tick(TEN + 3 * HOUR, intake=TEN + 3 * HOUR)
    clock = await desk.clock(request, "first_reply")
    assert (clock["outcome"], clock["deadline"]) == ("breached", TEN + HOUR)
    assert await desk.words(request, "first_reply") == ["started", "cancelled", "amended", "breached"]


async def test_nobody_awaits_a_reply_to_a_request_that_is_closed(desk: Desk) -> None:
    request = uuid7()
    asked = RequestRegistered(
        channel="web_form", customer_id=uuid7(), kind="fault", severity="general", site=SITE, title="It leaks"
    )
    closed = desk.event(request, RequestClosed(ticket_id=uuid7()), TEN + 30 * MINUTE)
    desk.versions[request] = 0
    await desk.receive(closed)  # comes before its beginning does
    await desk.happen(request, asked, TEN)
    await desk.tick(TEN + 2 * HOUR, intake=TEN + 2 * HOUR)
    clock = await desk.clock(request, "first_reply")
    assert (clock["outcome"], clock["reason"]) == ("cancelled", "intake.request_closed")
    assert await desk.words(request, "first_reply") == ["started", "cancelled"]
    assert await desk.alerts(request, "first_reply") == []
