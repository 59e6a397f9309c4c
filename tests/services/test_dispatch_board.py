"""The dispatch board and who fits a ticket: verdicts, scope, number of statements (R20–R22, R38, R125)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    JUNIOR_A,
    JUNIOR_B,
    SAMPLE,
    SENIOR_C,
    Desk,
    dispatching,
    heard,
    person,
    post,
    times,
)
from dispatch.board.views import GRID, QUEUE
from dispatch.organisation.roster import day_of
from dispatch.organisation.rules import Organisation
from dispatch.promises.store import save_clocks
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events.parts import PartsExpected, PartsShort
from shared.events.terms import PartLine
from shared.http.auth import Principal
from shared.i18n import ZONE

EAST: Any = frozenset({"east"})
Told = dict[str, Any]


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


async def fit(desk: Desk, ticket_id: Any, query: str = "", **limits: Any) -> Told:
    async with desk.acting(DUTY_LEAD_G, "dispatcher", **limits) as client:
        answer = await client.get(f"/dispatch/tickets/{ticket_id}/fit{query}")
    assert answer.status_code == 200, answer.text
    told: Told = answer.json()
    return told


def of(told: Told, who: UUID) -> Told:
    [found] = [each for each in told["items"] if each["person_id"] == str(who)]
    return dict(found)


async def promise(desk: Desk, ticket_id: UUID, code: str, due_at: datetime) -> None:
    row = {"id": uuid7(), "ticket_id": ticket_id, "code": code, "due_at": due_at}

    async def put(tx: Tx) -> None:
        await save_clocks(tx, [{**row, "state": "running", "version": 1}])

    await desk.database.transact(put)


async def test_each_engineer_gets_the_verdict_that_the_assignment_would_hold(desk: Desk) -> None:
    """R21: an important ticket needs a senior; who has it is told apart, and the best comes first."""
    ticket = await desk.ticket(await desk.ask("important", skills=("cooling",)))
    told = await fit(desk, ticket.id)
    assert (told["version"], told["needed_tier"]) == (ticket.version, "senior")
    junior = of(told, JUNIOR_A)
    assert junior["verdict"] == "refused"
    assert [each["code"] for each in junior["objections"]] == ["lacks_skills", "below_tier"]
    assert junior["text"] == "Refused: Lacks the skills cooling (+1)"
    assert of(told, ticket.engineer_id)["verdict"] == "holds"
    assert next(each["code"] for each in of(told, person(11))["objections"]) == "other_region"
    fits = [each for each in told["items"] if each["verdict"] == "fits"]
    assert told["items"][: len(fits)] == fits
    assert [each["cost"] for each in fits] == sorted(each["cost"] for each in fits)
    assert all(each["objections"] == [] and each["text"].startswith("Fits, there ") for each in fits)


async def test_who_would_come_too_late_is_told_by_how_much(desk: Desk) -> None:
    """The day plan counts: whoever has agreed a visit now comes when that is over."""
    busy = await desk.ticket(await desk.ask("general"))
    assert busy.engineer_id == JUNIOR_A
    async with desk.acting(JUNIOR_A, "engineer") as engineer:
        accepted = await post(engineer, busy.id, "accept", busy.version)
        await post(engineer, busy.id, "visits", accepted["version"], **times(hours=0.1, length=3))
    ticket = await desk.ticket(await desk.ask("general", skills=("cooling", "electrical", "juggling")))
    await promise(desk, ticket.id, "on_site", clock.now() + timedelta(minutes=90))
    told = await fit(desk, ticket.id)
    late, free = of(told, JUNIOR_A), of(told, JUNIOR_B)
    assert (told["due"]["code"], late["verdict"]) == ("on_site", "refused")  # and has not the skill
    assert 180 < late["late_minutes"] + 90 < 300
    assert (free["late_minutes"], late["arrives_at"] > free["arrives_at"]) == (0, True)


async def test_late_and_without_parts_are_verdicts_of_their_own(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important"))
    await promise(desk, ticket.id, "on_site", clock.now() + timedelta(minutes=10))
    late = of(await fit(desk, ticket.id), EXPERT_D)
    assert (late["verdict"], late["objections"]) == ("late", [])
    assert late["text"].split(" min late")[0] in ("49", "50", "51")
    requisition, short = uuid7(), (PartLine(part_number="P", quantity=1),)
    await desk.receive(heard(PartsShort(ticket_id=ticket.id, missing=short), requisition))
    lacking = of(await fit(desk, ticket.id), EXPERT_D)
    assert (lacking["verdict"], lacking["lacks_parts"]) == ("lacks_parts", True)
    assert lacking["text"] == "Lacks parts; nobody knows until when"
    tomorrow = clock.now() + timedelta(days=1)
    await desk.receive(heard(PartsExpected(ticket_id=ticket.id, expected_at=tomorrow), requisition, 2))
    expected = of(await fit(desk, ticket.id), EXPERT_D)
    assert datetime.fromisoformat(expected["parts_at"]) == tomorrow
    assert expected["text"].endswith(f"{tomorrow.astimezone(ZONE):%H:%M}")
    soon = clock.now() + timedelta(minutes=5)
    await desk.receive(heard(PartsExpected(ticket_id=ticket.id, expected_at=soon), requisition, 3))
    assert of(await fit(desk, ticket.id), EXPERT_D)["verdict"] == "late"  # they are there before anybody is


async def test_what_the_fit_calls_an_objection_is_what_the_assignment_asks_for(desk: Desk) -> None:
    """One jury: each person is refused with exactly the codes that the bulk read told."""
    ticket = await desk.ticket(await desk.ask("urgent", skills=("hydraulics",)))
    told = await fit(desk, ticket.id)
    assert {each["verdict"] for each in told["items"]} > {"refused", "holds"}
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as client:
        for each in told["items"]:
            if each["verdict"] != "refused":
                continue
            body = {"base_version": ticket.version, "person_id": each["person_id"], "reason": "x"}
            refused = await client.post(f"/dispatch/tickets/{ticket.id}/assign", json=body)
            codes = [said["code"] for said in each["objections"]]
            assert [said["code"] for said in refused.json()["objections"]] == codes


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?centre=beijing", {11, 12, 13, 14, 15}),
        ("?tier=senior", {3, 6, 12, 15}),
        ("?region=north&tier=junior", {11}),
        ("?skill=hydraulics&centre=shanghai", {3, 4, 5, 6}),
        ("?region=&tier=&skill=nothing", set()),
    ],
)
async def test_filters_leave_those_who_fit(desk: Desk, query: str, found: set[int]) -> None:
    ticket = await desk.ticket(await desk.ask())
    told = await fit(desk, ticket.id, query)
    assert {each["person_id"] for each in told["items"]} == {str(person(number)) for number in found}
    browser = await desk.browser(DUTY_LEAD_G, "dispatcher")
    shown = (await browser.get(f"/dispatch/board{query}")).text
    assert {number for number in range(1, 16) if f'data-person="{person(number)}"' in shown} == found


@pytest.mark.parametrize(
    "query", ["?tier=chief", "?day=tomorrow", "?page=0", "?colour=red", "?day=2030-01-01"]
)
async def test_a_view_that_there_is_not_is_refused(desk: Desk, query: str) -> None:
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as client:
        answer = await client.get(f"/dispatch/board{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == f"/{query[1:].partition('=')[0]}"


async def test_who_oversees_a_region_sees_its_engineers_and_of_others_work_that_there_is_some(
    desk: Desk,
) -> None:
    """R125: a northern ticket in an eastern engineer's day is taken time, and nothing more."""
    await desk.put(with_both_regions(SAMPLE), 1)
    asked = {"site": {"region": "north", "city": "beijing"}, "title": "Nobody else's business"}
    north = await desk.ticket(await desk.ask("general", **asked))
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as client:
        order = {"person_id": str(SENIOR_C), "reason": "Is there"}
        given = await post(client, north.id, "assign", north.version, **order)
    visit = times(hours=26)
    async with desk.acting(SENIOR_C, "engineer") as engineer:
        accepted = await post(engineer, north.id, "accept", given["version"])
        await post(engineer, north.id, "visits", accepted["version"], **visit)
    query = f"day={day_of(datetime.fromisoformat(visit['starts_at']))}"
    own = await desk.ticket(await desk.ask("general", title="Ours"))
    viewer = Principal(str(DUTY_LEAD_G), frozenset({"dispatcher"}), regions=EAST)
    rows = await rows_of(desk, GRID, viewer, query)
    assert "Nobody else" not in str(rows)
    assert {row.id for row in rows if not row.id.startswith("centre")} == {
        str(person(n)) for n in range(1, 7)
    }
    [line] = [row.data for row in rows if row.id == str(SENIOR_C)]
    assert [(piece.kind, piece.ticket) for piece in line.pieces if piece.kind == "visit"] == [("visit", None)]
    told = await fit(desk, own.id, regions=EAST)
    assert {each["person_id"] for each in told["items"]} == {str(person(n)) for n in range(1, 7)}
    everybody = await rows_of(desk, GRID, Principal("ops", frozenset({"operations"})), query)
    assert "Nobody else" in str(everybody)


