"""Work belongs to a visit (R33), and who worked on a product before is asked first (R34)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_B,
    SAMPLE,
    Desk,
    Sent,
    dispatching,
    heard,
    post,
    registered,
    times,
)
from dispatch.visits.rules import Visit, visit_at
from shared.clock import clock, uuid7

HOUR = timedelta(hours=1)


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


async def at_the_site(desk: Desk) -> tuple[Any, int, UUID]:
    """A ticket whose engineer is there for a visit that was agreed to begin now; its version, the visit."""
    ticket = await desk.ticket(await desk.ask())
    async with desk.acting(ticket.engineer_id, "engineer") as engineer:
        version = (await post(engineer, ticket.id, "accept", ticket.version))["version"]
        version = (await post(engineer, ticket.id, "visits", version, **times(hours=-0.5)))["version"]
        for command in ("depart", "arrive", "begin"):
            version = (await post(engineer, ticket.id, command, version))["version"]
    [visit] = await desk.rows("SELECT id FROM visit WHERE ticket_id = :id", id=ticket.id)
    return ticket, version, visit.id


def done(began: timedelta, minutes: int, **more: Any) -> Sent:
    begins = clock.now() + began
    ends = begins + timedelta(minutes=minutes)
    return {"began_at": begins.isoformat(), "ended_at": ends.isoformat(), "text": "Changed the seal", **more}


async def test_work_belongs_to_the_visit_that_is_running_or_that_is_named_r33(desk: Desk) -> None:
    ticket, version, visit_id = await at_the_site(desk)
    async with desk.acting(ticket.engineer_id, "engineer") as engineer:
        version = (await post(engineer, ticket.id, "work-logs", version, **done(-0.25 * HOUR, 10)))["version"]
        version = (await post(engineer, ticket.id, "work-logs", version, **done(-72 * HOUR, 30)))["version"]
        named = done(-96 * HOUR, 20, visit_id=str(visit_id))
        version = (await post(engineer, ticket.id, "work-logs", version, **named))["version"]
        foreign = {"base_version": version, **done(-HOUR, 5, visit_id=str(uuid7()))}
        wrong = await engineer.post(f"/dispatch/tickets/{ticket.id}/work-logs", json=foreign)
        detail = (await engineer.get(f"/dispatch/tickets/{ticket.id}")).json()
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "unknown_visit")
    assert {each["minutes"]: each["visit_id"] for each in detail["work"]["logs"]} == {
        10: str(visit_id), 20: str(visit_id), 30: None,
    }  # fmt: skip
    [visit] = detail["visits"]
    assert (visit["planned_minutes"], visit["worked_minutes"]) == (120, 30)
    told = [data for name, _, data in await desk.told(ticket.id) if name == "work_noted"]
    assert [each.get("visit_id") for each in told] == [str(visit_id), None, str(visit_id)]


async def test_the_page_shows_the_work_by_visit_planned_and_worked_r28(desk: Desk) -> None:
    ticket, version, _ = await at_the_site(desk)
    async with desk.acting(ticket.engineer_id, "engineer") as engineer:
        await post(engineer, ticket.id, "work-logs", version, **done(-0.25 * HOUR, 10))
    for language, words in (("en", "120 min planned, 10 min worked"), ("zh", "计划 120 分钟，实际 10 分钟")):
        browser = await desk.browser(ticket.engineer_id, "engineer", language=language)
        assert words in (await browser.get(f"/dispatch/tickets/{ticket.id}/page")).text
        await browser.aclose()


ZERO = datetime(2026, 11, 23, 2, tzinfo=UTC)
SPANS = st.tuples(st.integers(0, 120), st.integers(1, 120))


def span(told: tuple[int, int]) -> tuple[datetime, datetime]:
    begins = ZERO + timedelta(minutes=told[0])
    return begins, begins + timedelta(minutes=told[1])


STATES = st.sampled_from(("agreed", "kept", "moved", "cancelled"))


@given(st.lists(st.tuples(SPANS, STATES), max_size=4), SPANS)
def test_work_goes_to_the_visit_that_it_shares_the_most_minutes_with(
    visits: list[tuple[tuple[int, int], Any]], work: tuple[int, int]
) -> None:
    """Counted minute by minute; outside of all of them to one that was kept on that day."""
    made = [
        Visit(UUID(int=number), UUID(int=0), UUID(int=0), *span(each), at_customers_wish=False, state=state)
        for number, (each, state) in enumerate(visits)
    ]
    minutes = [set(range(each[0], sum(each))) & set(range(work[0], sum(work))) for each, _ in visits]
    counted = [
        len(shared) if state in ("agreed", "kept") else 0
        for shared, (_, state) in zip(minutes, visits, strict=True)
    ]
    found = visit_at(made, *span(work))
    if max(counted, default=0):
        assert found is not None
        assert counted[found.int] == max(counted)
    else:
        assert (found is None) == all(state != "kept" for _, state in visits)
        assert found is None or visits[found.int][1] == "kept"


async def test_who_worked_on_a_product_before_gets_it_again_whoever_owns_it_now(desk: Desk) -> None:
    """R34: one more open ticket weighs less than knowing the machine; another machine is anybody's."""
    device = uuid7()
    ticket = await desk.ticket(await desk.ask(device_id=device))
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as dispatcher:
        body = {"person_id": str(JUNIOR_B), "reason": "near"}
        await post(dispatcher, ticket.id, "assign", ticket.version, **body)
    again = await desk.ticket(await desk.ask(device_id=device))
    other = await desk.ticket(await desk.ask(device_id=uuid7()))
    assert (again.engineer_id, again.device_id) == (JUNIOR_B, device)
    assert other.engineer_id != JUNIOR_B
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as dispatcher:
        detail = (await dispatcher.get(f"/dispatch/tickets/{again.id}")).json()
    assert "Worked on this very product before" in detail["decisions"][0]["because"]


async def test_many_tickets_of_products_take_as_many_statements_as_one(desk: Desk) -> None:
    await desk.ask(device_id=uuid7())
    with desk.statements() as alone:
        await desk.ask(device_id=uuid7())
    with desk.statements() as together:
        asked = [registered("general", device_id=uuid7()) for _ in range(20)]
        await desk.receive(*(heard(each, uuid7()) for each in asked))
    assert len(together) == len(alone)
