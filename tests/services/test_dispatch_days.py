"""The days of engineers: tickets, visits, leave and promises as blocks, for whom may see them (R25, R125)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    SAMPLE,
    SHANGHAI,
    Desk,
    Sent,
    dispatching,
    heard,
    post,
    registered,
)
from contracts.serving import clock_kept
from dispatch.days.store import load_days
from dispatch.organisation.roster import Hours, Shift, Working
from shared.clock import clock, uuid7
from shared.events.sla import ClockStarted
from shared.events.terms import Site
from shared.i18n import ZONE

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = Shift(code="office", weekly=(Working(days=WEEK, hours=(Hours(begins="09:00", ends="18:00"),)),))
# One degree of latitude is 111 km, 145 km by road, 2 h 54 min at 50 km/h.
CENTRES = tuple(
    each.model_copy(update={"latitude": 31.23, "longitude": 121.47}) if each.code == "shanghai" else each
    for each in SAMPLE.centres
)
IN_SHIFTS = SAMPLE.model_copy(
    update={
        "shifts": (OFFICE,),
        "centres": CENTRES,
        "people": tuple(
            each.model_copy(update={"shift": "office"}) if each.is_engineer else each
            for each in SAMPLE.people
        ),
    }
)
NORTH_OF_IT: Site = SHANGHAI.model_copy(update={"latitude": 31.23 + 30 / 174})
"""Half an hour away."""


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(served: Desk) -> AsyncIterator[Desk]:
    """At eight in the morning, an hour before everybody's shift."""
    with clock_kept():
        clock.set(at(8, days=1))
        await served.clear()
        await served.put(IN_SHIFTS, 0)
        yield served
        assert await served.violations() == {}


def today() -> date:
    return clock.now().astimezone(ZONE).date()


def at(hour: int, minute: int = 0, days: int = 0) -> datetime:
    return datetime.combine(today() + timedelta(days=days), time(hour, minute), ZONE)


async def given(desk: Desk, person_id: UUID = JUNIOR_A, **changes: Any) -> Any:
    """A ticket that `person_id` has taken."""
    ticket = await desk.ticket(await desk.ask(**{"site": NORTH_OF_IT, **changes}))
    if ticket.engineer_id != person_id:
        async with desk.acting(DUTY_LEAD_G, "dispatcher") as dispatcher:
            body = {"person_id": str(person_id), "reason": "for the test"}
            await post(dispatcher, ticket.id, "assign", ticket.version, **body)
            ticket = await desk.ticket(ticket.request_id)
    await act(desk, ticket, "accept")
    return ticket


async def act(desk: Desk, ticket: Any, *what: str, **body: Any) -> None:
    now = await desk.ticket(ticket.request_id)
    async with desk.acting(now.engineer_id, "engineer") as engineer:
        for each in what:
            now = await desk.ticket(ticket.request_id)
            await post(engineer, ticket.id, each, now.version, **body)


async def agree(desk: Desk, ticket: Any, begins: datetime, hours: float = 1) -> None:
    ends = begins + timedelta(hours=hours)
    await act(desk, ticket, "visits", starts_at=begins.isoformat(), ends_at=ends.isoformat())


async def day_of(desk: Desk, who: UUID = JUNIOR_A, **asked: Any) -> Sent:
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as dispatcher:
        answer = await dispatcher.get("/dispatch/days", params={"person": str(who), **asked})
    assert answer.status_code == 200, answer.text
    [day] = answer.json()["items"]
    return dict(day)


def told(day: Sent) -> list[str]:
    return [
        f"{each['kind']} {_wall(each['starts_at'])}-{_wall(each['ends_at'])}"
        for each in day["blocks"]
        if each["kind"] != "away"
    ]


def _wall(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(ZONE):%H:%M}"


async def test_a_day_has_its_visits_its_other_work_and_the_ways(desk: Desk) -> None:
    """The second ticket is in the same place, so it goes beside the visit."""
    visit, work = await given(desk), await given(desk)
    await agree(desk, visit, at(14))
    day = await day_of(desk)
    assert told(day) == [
        "travel 09:00-09:30", "work 09:30-11:30", "free 11:30-14:00", "visit 14:00-15:00", "free 15:00-18:00",
    ]  # fmt: skip
    tickets = {each["kind"]: each["ticket"]["id"] for each in day["blocks"] if each["ticket"]}
    assert tickets == {"travel": str(work.id), "work": str(work.id), "visit": str(visit.id)}


async def test_promises_order_the_work_and_say_what_is_late_r54(desk: Desk) -> None:
    first, pressing = await given(desk), await given(desk)
    due = at(9, 15).astimezone(UTC)
    await desk.receive(heard(_started(pressing.id, due), uuid7()))
    blocks = [each for each in (await day_of(desk))["blocks"] if each["kind"] == "work"]
    assert [each["ticket"]["id"] for each in blocks] == [str(pressing.id), str(first.id)]
    assert [each["late_minutes"] for each in blocks] == [15, None]
    assert blocks[0]["ticket"]["promise"] == "on_site"
    assert datetime.fromisoformat(blocks[0]["ticket"]["due_at"]) == due


