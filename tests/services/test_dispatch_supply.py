"""When the parts that a ticket waits for are expected: any order, shown where its engineer looks (R73)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import DUTY_LEAD_G, SAMPLE, Desk, dispatching, heard, post, times
from dispatch.board.store import version_of_open
from dispatch.supply.store import load_arrivals
from shared.clock import clock, uuid7
from shared.events.parts import PartsExpected, PartsReleased, PartsReserved, PartsShort, PartsUsed
from shared.events.sla import ClockStarted
from shared.events.terms import PartLine

DAY = timedelta(days=1)
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


async def arrival(desk: Desk, ticket_id: UUID) -> object:
    async with desk.database.transaction() as tx:
        return (await load_arrivals(tx, [ticket_id])).get(ticket_id)


async def test_in_whatever_order_it_is_told_the_newest_says_when_parts_come(desk: Desk) -> None:
    """R73: the oracle is what was told last."""
    ticket = await desk.ticket(await desk.ask())
    soon, later = clock.now() + DAY, clock.now() + 2 * DAY
    told = (
        PartsShort(ticket_id=ticket.id, missing=LINES),
        PartsExpected(ticket_id=ticket.id, expected_at=soon),
        PartsExpected(ticket_id=ticket.id, expected_at=later),
    )
    for order in itertools.permutations(range(3)):
        requisition, own = uuid7(), uuid7()
        for place in (*order, order[0]):
            payload = told[place].model_copy(update={"ticket_id": own})
            await desk.receive(heard(payload, requisition, place + 1))
        assert await arrival(desk, own) == later, order
        [row] = await desk.rows("SELECT state, missing FROM requisition WHERE id = :id", id=requisition)
        assert (row.state, len(row.missing)) == ("short", 1), order
    await desk.rows("DELETE FROM requisition WHERE ticket_id <> :id RETURNING id", id=ticket.id)


async def test_what_is_there_or_not_wanted_any_more_is_not_waited_for(desk: Desk) -> None:
    """R73."""
    held = PartsReserved(
        ticket_id=UUID(int=0), warehouse="shanghai", lines=LINES, held_until=clock.now() + DAY
    )
    for answer in (held, PartsReleased(ticket_id=UUID(int=0), reason="given_back")):
        ticket, requisition = await desk.ticket(await desk.ask()), uuid7()
        expected = PartsExpected(ticket_id=ticket.id, expected_at=clock.now() + DAY)
        answered = heard(answer.model_copy(update={"ticket_id": ticket.id}), requisition, 3)
        await desk.receive(heard(PartsShort(ticket_id=ticket.id, missing=LINES), requisition, 1))
        await desk.receive(heard(expected, requisition, 2))
        assert await arrival(desk, ticket.id) == expected.expected_at
        await desk.receive(answered)
        assert await arrival(desk, ticket.id) is None


async def test_the_last_of_the_parts_counts_and_is_shown_wherever_the_ticket_is(desk: Desk) -> None:
    """R73: half a repair helps nobody."""
    ticket = await desk.ticket(await desk.ask())
    soon, later = clock.now() + DAY, clock.now() + 2 * DAY
    async with desk.database.transaction() as tx:
        before = await version_of_open(tx)
    for at in (later, soon):
        requisition = uuid7()
        await desk.receive(heard(PartsShort(ticket_id=ticket.id, missing=LINES), requisition, 1))
        await desk.receive(heard(PartsExpected(ticket_id=ticket.id, expected_at=at), requisition, 2))
    assert await arrival(desk, ticket.id) == later
    async with desk.database.transaction() as tx:
        assert await version_of_open(tx) != before
    page = f"/dispatch/tickets/{ticket.id}/page"
    engineer = await desk.browser(ticket.engineer_id, "engineer")
    lead = await desk.browser(DUTY_LEAD_G, "dispatcher", language="zh-CN")
    for browser, path, words in (
        (engineer, "/dispatch/app", "part expected"),
        (engineer, page, "part expected"),
        (lead, "/dispatch/board", "备件预计到货"),
    ):
        shown = (await browser.get(path)).text
        assert words in shown, path
        assert f'datetime="{later.isoformat()}" data-here' in shown, path
    said = (await engineer.get(f"/dispatch/tickets/{ticket.id}")).json()["requisitions"]
    assert len({each["expected_at"] for each in said}) == 2


async def test_a_visit_that_no_longer_fits_is_said_to_and_nobody_is_moved(desk: Desk) -> None:
    """R73, R54: to the engineer, on the ticket and on the board, as soon as it is known."""
    ticket = await desk.ticket(await desk.ask())
    engineer = desk.acting(ticket.engineer_id, "engineer")
    version = (await post(engineer, ticket.id, "accept", ticket.version))["version"]
    await post(engineer, ticket.id, "visits", version, **times(hours=3))
    path = f"/dispatch/tickets/{ticket.id}"
    assert (await engineer.get(path)).json()["visit_window"]["fights"] == []
    await desk.receive(
        heard(PartsShort(ticket_id=ticket.id, missing=LINES), (requisition := uuid7()), 1),
        heard(PartsExpected(ticket_id=ticket.id, expected_at=clock.now() + DAY), requisition, 2),
    )
    about = {"about": ticket.id, "about_kind": "ticket", "promise": "on_site"}
    due = clock.now() + timedelta(hours=2)
    await desk.receive(heard(ClockStarted(**about, deadline=due, started_at=clock.now()), uuid7()))
    window = (await engineer.get(path)).json()["visit_window"]
    assert (window["since"], window["until"], len(window["fights"])) == (None, None, 3)
    at_work = await desk.browser(ticket.engineer_id, "engineer")
    lead = await desk.browser(DUTY_LEAD_G, "dispatcher")
    for browser, page in ((at_work, "/dispatch/app"), (lead, "/dispatch/board"), (lead, f"{path}/page")):
        shown = (await browser.get(page)).text
        assert shown.count("after the agreed visit ends") == 1, page
        assert shown.count("The agreed visit begins") == 1, page
    [visit] = await desk.rows("SELECT state, engineer_id FROM visit")
    assert (visit.state, visit.engineer_id) == ("agreed", ticket.engineer_id)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_what_was_built_in_is_shown_in_whatever_order_it_is_told(
    desk: Desk, order: tuple[int, ...]
) -> None:
    """R73."""
    ticket, requisition = await desk.ticket(await desk.ask()), uuid7()
    used = (PartLine(part_number="P-1", quantity=1),)
    told = (
        PartsShort(ticket_id=ticket.id, missing=LINES),
        PartsReserved(ticket_id=ticket.id, warehouse="s", lines=LINES, held_until=clock.now() + DAY),
        PartsUsed(ticket_id=ticket.id, lines=used),
    )
    engineer = desk.acting(ticket.engineer_id, "engineer")
    for place in order:
        await desk.receive(heard(told[place], requisition, place + 1))
    [said] = (await engineer.get(f"/dispatch/tickets/{ticket.id}")).json()["requisitions"]
    assert (said["ended_as"], said["used"]) == ("used", [{"part_number": "P-1", "quantity": 1}])
    assert said["lines"] == [{"part_number": "P-1", "quantity": 2}]
    browser = await desk.browser(ticket.engineer_id, "engineer")
    page = (await browser.get(f"/dispatch/tickets/{ticket.id}/page")).text
    assert "Built in" in page
    assert "data-requisition=" not in page
    assert "Parts short" not in (await browser.get("/dispatch/app")).text
