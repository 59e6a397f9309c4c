"""Solutions over HTTP: proposed, approved or rejected, and what cannot be done before (R23, decision 21)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    FROM_AFAR,
    JUNIOR_A,
    LEADER_E,
    SAMPLE,
    SENIOR_C,
    Desk,
    dispatching,
    heard,
    person,
    post,
)
from dispatch.urgent.policy import shipped
from shared.clock import uuid7
from shared.events.intake import CustomerErased, IncidentDeclared, RequestLinked

CHIEF, ADMIN = person(21), person(22)
DANGER = {"text": "Switch it off and replace the pump", "grounds": ["danger"]}
PLAIN = {"text": "Tighten the screws", "grounds": ["other"]}


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


async def propose(desk: Desk, ticket_id: UUID, who: Any, body: Any, *roles: Any, **limits: Any) -> Any:
    client = desk.acting(who, *(roles or ("engineer",)), **limits)
    return await client.post(f"/dispatch/tickets/{ticket_id}/solutions", json=body)


async def decide(desk: Desk, proposed: Any, ticket_id: UUID, who: Any, *roles: Any, **said: Any) -> Any:
    path = f"/dispatch/tickets/{ticket_id}/solutions/{proposed['id']}/verdict"
    body = {"verdict": "approved", **said}
    return await desk.acting(who, *(roles or ("operations",))).post(path, json=body)


async def at_work(desk: Desk, severity: str = "general", **asked: Any) -> Any:
    """The row of a ticket whose engineer is at work from afar."""
    ticket = await desk.ticket(await desk.ask(severity, **asked))
    client = desk.acting(ticket.engineer_id, "engineer")
    version = ticket.version
    for command in ("accept", "begin"):
        version = (await post(client, ticket.id, command, version))["version"]
    return await desk.ticket(ticket.request_id)


async def resolve(desk: Desk, ticket_id: UUID) -> Any:
    [row] = await desk.rows("SELECT * FROM ticket WHERE id = :id", id=ticket_id)
    body = {"base_version": row.version, "work_note": "Replaced the pump", "items": FROM_AFAR}
    client = desk.acting(row.engineer_id, "engineer")
    return await client.post(f"/dispatch/tickets/{ticket_id}/resolve", json=body)


def told_of_solutions(told: list[tuple[str, int, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, data) for name, _, data in told if name.startswith("solution_")]


async def test_a_major_solution_waits_for_leadership_and_the_job_with_it(desk: Desk) -> None:
    ticket = await at_work(desk)
    proposed = await propose(desk, ticket.id, ticket.engineer_id, DANGER)
    assert proposed.status_code == 201, proposed.text
    told = proposed.json()
    assert (told["state"], told["flags"], told["leader_ids"]) == ("proposed", ["safety"], [str(CHIEF)])
    refused = await resolve(desk, ticket.id)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/solution-not-approved")
    assert refused.json()["detail"] == (
        "The solution of this ticket is a major one (safety), and leadership has not approved it yet."
    )
    assert (refused.json()["solution_id"], refused.json()["flags"]) == (told["id"], ["safety"])
    said = await decide(desk, told, ticket.id, CHIEF, note="Do it")
    assert (said.status_code, said.json()["state"]) == (200, "approved"), said.text
    assert (said.json()["decided_by"], said.json()["note"]) == (str(CHIEF), "Do it")
    assert (await resolve(desk, ticket.id)).status_code == 200
    assert told_of_solutions(await desk.told(ticket.id)) == [
        (
            "solution_proposed",
            {
                "solution_id": told["id"], "episode": 1, "by": str(ticket.engineer_id), "flags": ["safety"],
                "grounds": ["danger"], "currency": "CNY", "leader_ids": [str(CHIEF)],
            },
        ),
        (
            "solution_decided",
            {"solution_id": told["id"], "episode": 1, "verdict": "approved", "by": str(CHIEF)},
        ),
    ]  # fmt: skip


async def test_what_is_no_major_solution_needs_nobody(desk: Desk) -> None:
    ticket = await at_work(desk)
    told = (await propose(desk, ticket.id, ticket.engineer_id, PLAIN)).json()
    assert (told["state"], told["flags"], told["leader_ids"]) == ("not_needed", [], [])
    assert (await decide(desk, told, ticket.id, CHIEF)).json()["type"] == "/problems/already-decided"
    assert (await resolve(desk, ticket.id)).status_code == 200


async def test_cost_vip_and_incident_are_known_by_themselves(desk: Desk) -> None:
    """Decision 21: whatever the severity; who proposes need not know of the other complaints."""
    general, vip = await at_work(desk), await at_work(desk, customer_level="vip")
    dear = await propose(desk, general.id, general.engineer_id, {**PLAIN, "cost": 1_000_001})
    assert dear.json()["flags"] == ["cost"]
    assert (await propose(desk, vip.id, vip.engineer_id, PLAIN)).json()["flags"] == ["vip"]
    request_id, incident = await desk.ask(), uuid7()
    declared = IncidentDeclared(region="east", title="No water", by=person(24))
    linked = RequestLinked(incident_id=incident, by=person(24))
    await desk.receive(heard(linked, request_id, 2))  # before the incident itself is heard of
    await desk.receive(heard(declared, incident))
    ticket = await desk.ticket(request_id)
    told = (await propose(desk, ticket.id, ticket.engineer_id, PLAIN)).json()
    assert told["flags"] == ["incident"]
    await desk.receive(heard(linked.model_copy(update={"linked": False}), request_id, 3))
    await desk.receive(heard(linked, request_id, 2))  # again, and too late
    body = {**PLAIN, "supersedes": told["id"]}
    assert (await propose(desk, ticket.id, ticket.engineer_id, body)).json()["flags"] == []


async def test_a_rejected_solution_needs_another_one(desk: Desk) -> None:
    ticket = await at_work(desk)
    told = (await propose(desk, ticket.id, ticket.engineer_id, DANGER)).json()
    without = await decide(desk, told, ticket.id, CHIEF, verdict="rejected")
    assert without.status_code == 422  # who rejects says why
    said = await decide(desk, told, ticket.id, CHIEF, verdict="rejected", note="Too dangerous")
    assert said.json()["state"] == "rejected"
    other = await decide(desk, told, ticket.id, CHIEF)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/already-decided")
    again = await decide(desk, told, ticket.id, CHIEF, verdict="rejected", note="Once more")
    assert again.json() == said.json()
    refused = await resolve(desk, ticket.id)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/solution-rejected")
    assert (await propose(desk, ticket.id, ticket.engineer_id, PLAIN)).status_code == 201
    assert (await resolve(desk, ticket.id)).status_code == 200


async def test_one_proposal_waits_at_a_time_and_another_takes_its_place(desk: Desk) -> None:
    ticket = await at_work(desk)
    first = (await propose(desk, ticket.id, ticket.engineer_id, DANGER)).json()
    second = await propose(desk, ticket.id, ticket.engineer_id, DANGER)
    assert (second.status_code, second.json()["solution_id"]) == (409, first["id"])
    unknown = {**DANGER, "supersedes": str(uuid7())}
    assert (await propose(desk, ticket.id, ticket.engineer_id, unknown)).status_code == 404
    replacing = {**DANGER, "supersedes": first["id"]}
    third = (await propose(desk, ticket.id, ticket.engineer_id, replacing)).json()
    listed = (await desk.acting(CHIEF, "operations").get(f"/dispatch/tickets/{ticket.id}/solutions")).json()
    assert [(each["id"], each["state"]) for each in listed["items"]] == [
        (third["id"], "proposed"),
        (first["id"], "superseded"),
    ]
    [*_, (_, told)] = told_of_solutions(await desk.told(ticket.id))
    assert told["supersedes"] == first["id"]
    late = await decide(desk, first, ticket.id, CHIEF)
    assert (late.status_code, late.json()["state"]) == (409, "superseded")
    path = f"/dispatch/tickets/{ticket.id}/solutions/{third['id']}/withdraw"
    assert (await desk.acting(SENIOR_C, "engineer").post(path)).status_code == 404  # not theirs to see
    gone = await desk.acting(ticket.engineer_id, "engineer").post(path)
    assert gone.json()["state"] == "withdrawn"
    assert (await resolve(desk, ticket.id)).status_code == 200


async def test_two_at_once_are_one_that_waits(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    answers = await asyncio.gather(
        *(propose(desk, ticket.id, who, DANGER) for who in (LEADER_E, EXPERT_D, LEADER_E))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    [(waiting,)] = await desk.rows("SELECT count(*) FROM solution WHERE state = 'proposed'")
    assert waiting == 1


@pytest.mark.parametrize(
    ("who", "role", "status"),
    [
        (LEADER_E, "engineer", 201),
        (EXPERT_D, "engineer", 201),
        (DUTY_LEAD_G, "dispatcher", 201),
        (JUNIOR_A, "engineer", 404),
        (CHIEF, "engineer", 403),  # a leader who was informed sees it, and approves, but does not propose
        (CHIEF, "operations", 403),
        (CHIEF, "care", 403),
    ],
)
async def test_who_proposes(desk: Desk, who: UUID, role: Any, status: int) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    answer = await propose(desk, ticket.id, who, DANGER, role)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("who", "role", "limits", "status"),
    [
        (CHIEF, "operations", {}, 200),
        (CHIEF, "engineer", {}, 200),  # whatever else they are: they were asked, so they see it
        (CHIEF, "operations", {"regions": frozenset({"north"})}, 404),
        (DUTY_LEAD_G, "dispatcher", {}, 403),
        (ADMIN, "admin", {}, 403),  # there is a leader to ask
        (SENIOR_C, "engineer", {}, 404),
    ],
)
async def test_who_decides(desk: Desk, who: UUID, role: Any, limits: Any, status: int) -> None:
    ticket = await at_work(desk)
    told = (await propose(desk, ticket.id, ticket.engineer_id, DANGER)).json()
    path = f"/dispatch/tickets/{ticket.id}/solutions/{told['id']}/verdict"
    answer = await desk.acting(who, role, **limits).post(path, json={"verdict": "approved"})
    assert answer.status_code == status, answer.text


async def test_nobody_approves_their_own_and_an_administrator_where_no_leader_is_left(desk: Desk) -> None:
    ticket = await at_work(desk)
    told = (await propose(desk, ticket.id, CHIEF, DANGER, "dispatcher", "operations")).json()
    assert told["leader_ids"] == []
    own = await decide(desk, told, ticket.id, CHIEF)
    assert (own.status_code, own.json()["type"]) == (403, "/problems/own-proposal")
    assert (await decide(desk, told, ticket.id, ADMIN, "admin")).status_code == 200


async def test_nothing_is_decided_about_what_has_ended_and_another_episode_begins_anew(desk: Desk) -> None:
    ticket = await at_work(desk)
    told = (await propose(desk, ticket.id, ticket.engineer_id, DANGER)).json()
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    [(version,)] = await desk.rows("SELECT version FROM ticket WHERE id = :id", id=ticket.id)
    version = (await post(dispatcher, ticket.id, "cancel", version, reason="other", note="Gone"))["version"]
    ended = await decide(desk, told, ticket.id, CHIEF)
    assert (ended.status_code, ended.json()["type"]) == (409, "/problems/nothing-to-solve")
    assert (await propose(desk, ticket.id, ticket.engineer_id, DANGER)).status_code == 409
    await post(dispatcher, ticket.id, "reopen", version, reason="It leaks")
    over = await decide(desk, told, ticket.id, CHIEF)
    assert (over.status_code, over.json()["type"]) == (409, "/problems/already-decided")
    assert (await propose(desk, ticket.id, DUTY_LEAD_G, DANGER, "dispatcher")).status_code == 201


async def test_a_house_may_let_nothing_begin_before_the_word_of_leadership(desk: Desk) -> None:
    told = shipped().model_dump(mode="json")
    told["solutions"]["work_before_approval"] = False
    author = desk.acting(CHIEF, "operations")
    path = "/dispatch/urgent/policy"
    published = await author.put(path, json={"policy": told}, headers={"if-match": '"0"'})
    assert published.json() == {"version": 1}, published.text
    ticket = await desk.ticket(await desk.ask())
    client = desk.acting(ticket.engineer_id, "engineer")
    version = (await post(client, ticket.id, "accept", ticket.version))["version"]
    proposed = (await propose(desk, ticket.id, ticket.engineer_id, DANGER)).json()
    begin = f"/dispatch/tickets/{ticket.id}/begin"
    refused = await client.post(begin, json={"base_version": version})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/solution-not-approved")
    await decide(desk, proposed, ticket.id, CHIEF)
    assert (await client.post(begin, json={"base_version": version})).status_code == 200


async def test_the_policy_has_versions_and_refuses_what_is_not_safe(desk: Desk) -> None:
    author, path = desk.acting(CHIEF, "operations"), "/dispatch/urgent/policy"
    first = await author.get(path)
    assert (first.json()["version"], first.headers["etag"]) == (0, '"0"')
    body = first.json()["policy"]
    body["remote"]["url"] = "http://meet.example.com/{room}"
    refused = await author.put(path, json={"policy": body}, headers={"if-match": '"0"'})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/policy/remote/url")
    body["remote"]["url"] = "https://meet.example.com/{room}"
    sent = {"policy": body, "note": "A provider"}
    assert (await author.put(path, json=sent, headers={"if-match": '"0"'})).status_code == 200
    assert (await author.put(path, json=sent, headers={"if-match": '"0"'})).status_code == 412
    east = desk.acting(CHIEF, "operations", regions=frozenset({"east"}))
    assert (await east.put(path, json=sent, headers={"if-match": '"1"'})).status_code == 403
    listed = (await author.get("/dispatch/urgent/policies")).json()
    assert [(each["version"], each["note"]) for each in listed["items"]] == [(1, "A provider")]


async def test_what_was_said_about_who_is_forgotten_is_forgotten(desk: Desk) -> None:
    ticket = await at_work(desk)
    told = (await propose(desk, ticket.id, ticket.engineer_id, DANGER)).json()
    await decide(desk, told, ticket.id, CHIEF, note="Do it")
    await desk.receive(heard(CustomerErased(requests=1), ticket.customer_id))
    [row] = await desk.rows("SELECT text, note, state FROM solution")
    assert tuple(row) == ("—", "—", "approved")
    facts = await desk.rows("SELECT facts::text FROM history")
    assert not any("replace the pump" in row.facts or "Do it" in row.facts for row in facts)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"text": ""}, {"text": "x" * 2001}, {**DANGER, "cost": -1}, {**DANGER, "cost": "5"},
        {**DANGER, "grounds": ["unheard_of"]}, {**DANGER, "more": 1}, [],
    ],
)  # fmt: skip
async def test_bad_input_changes_nothing(desk: Desk, body: Any) -> None:
    ticket = await desk.ticket(await desk.ask("urgent"))
    answer = await propose(desk, ticket.id, LEADER_E, body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert told_of_solutions(await desk.told(ticket.id)) == []


@pytest.mark.parametrize(
    ("language", "button", "waits", "approved"),
    [("en", "Approve the solution", "Waits for leadership", "Approved"),
     ("zh-CN", "批准方案", "待领导小组审批", "已批准")],
)  # fmt: skip
async def test_it_is_proposed_and_approved_on_the_page(
    desk: Desk, language: str, button: str, waits: str, approved: str
) -> None:
    ticket = await at_work(desk)
    page, forms = f"/dispatch/tickets/{ticket.id}/page", f"/dispatch/tickets/{ticket.id}/solutions/page"
    engineer = await desk.browser(ticket.engineer_id, "engineer", language=language)
    chief = await desk.browser(CHIEF, "operations", language=language)

    async def fill(browser: Any, **fields: Any) -> Any:
        proof = (await browser.get(page)).text.partition('name="csrf" value="')[2].partition('"')[0]
        return await browser.post(forms, data={"csrf": proof, **fields})

    wrong = await fill(engineer, do="propose", text="Replace it", cost="a lot")
    assert wrong.status_code == 422
    sent = await fill(engineer, do="propose", text="Replace it", cost="12,000.50", grounds=["replacement"])
    assert (sent.status_code, sent.headers["location"]) == (303, f"{page}#solution")
    seen = (await chief.get(page)).text
    assert waits in seen
    assert button in seen
    assert button not in (await engineer.get(page)).text
    [row] = await desk.rows("SELECT id, cost, flags FROM solution")
    assert (row.cost, row.flags) == (1_200_050, ["cost"])
    assert (await fill(engineer, do="approved", solution_id=str(row.id))).status_code == 403
    assert (await fill(chief, do="approved", solution_id=str(row.id))).status_code == 303
    assert approved in (await engineer.get(page)).text