def _started(ticket_id: UUID, due: datetime) -> ClockStarted:
    return ClockStarted(
        about=ticket_id,
        about_kind="ticket",
        promise="on_site",
        deadline=due,
        started_at=due - timedelta(hours=2),
    )


async def test_leave_is_away_and_what_waits_is_left_over(desk: Desk) -> None:
    waiting = await given(desk)
    await act(desk, waiting, "pause", waiting_for="vendor")
    async with desk.acting(DUTY_LEAD_G, "operations") as operations:
        leave = {"person_id": str(JUNIOR_A), "starts_at": at(13).isoformat(), "ends_at": at(20).isoformat()}
        assert (await operations.post("/dispatch/leave", json=leave)).status_code == 201
    day = await day_of(desk)
    assert told(day) == ["free 09:00-13:00"]
    assert [(each["ticket"]["id"], each["because"]) for each in day["left_over"]] == [
        (str(waiting.id), "waits")
    ]


async def test_what_does_not_fit_today_is_planned_tomorrow(desk: Desk) -> None:
    for _ in range(5):
        await given(desk)
    assert len((await day_of(desk))["left_over"]) == 1
    tomorrow = await day_of(desk, date=str(today() + timedelta(days=1)))
    assert told(tomorrow)[:2] == ["travel 09:00-09:30", "work 09:30-11:30"]


async def test_work_that_has_begun_and_a_visit_that_was_kept_stand_as_they_went(desk: Desk) -> None:
    kept = await given(desk)
    await agree(desk, kept, at(10), hours=2)
    clock.set(at(9, 40))
    await act(desk, kept, "depart", "arrive")
    clock.set(at(10, 30))
    assert told(await day_of(desk))[:3] == ["free 09:00-09:10", "travel 09:10-09:40", "visit 09:40-11:40"]
    await act(desk, kept, "checklist", items=["made_safe", "cause_found", "tested"])
    await act(desk, kept, "resolve", work_note="Changed the seal")
    clock.set(at(12))
    assert told(await day_of(desk))[2:] == ["visit 09:40-10:30", "free 10:30-18:00"]
    clock.set(at(12, days=2))
    yesterday = await day_of(desk, date=str(today() - timedelta(days=2)))
    assert told(yesterday)[2] == "visit 09:40-10:30"


async def test_an_engineer_sees_their_own_day_alone_r125(desk: Desk) -> None:
    async with desk.acting(JUNIOR_A, "engineer") as engineer:
        own = (await engineer.get("/dispatch/days")).json()["items"]
        others = (await engineer.get("/dispatch/days", params={"person": str(JUNIOR_B)})).json()["items"]
    assert [each["person_id"] for each in own] == [str(JUNIOR_A)]
    assert others == []


async def test_who_oversees_a_region_sees_its_people_and_not_what_others_have_for_them(desk: Desk) -> None:
    """R125: that somebody is busy is seen, with what is not."""
    await given(desk, product_line="pumps")
    path = "/dispatch/days"
    async with desk.acting(DUTY_LEAD_G, "dispatcher", regions=frozenset({"north"})) as north:
        assert {each["centre"] for each in (await north.get(path)).json()["items"]} == {"beijing"}
    async with desk.acting(DUTY_LEAD_G, "dispatcher", product_lines=frozenset({"fans"})) as fans:
        [day] = (await fans.get(path, params={"person": str(JUNIOR_A)})).json()["items"]
    assert [each["ticket"] for each in day["blocks"] if each["kind"] == "work"] == [None]


async def test_days_come_in_pages_of_a_centre(desk: Desk) -> None:
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as dispatcher:
        first = (await dispatcher.get("/dispatch/days", params={"centre": "shanghai", "limit": 4})).json()
        asked = {"centre": "shanghai", "limit": 4, "cursor": first["next"]}
        rest = (await dispatcher.get("/dispatch/days", params=asked)).json()
        wrong = await dispatcher.get("/dispatch/days", params={"date": "2000-01-01"})
    found = [each["person_id"] for each in (*first["items"], *rest["items"])]
    assert (len(found), len(set(found)), rest["next"]) == (6, 6, None)
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (422, "day_out_of_reach")


async def test_many_days_take_as_many_statements_as_one(desk: Desk) -> None:
    people = [each.id for each in SAMPLE.people if each.is_engineer]
    with desk.statements() as alone:
        await loaded(desk, [JUNIOR_A], today())
    await desk.receive(*(heard(registered("general", site=NORTH_OF_IT), uuid7()) for _ in range(30)))
    await agree(desk, await given(desk), at(14))
    with desk.statements() as together:
        found = await loaded(desk, people, today() + timedelta(days=3))
    assert len(together) == len(alone)
    assert found.keys() == set(people)


async def loaded(desk: Desk, people: list[UUID], day: date) -> dict[UUID, Any]:
    async with desk.database.transaction() as tx:
        return await load_days(tx, people, day)
