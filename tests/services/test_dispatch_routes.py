"""Dispatch over HTTP: who may do and see what, and what is refused without a trace."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    JUNIOR_A,
    JUNIOR_B,
    LEADER_E,
    NORTH_DUTY_LEAD,
    SAMPLE,
    SENIOR_C,
    SUPERVISOR_F,
    Desk,
    dispatching,
    post,
    times,
)
from shared.clock import clock, uuid7


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


async def test_declining_asks_the_next_one_and_at_last_the_duty_lead(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important"))
    asked = []
    while ticket.state == "assigned":
        asked.append(ticket.engineer_id)
        engineer = desk.acting(ticket.engineer_id, "engineer")
        await post(engineer, ticket.id, "decline", ticket.version, reason="on leave tomorrow")
        ticket = await desk.ticket(ticket.request_id)
    assert asked == [SENIOR_C, SUPERVISOR_F, EXPERT_D, LEADER_E]
    assert (ticket.state, ticket.owner_id) == ("needs_decision", DUTY_LEAD_G)


async def test_a_dispatcher_assigns_by_hand_and_the_reason_is_kept(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important", skills=("juggling",)))
    assert ticket.state == "needs_decision"
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    order = {"person_id": str(SENIOR_C), "reason": "Knows the machine", "despite": ["lacks_skills"]}
    await post(dispatcher, ticket.id, "assign", ticket.version, **order)
    row = await desk.ticket(ticket.request_id)
    assert (row.engineer_id, row.supervisor_id, row.owner_id) == (SENIOR_C, SUPERVISOR_F, SENIOR_C)
    detail = (await dispatcher.get(f"/dispatch/tickets/{ticket.id}")).json()
    assert detail["decisions"][0]["because"][-2:] == [
        "By hand: Knows the machine", "Chosen in spite of this: Lacks the skills juggling",
    ]  # fmt: skip
    assert detail["decisions"][0]["decided_by"] == str(DUTY_LEAD_G)
    for person_id, status in ((SENIOR_C, 409), (DUTY_LEAD_G, 422), (uuid7(), 422)):
        body = {"base_version": row.version, "person_id": str(person_id), "reason": "x"}
        assert (await dispatcher.post(f"/dispatch/tickets/{row.id}/assign", json=body)).status_code == status


async def test_operations_gives_a_ticket_to_somebody_else_and_does_nothing_more_to_it(desk: Desk) -> None:
    """R25: who watches the promises removes what blocks them, and does nobody's work."""
    ticket = await desk.ticket(await desk.ask("important"))
    watcher = desk.acting(ticket.owner_id, "operations")  # who owns it, even
    order = {"person_id": str(EXPERT_D), "reason": "Promise at risk"}
    given = await post(watcher, ticket.id, "assign", ticket.version, **order)
    assert given["engineer_id"] == str(EXPERT_D)
    late = {"base_version": ticket.version, **order, "person_id": str(SENIOR_C)}
    answer = await watcher.post(f"/dispatch/tickets/{ticket.id}/assign", json=late)
    assert (answer.status_code, answer.json()["version"]) == (409, given["version"])
    accept = {"base_version": given["version"]}
    assert (await watcher.post(f"/dispatch/tickets/{ticket.id}/accept", json=accept)).status_code == 403
    browser = await desk.browser(ticket.owner_id, "operations")
    address = f"/dispatch/tickets/{ticket.id}/page"
    csrf = re.findall(r'name="csrf" value="([^"]+)"', (await browser.get(address)).text)[0]
    for command, fields, status in (
        ("accept", {}, 403),
        ("assign", {"person_id": str(SENIOR_C), "reason": "Knows the machine"}, 303),
    ):
        filled = {"csrf": csrf, "command": command, "base_version": str(given["version"]), **fields}
        assert (await browser.post(address, data=filled)).status_code == status
    for role in ("engineer", "care", "storekeeper"):
        client = desk.acting(ticket.owner_id, role)
        path = f"/dispatch/tickets/{ticket.id}/assign"
        assert (await client.post(path, json={**late, "base_version": 9})).status_code == 403