def with_both_regions(document: Organisation) -> Organisation:
    told = document.model_dump(mode="json")
    for each in told["people"]:
        if each["id"] == str(SENIOR_C):
            each["regions"] = ["east", "north"]
    return Organisation.model_validate_json(json.dumps(told))


async def rows_of(desk: Desk, feed: Any, viewer: Principal, query: str = "") -> list[Any]:
    narrowed = feed.narrow(query, viewer)
    async with desk.database.transaction() as tx:
        return list(await narrowed.snapshot(tx))


async def test_what_waits_is_sorted_by_the_next_deadline(desk: Desk) -> None:
    """Nobody could, somebody is away when they are expected, and what others oversee is not there."""
    viewer = Principal(str(DUTY_LEAD_G), frozenset({"dispatcher"}), regions=EAST)
    later = await desk.ticket(await desk.ask("important", skills=("juggling",), title="later"))
    sooner = await desk.ticket(await desk.ask("general", skills=("juggling",), title="sooner"))
    await desk.ticket(await desk.ask("important", skills=("juggling",), title="never"))
    visited = await desk.ticket(await desk.ask("general", title="visited"))
    await desk.ask("general", skills=("juggling",), site={"region": "north", "city": "beijing"})
    await desk.ask("general", title="nothing to decide")
    for ticket, hours in ((later, 9), (sooner, 1), (visited, 5)):
        await promise(desk, ticket.id, "resolution", clock.now() + timedelta(hours=hours))
    async with desk.acting(visited.engineer_id, "engineer") as engineer:
        accepted = await post(engineer, visited.id, "accept", visited.version)
        agreed = await post(engineer, visited.id, "visits", accepted["version"], **times(hours=30))
    now = clock.now()
    leave = {"starts_at": now + timedelta(hours=29), "ends_at": now + timedelta(hours=40)}
    body = {"person_id": str(visited.engineer_id), **{name: at.isoformat() for name, at in leave.items()}}
    async with desk.acting("ops", "operations") as operations:
        assert (await operations.post("/dispatch/leave", json=body)).status_code == 201
    rows = await rows_of(desk, QUEUE, viewer)
    assert [(row.data.ticket.title, row.data.why) for row in rows] == [
        ("sooner", "decide"), ("visited", "away"), ("later", "decide"), ("never", "decide"),
    ]  # fmt: skip
    async with desk.acting(DUTY_LEAD_G, "dispatcher") as client:
        await post(client, visited.id, "visits/cancel", agreed["version"], reason="away then")
    assert ("visited", "cancelled") in [
        (row.data.ticket.title, row.data.why) for row in await rows_of(desk, QUEUE, viewer)
    ]


