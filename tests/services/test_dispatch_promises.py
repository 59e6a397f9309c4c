"""What sla-monitor promises about tickets, in dispatch: each clock as it was told of last (R25, R54–R62)."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio

from contracts.dispatching import DUTY_LEAD_G, JUNIOR_A, SAMPLE, Desk, dispatching, heard, post, times
from dispatch.board.store import version_of_open
from dispatch.promises.rules import Deadlines
from dispatch.promises.store import deadlines, version_of_owed
from shared.clock import clock, uuid7
from shared.events import Payload
from shared.events.sla import (
    ClockAmended,
    ClockBreached,
    ClockCancelled,
    ClockMet,
    ClockPaused,
    ClockResumed,
    ClockStarted,
    ClockWarned,
)

HOUR = timedelta(hours=1)
JSON = {"accept": "application/json"}


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


def about(ticket_id: UUID, code: str, due: datetime, kind: str = "ticket") -> dict[str, Any]:
    return {"about": ticket_id, "about_kind": kind, "promise": code, "deadline": due}


def started(ticket_id: UUID, code: str, due: datetime, kind: str = "ticket") -> Payload:
    return ClockStarted(**about(ticket_id, code, due, kind), started_at=due - HOUR)


async def owed(desk: Desk, *ticket_ids: UUID) -> dict[UUID, Deadlines]:
    async with desk.database.transaction() as tx:
        return await deadlines(tx, ticket_ids)


async def test_a_promise_is_known_before_its_ticket_and_ends_when_it_is_kept(desk: Desk) -> None:
    """R54: events come in any order; what nobody promised has no deadline."""
    ticket_id, other, clock_id = uuid7(), uuid7(), uuid7()
    due = clock.now() + HOUR
    await desk.receive(heard(started(ticket_id, "on_site", due), clock_id, 1))
    found = await owed(desk, ticket_id, other)
    assert found[ticket_id].next == ("on_site", due)
    assert found[other] == Deadlines()
    await desk.receive(heard(started(ticket_id, "accept", due - HOUR), uuid7(), 1))
    assert (await owed(desk, ticket_id))[ticket_id].next == ("accept", due - HOUR)
    await desk.receive(heard(ClockMet(**about(ticket_id, "on_site", due), met_at=due), clock_id, 2))
    assert (await owed(desk, ticket_id))[ticket_id].on_site is None


async def test_clocks_of_requests_and_calls_are_passed_over(desk: Desk) -> None:
    """R52, R50: another desk's promises."""
    due = clock.now() + HOUR
    await desk.receive(
        heard(started(uuid7(), "first_reply", due, "request"), uuid7()),
        heard(started(uuid7(), "answer_call", due, "call"), uuid7()),
    )
    assert not await desk.rows("SELECT 1 FROM promise")


async def test_what_stands_still_is_not_due_until_it_runs_again(desk: Desk) -> None:
    """R58: later, because the time in between did not count."""
    ticket_id, clock_id, due = uuid7(), uuid7(), clock.now() + HOUR
    said = about(ticket_id, "resolution", due)
    await desk.receive(heard(started(ticket_id, "resolution", due), clock_id, 1))
    before = await _version(desk)
    await desk.receive(heard(ClockPaused(**said, reason="customer"), clock_id, 2))
    [paused] = (await owed(desk, ticket_id)).values()
    assert (paused.next, paused.standing) == (None, "resolution")
    assert await _version(desk) != before, "the live lists would not notice"
    later = {**said, "deadline": due + HOUR}
    await desk.receive(heard(ClockResumed(**later), clock_id, 3))
    assert (await owed(desk, ticket_id))[ticket_id].resolution == due + HOUR


async def _version(desk: Desk) -> Any:
    async with desk.database.transaction() as tx:
        return await version_of_owed(tx)


async def test_a_missed_promise_is_owed_until_it_is_done_late(desk: Desk) -> None:
    """R54: nothing more is told of it then, so the ticket's own history says so."""
    ticket = await desk.ticket(await desk.ask("urgent"))
    due = clock.now() - timedelta(minutes=14)
    said = about(ticket.id, "on_site", due)
    await desk.receive(heard(ClockBreached(**said, confirmed=True), uuid7(), 3))
    assert (await owed(desk, ticket.id))[ticket.id].next == ("on_site", due)
    engineer, version = desk.acting(ticket.engineer_id, "engineer"), ticket.version
    for command in ("accept", "depart", "arrive"):
        assert (await owed(desk, ticket.id))[ticket.id].next == ("on_site", due), command
        version = (await post(engineer, ticket.id, command, version))["version"]
    assert (await owed(desk, ticket.id))[ticket.id] == Deadlines()


async def test_what_was_missed_of_a_ticket_that_ended_is_owed_no_more(desk: Desk) -> None:
    """R24."""
    ticket = await desk.ticket(await desk.ask())
    said = about(ticket.id, "a_rule_of_the_house", clock.now() - HOUR)
    await desk.receive(heard(ClockBreached(**said, confirmed=True), uuid7(), 3))
    assert (await owed(desk, ticket.id))[ticket.id].next is not None
    lead = desk.acting(JUNIOR_A, "dispatcher")
    await post(lead, ticket.id, "cancel", ticket.version, reason="withdrawn", note="not wanted")
    assert (await owed(desk, ticket.id))[ticket.id] == Deadlines()


