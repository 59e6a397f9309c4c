"""What was missed is told once, when nothing on its way can deny it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text

from contracts.clocking import ARRIVED, DUE, HOUR, MINUTE, SECOND, TEN, Desk, clocking, visit
from shared.clock import clock
from shared.db import Tx


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    """The desk with nothing on it."""
    await running.clear()
    return running


async def test_warnings_then_a_breach_each_once(desk: Desk) -> None:
    ticket = await desk.urgent()
    assert await desk.tick(TEN + HOUR) == TEN + 90 * MINUTE  # half of 2 h are gone; sleeps until 75 %
    for _ in range(3):
        await desk.tick(TEN + 90 * MINUTE)
        await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    assert await desk.words(ticket) == ["started", "warned", "warned", "breached"]
    assert await desk.alerts(ticket) == [(50, 0), (75, 0), (100, 0)]


async def test_a_breach_waits_for_what_might_still_be_on_its_way(desk: Desk) -> None:
    ticket = await desk.urgent()
    again = await desk.tick(DUE + SECOND, dispatch=DUE - SECOND)
    assert again == DUE + SECOND + timedelta(milliseconds=50)
    assert "breached" not in await desk.words(ticket)
    await desk.happen(ticket, ARRIVED, DUE)  # on its way for a second
    await desk.tick(DUE + 2 * SECOND, dispatch=DUE + SECOND)
    assert await desk.words(ticket) == ["started", "met"]


async def test_while_one_waits_those_after_it_wait_with_it_but_not_what_is_due_anyway(desk: Desk) -> None:
    tick = timedelta(milliseconds=10)
    for later in range(1, 4):
        await desk.urgent(TEN + later * tick)  # breaches 10 ms apart: each would only wait like the first
    now = DUE + tick
    await desk.tick(now, dispatch=DUE)  # their warnings
    assert await desk.tick(now, dispatch=DUE) == now + timedelta(milliseconds=50)
    await desk.urgent(TEN + HOUR + 4 * tick)
    assert await desk.tick(now, dispatch=DUE) == now + 3 * tick  # half of its 2 h: no producer is asked


async def test_somebody_elses_watermark_says_nothing(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.tick(DUE + SECOND, intake=DUE + SECOND)
    assert "breached" not in await desk.words(ticket)


async def test_after_five_seconds_of_silence_the_breach_is_told_unconfirmed_and_confirmed_later(
    desk: Desk,
) -> None:
    ticket = await desk.urgent()
    await desk.tick(DUE + 5 * SECOND - timedelta(milliseconds=1), dispatch=DUE)
    assert "breached" not in await desk.words(ticket)
    await desk.tick(DUE + 5 * SECOND, dispatch=DUE)
    assert (await desk.told_about(ticket))[-1][1]["confirmed"] is False
    await desk.tick(DUE + 9 * SECOND, dispatch=DUE)
    await desk.tick(DUE + 9 * SECOND, dispatch=DUE + SECOND)
    (word, data) = (await desk.told_about(ticket))[-1]
    assert (word, data["outcome"], data["previous_outcome"]) == ("amended", "breached", "breached")
    assert (await desk.clock(ticket))["confirmed"] is True
    assert await desk.alerts(ticket) == [(100, 0)]
    waiting = "SELECT count(*) FROM timer JOIN clock ON clock.id = clock_id WHERE promise = 'on_site'"
    assert await desk.admin.fetchval(waiting) == 0


async def test_an_arrival_told_too_late_takes_the_alert_back(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.tick(DUE + 5 * SECOND)
    await desk.happen(ticket, ARRIVED, DUE - SECOND)
    (word, data) = (await desk.told_about(ticket))[-1]
    assert (word, data["outcome"], data["previous_outcome"], data["revision"]) == (
        "amended", "met", "breached", 1,
    )  # fmt: skip
    kept = await desk.clock(ticket)
    assert (kept["outcome"], kept["alerted_at"], kept["confirmed"]) == ("met", None, None)


async def test_a_clock_that_runs_again_may_be_missed_again(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    wished = max(clock.now(), DUE) + HOUR  # when it is told, there must be time again
    await desk.happen(ticket, visit(wished), TEN + 30 * MINUTE)  # told late; 90 min are left from then
    assert (await desk.clock(ticket))["outcome"] == "running"
    second = wished + 90 * MINUTE + SECOND
    await desk.tick(second, dispatch=second)
    assert await desk.words(ticket) == ["started", "breached", "amended", "resumed", "breached"]
    assert await desk.alerts(ticket) == [(100, 0), (100, 1)]


async def test_an_end_that_came_late_confirms_nothing_for_a_pause_may_come_after_it(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.happen(ticket, ARRIVED, DUE + SECOND)
    await desk.tick(DUE + 5 * SECOND)
    (word, data) = (await desk.told_about(ticket))[-1]
    assert (word, data["confirmed"]) == ("breached", False)
    await desk.tick(DUE + 6 * SECOND, dispatch=DUE + 6 * SECOND)
    assert (await desk.words(ticket))[-1] == "amended"
    assert (await desk.clock(ticket))["confirmed"] is True


async def test_a_process_that_has_just_begun_listens_before_it_doubts(desk: Desk) -> None:
    ticket = await desk.urgent()
    monday = DUE + 60 * HOUR
    await desk.tick(monday, began=monday)
    assert "breached" not in await desk.words(ticket)
    await desk.tick(monday + SECOND, began=monday, dispatch=monday)  # caught up
    assert (await desk.told_about(ticket))[-1][1]["confirmed"] is True


async def test_two_processes_raise_each_alert_once(desk: Desk) -> None:
    tickets = [await desk.urgent() for _ in range(30)]
    now = DUE + SECOND
    await asyncio.gather(*(desk.tick(now, dispatch=now) for _ in range(4)))
    await desk.tick(now, dispatch=now)
    alerts = await desk.admin.fetch("SELECT clock_id, threshold, revision FROM alert")
    assert len(alerts) == len(set(map(tuple, alerts))) == len(tickets)
    breaches = await desk.admin.fetchval(
        "SELECT count(*) FROM event_log WHERE type = 'sla.clock_breached.v1'"
    )
    assert breaches == len(tickets)


async def test_a_clock_in_other_hands_is_left_to_them_and_found_again_soon(desk: Desk) -> None:
    held, free = await desk.urgent(), await desk.urgent()
    now = DUE + SECOND

    async def meanwhile(tx: Tx) -> datetime | None:
        await tx.execute(text("SELECT 1 FROM clock WHERE subject_id = :id FOR UPDATE"), {"id": held})
        return await desk.tick(now, dispatch=now)

    assert await desk.database.transact(meanwhile) == now + timedelta(milliseconds=50)
    assert ("breached" in await desk.words(held), "breached" in await desk.words(free)) == (False, True)
    await desk.tick(now, dispatch=now)
    assert "breached" in await desk.words(held)


async def test_nothing_armed_is_nothing_to_wait_for(desk: Desk) -> None:
    assert await desk.tick(TEN) is None


async def test_an_alert_stands_once_whoever_inserts_it(desk: Desk) -> None:
    await desk.urgent()
    await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    with pytest.raises(asyncpg.UniqueViolationError):
        await desk.admin.execute(
            """
            INSERT INTO alert
            SELECT gen_random_uuid(), clock_id, threshold, revision, now(), NULL, NULL, 1 FROM alert
            """
        )