@pytest.mark.parametrize(
    "path", ["/dispatch/board", "/dispatch/tickets/{}/fit", "/dispatch/board/tickets/{}"]
)
async def test_statements_do_not_grow_with_the_engineers(desk: Desk, path: str) -> None:
    ticket = await desk.ticket(await desk.ask("important"))
    browser = await desk.browser(DUTY_LEAD_G, "dispatcher")
    counted = []
    for count in (0, 120):
        if count:
            await desk.put(with_many(SAMPLE, count), 1)
        await browser.get(path.format(ticket.id))  # what is kept from an import is read once
        with desk.statements() as statements:
            shown = await browser.get(path.format(ticket.id))
        assert shown.status_code == 200
        counted.append(len(statements))
    assert counted[0] == counted[1]


def with_many(document: Organisation, count: int) -> Organisation:
    told = document.model_dump(mode="json")
    first = told["people"][0]
    told["people"] += [
        {**first, "id": str(person(1000 + n)), "display_name": f"P {n:04}"} for n in range(count)
    ]
    return Organisation.model_validate_json(json.dumps(told))


async def test_pages_say_how_many_there_are(desk: Desk) -> None:
    await desk.put(with_many(SAMPLE, 120), 1)
    browser = await desk.browser(DUTY_LEAD_G, "dispatcher")
    first = (await browser.get("/dispatch/board")).text
    last = (await browser.get("/dispatch/board?page=3")).text
    assert ("1–50 of 131" in first, "page=2" in first, "101–131 of 131" in last) == (True, True, True)
    assert (first.count('class="lane"'), last.count('class="lane"')) == (50, 31)


async def test_the_day_of_a_visit_shows_it_at_its_time(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general", title="<b>The pump</b>"))
    async with desk.acting(JUNIOR_A, "engineer") as engineer:
        accepted = await post(engineer, ticket.id, "accept", ticket.version)
        visit = times(hours=26)
        await post(engineer, ticket.id, "visits", accepted["version"], **visit)
    begins = datetime.fromisoformat(visit["starts_at"])
    browser = await desk.browser(DUTY_LEAD_G, "dispatcher")
    shown = (await browser.get(f"/dispatch/board?day={day_of(begins)}")).text
    assert f'data-from="{int(begins.timestamp() * 1000)}"' in shown
    assert "&lt;b&gt;The pump" in shown
    assert "<b>" not in shown