async def test_an_engineer_is_at_one_place_at_a_time(desk: Desk) -> None:
    first, second = [await desk.ticket(await desk.ask("urgent")) for _ in range(2)]
    expert = desk.acting(EXPERT_D, "engineer")
    versions = [(await post(expert, each.id, "accept", each.version))["version"] for each in (first, second)]
    now = await post(expert, first.id, "visits", versions[0], **times(hours=1, length=4))
    body = {"base_version": versions[1], **times(hours=4, length=2)}
    answer = await expert.post(f"/dispatch/tickets/{second.id}/visits", json=body)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/visit-overlaps")
    await post(expert, first.id, "visits", now["version"], **times(hours=10), reason="Two at once")
    await post(expert, second.id, "visits", versions[1], **times(hours=4, length=2))


async def test_a_wrong_state_says_what_is_possible(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    engineer = desk.acting(JUNIOR_A, "engineer")
    body = {"base_version": ticket.version, "work_note": "done before it began"}
    problem = (await engineer.post(f"/dispatch/tickets/{ticket.id}/resolve", json=body)).json()
    assert (problem["status"], problem["state"]) == (409, "assigned")
    allowed = [
        "accept", "ask_department", "assign", "cancel", "decline", "deescalate", "escalate",
        "inform_customer", "offer_visit", "plan_work", "propose_plan", "sign_plan",
    ]  # fmt: skip
    assert problem["allowed"] == allowed


async def test_a_command_needs_the_version_it_was_decided_on(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    engineer, path = desk.acting(JUNIOR_A, "engineer"), f"/dispatch/tickets/{ticket.id}/accept"
    assert (await engineer.post(path, json={})).status_code == 428
    assert (await engineer.post(path, json={"base_version": 1})).status_code == 412
    assert (await engineer.post(path, json={}, headers={"if-match": '"1"'})).status_code == 412
    told = await engineer.post(path, json={}, headers={"if-match": f'"{ticket.version}"'})
    assert told.status_code == 200


async def test_a_repeated_command_has_one_effect(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    engineer, path = desk.acting(JUNIOR_A, "engineer"), f"/dispatch/tickets/{ticket.id}/accept"
    key = {"idempotency-key": '"from-the-cellar"'}
    first = await engineer.post(path, json={"base_version": ticket.version}, headers=key)
    second = await engineer.post(path, json={"base_version": ticket.version}, headers=key)
    assert (first.status_code, second.status_code, second.json()) == (200, 200, first.json())
    assert (await desk.ticket(ticket.request_id)).version == ticket.version + 1


async def test_engineers_see_their_own_work_only(desk: Desk) -> None:
    general, important, urgent = [
        await desk.ticket(await desk.ask(severity)) for severity in ("general", "important", "urgent")
    ]
    own = {JUNIOR_A: {general.id}, SENIOR_C: {important.id}, SUPERVISOR_F: {important.id}}
    own |= {EXPERT_D: {urgent.id}, LEADER_E: {urgent.id}, JUNIOR_B: set()}
    for person, expected in own.items():
        client = desk.acting(person, "engineer")
        listed = (await client.get("/dispatch/tickets")).json()["items"]
        assert {UUID(item["id"]) for item in listed} == expected
        for ticket in (general, important, urgent):
            status = (await client.get(f"/dispatch/tickets/{ticket.id}")).status_code
            assert status == (200 if ticket.id in expected else 404)


async def test_what_is_not_ones_task_is_refused_and_what_is_not_visible_does_not_exist(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important"))
    for person, status in ((SUPERVISOR_F, 403), (JUNIOR_A, 404), ("nobody-we-know", 404)):
        client = desk.acting(person, "engineer")
        body = {"base_version": ticket.version}
        assert (await client.post(f"/dispatch/tickets/{ticket.id}/accept", json=body)).status_code == status
    assert (await desk.ticket(ticket.request_id)).version == ticket.version


async def test_limits_hide_what_lies_outside(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general", product_line="pumps"))
    for limits, status in (
        ({"regions": frozenset({"east"})}, 200),
        ({"regions": frozenset({"north"})}, 404),
        ({"product_lines": frozenset({"pumps"})}, 200),
        ({"product_lines": frozenset({"fans"})}, 404),
        ({"customer_levels": frozenset({"vip"})}, 404),
    ):
        client = desk.acting(NORTH_DUTY_LEAD, "dispatcher", **limits)
        assert (await client.get(f"/dispatch/tickets/{ticket.id}")).status_code == status
        listed = (await client.get("/dispatch/tickets")).json()["items"]
        assert bool(listed) == (status == 200)


async def test_lists_are_filtered_and_paged(desk: Desk) -> None:
    for severity in ("general", "urgent", "general", "general"):
        await desk.ask(severity)
    client = desk.acting(DUTY_LEAD_G, "dispatcher")
    seen: list[str] = []
    address = "/dispatch/tickets?severity=general&open=true&limit=2"
    while address:
        answer = await client.get(address)
        seen += [item["id"] for item in answer.json()["items"]]
        address = answer.links.get("next", {}).get("url", "")
    assert len(seen) == 3
    assert seen == sorted(seen, reverse=True)
    owned = await client.get("/dispatch/tickets", params={"owner_id": str(LEADER_E)})
    assert [item["severity"] for item in owned.json()["items"]] == ["urgent"]


WRONG: list[tuple[str, Any]] = [
    ("decline", {}),
    ("decline", {"reason": ""}),
    ("decline", {"reason": "x" * 501}),
    ("decline", {"reason": "a\u0000b"}),
    ("decline", {"reason": "x", "owner_id": str(JUNIOR_B)}),
    ("decline", {"reason": "x", "__proto__": {}}),
    ("visits", {}),
    ("visits", {"starts_at": "2026-11-22T10:00:00", "ends_at": "2026-11-22T11:00:00"}),
    ("visits", {"starts_at": "0001-01-01T00:00:00Z", "ends_at": "0001-01-01T01:00:00Z"}),
    ("visits", {"starts_at": "9999-12-31T23:00:00Z", "ends_at": "9999-12-31T23:59:59-23:59"}),
    ("visits", {"starts_at": "2026-11-22T10:00:00+99:99", "ends_at": "2026-11-22T11:00:00Z"}),
    ("parts", {"lines": []}),
    ("parts", {"lines": [{"part_number": "P", "quantity": 0}]}),
    ("parts", {"lines": [{"part_number": "P", "quantity": 1.5}]}),
    ("parts", {"lines": [{"part_number": "P", "quantity": 2**63}]}),
    ("parts", {"lines": [{"part_number": "P'; --", "quantity": 1}]}),
    ("parts", {"lines": [{"part_number": "P", "quantity": 1}] * 51}),
    ("parts", {"lines": [{"part_number": "P", "quantity": 1000}] * 2}),
    ("arrive", {"device_time": "yesterday"}),
    ("arrive", {"latitude": 1}),
    ("resolve", {"work_note": "x" * 4001}),
    ("resolve", {"work_note": {}}),
    ("assign", {"person_id": [], "reason": "x"}),
    ("accept", {"base_version": 0}),
    ("accept", {"base_version": "1e400"}),
    ("accept", []),
]


@pytest.mark.parametrize(("command", "body"), WRONG)
async def test_bad_input_is_refused_and_changes_nothing(desk: Desk, command: str, body: Any) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    await desk.rows("UPDATE ticket SET state = :state RETURNING 1", state=_STATE_FOR.get(command, "assigned"))
    if isinstance(body, dict):
        body = {"base_version": ticket.version, **body}
    answer = await dispatcher.post(f"/dispatch/tickets/{ticket.id}/{command}", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await desk.ticket(ticket.request_id)).version == ticket.version
    assert len(await desk.told(ticket.id)) == 2


_STATE_FOR = {"visits": "accepted", "parts": "on_site", "arrive": "travelling", "resolve": "on_site"}


@pytest.mark.parametrize("days", [-8, 1])
async def test_a_phone_whose_clock_is_wrong_is_told_so(desk: Desk, days: int) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    await desk.rows("UPDATE ticket SET state = 'travelling' RETURNING 1")
    told = (clock.now() + timedelta(days=days)).isoformat()
    answer = await desk.acting(JUNIOR_A, "engineer").post(
        f"/dispatch/tickets/{ticket.id}/arrive", json={"base_version": ticket.version, "device_time": told}
    )
    assert answer.json()["errors"][0]["pointer"] == "/device_time"


async def test_the_organisation_is_replaced_as_a_whole_on_top_of_what_was_seen(desk: Desk) -> None:
    admin, document = desk.acting("admin", "admin"), SAMPLE.model_dump(mode="json")
    found = await admin.get("/dispatch/organisation")
    assert found.json()["organisation"] == document
    path = "/dispatch/organisation"
    assert (await admin.put(path, json=document)).status_code == 428
    assert (await admin.put(path, json=document, headers={"if-match": '"0"'})).status_code == 412
    changed = await admin.put(path, json=document, headers={"if-match": found.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (await admin.put(path, json=document, headers={"if-match": '"1"'})).status_code == 412


async def test_before_the_first_import_the_version_is_zero(desk: Desk) -> None:
    await desk.clear()
    admin = desk.acting("admin", "admin")
    found = await admin.get("/dispatch/organisation")
    assert (found.status_code, found.headers["etag"]) == (404, '"0"')
    headers = {"if-match": found.headers["etag"]}
    put = await admin.put("/dispatch/organisation", json=SAMPLE.model_dump(mode="json"), headers=headers)
    assert put.json() == {"version": 1}


async def test_an_unfit_organisation_is_refused_with_pointers(desk: Desk) -> None:
    document = SAMPLE.model_dump(mode="json")
    document["regions"][0]["duty_lead"] = str(uuid7())
    document["people"][0]["centre"] = "nowhere"
    document["default_region"] = "south"
    answer = await desk.acting("admin", "admin").put(
        "/dispatch/organisation", json=document, headers={"if-match": '"1"'}
    )
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/default_region",
        "/people/0/centre",
        "/regions/0/duty_lead",
    }
    assert (await desk.rows("SELECT version FROM organisation"))[0].version == 1


async def test_colleagues_are_listed_for_lists_to_pick_from(desk: Desk) -> None:
    client = desk.acting("keeper", "storekeeper")
    found = await client.get("/dispatch/people", params={"region": "north", "role": "engineer", "limit": 3})
    assert len(found.json()["items"]) == 3
    rest = await client.get(found.links["next"]["url"])
    names = [each["display_name"] for each in (*found.json()["items"], *rest.json()["items"])]
    assert len(names) == 5
    assert names == sorted(names)


async def test_every_invariant_reads_zero(desk: Desk) -> None:
    await desk.ask("urgent")
    told = (await desk.acting("ops", "operations").get("/dispatch/invariants")).json()
    assert (told["total"], told["violations"]["tickets_without_owner"]) == (0, 0)


async def test_a_hole_would_be_counted(desk: Desk) -> None:
    await desk.ask("general")
    await desk.admin.execute("UPDATE dispatch.capacity SET working = working + 1")
    told = (await desk.acting("ops", "operations").get("/dispatch/invariants")).json()
    await desk.admin.execute("UPDATE dispatch.capacity SET working = working - 1")
    assert told["violations"]["wrong_loads"] == told["total"] > 0