async def test_in_whatever_order_and_however_often_it_is_told_the_newest_version_counts(desk: Desk) -> None:
    """R25: at least once, in any order, from several replicas; the oracle is the last of each in order."""
    dice = random.Random(20261123)
    expected: dict[UUID, tuple[str, datetime, int]] = {}
    messages: list[bytes] = []
    for ticket_id in [uuid7() for _ in range(40)]:
        for code in ("on_site", "resolution"):
            clock_id, due = uuid7(), clock.now()
            for version in range(1, dice.randint(2, 7)):
                due += timedelta(minutes=dice.randint(0, 90))
                payload, state = _told_at_random(dice, about(ticket_id, code, due))
                messages += [heard(payload, clock_id, version)] * dice.randint(1, 2)
                expected[clock_id] = (state, due, version)
    dice.shuffle(messages)
    for at in range(0, len(messages), 37):
        await desk.receive(*messages[at : at + 37])
    stored = {
        row.id: (row.state, row.due_at, row.version) for row in await desk.rows("SELECT * FROM promise")
    }
    assert stored == expected


def _told_at_random(dice: random.Random, said: dict[str, Any]) -> tuple[Payload, str]:
    outcome = dice.choice(("running", "met", "breached", "cancelled"))
    told: list[tuple[Payload, str]] = [
        (ClockStarted(**said, started_at=said["deadline"]), "running"),
        (ClockWarned(**said, threshold=50), "running"),
        (ClockPaused(**said, reason="customer"), "paused"),
        (ClockResumed(**said), "running"),
        (ClockMet(**said, met_at=said["deadline"]), "met"),
        (ClockBreached(**said, confirmed=False), "breached"),
        (ClockCancelled(**said, reason="closed"), "cancelled"),
        (ClockAmended(**said, outcome=outcome, previous_outcome="running"), outcome),
    ]
    return dice.choice(told)


async def owing(desk: Desk, ticket_id: UUID, code: str, minutes: float) -> datetime:
    """A promise to a ticket that is due in so many minutes; when that is."""
    due = clock.now() + timedelta(minutes=minutes)
    await desk.receive(heard(started(ticket_id, code, due), uuid7()))
    return due


async def test_the_next_promise_is_shown_wherever_the_ticket_is(desk: Desk) -> None:
    """R25: its name, how long until then, and when; what stands still has no time."""
    ticket = await desk.ticket(await desk.ask())
    due = await owing(desk, ticket.id, "visit_agreed", 43.5)
    await owing(desk, ticket.id, "resolution", 600)
    at_work = await desk.browser(ticket.engineer_id, "engineer")
    lead = await desk.browser(DUTY_LEAD_G, "dispatcher", language="zh-CN")
    page = f"/dispatch/tickets/{ticket.id}/page"
    for browser, path, words in (
        (at_work, "/dispatch/app", ("Agree on a visit", "in 43 min")),
        (lead, "/dispatch/board", ("约定上门时间", "剩余 43分钟")),
        (at_work, page, ("Agree on a visit", "in 43 min", "Solve the problem")),
    ):
        shown = (await browser.get(path)).text
        assert [each for each in words if each not in shown] == [], path
        assert f'datetime="{due.isoformat()}" data-here' in shown, path
    said = (await at_work.get(f"/dispatch/tickets/{ticket.id}", headers=JSON)).json()["promises"]
    assert [each["code"] for each in said] == ["visit_agreed", "resolution"]


async def test_what_is_late_and_what_stands_still_is_said(desk: Desk) -> None:
    """R25, R58."""
    late, waits = [await desk.ticket(await desk.ask()) for _ in range(2)]
    await owing(desk, late.id, "on_site", -14.5)
    clock_id, due = uuid7(), clock.now() + HOUR
    await desk.receive(heard(ClockPaused(**about(waits.id, "on_site", due), reason="customer"), clock_id, 2))
    shown = (await (await desk.browser(DUTY_LEAD_G, "dispatcher")).get("/dispatch/board")).text
    assert re.search(r"14 min \d+ sec late", shown)
    assert shown.count("stands</small>") == 1


async def test_the_next_job_is_on_top_of_the_engineers_list(desk: Desk) -> None:
    """R25: what was begun, then what is urgent, then what is due first; then the rest."""
    tickets = [await desk.ticket(await desk.ask()) for _ in range(8)]
    plain, later, soon, visited, *_ = [each for each in tickets if each.engineer_id == tickets[0].engineer_id]
    await owing(desk, later.id, "resolution", 600)
    await owing(desk, soon.id, "accept", 30)
    engineer = desk.acting(soon.engineer_id, "engineer")
    version = (await post(engineer, visited.id, "accept", visited.version))["version"]
    await post(engineer, visited.id, "visits", version, **times(hours=2))
    shown = (await (await desk.browser(soon.engineer_id, "engineer")).get("/dispatch/app")).text
    places = [shown.index(f'data-ticket="{each.id}"') for each in (soon, visited, later, plain)]
    assert places == sorted(places)


async def test_the_live_lists_notice_what_was_promised(desk: Desk) -> None:
    """R25."""
    ticket = await desk.ticket(await desk.ask())
    async with desk.database.transaction() as tx:
        before = await version_of_open(tx)
    await owing(desk, ticket.id, "on_site", 30)
    async with desk.database.transaction() as tx:
        assert await version_of_open(tx) != before


async def test_the_deadlines_of_many_tickets_are_one_statement(desk: Desk) -> None:
    """R25: the lists ask for hundreds at once."""
    ids = [uuid7() for _ in range(30)]
    due = clock.now() + HOUR
    with desk.statements() as alone:
        await desk.receive(heard(started(ids[0], "on_site", due), uuid7()))
    with desk.statements() as together:
        await desk.receive(*(heard(started(each, "on_site", due), uuid7()) for each in ids))
    assert len(together) == len(alone)
    with desk.statements() as reading:
        assert {each.on_site for each in (await owed(desk, *ids)).values()} == {due}
    assert sum("promise" in each for each in reading) == 1
