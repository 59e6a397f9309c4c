"""The whole way of a ticket, of which the customer has the last word; and links that lead nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    REPAIRED,
    SAMPLE,
    Desk,
    Sent,
    dispatching,
    post,
    times,
)
from dispatch.acceptance.proof import make_proof
from shared.clock import clock


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


async def finished(desk: Desk, engineer: httpx.AsyncClient, ticket: Any) -> Sent:
    """All the steps until the engineer is done."""
    version = ticket.version
    for command in ("accept", "depart", "arrive"):
        version = (await post(engineer, ticket.id, command, version))["version"]
    done = {"work_note": "Changed the seal", "fault_code": "leakage", "items": REPAIRED}
    return await post(engineer, ticket.id, "resolve", version, **done)


def proof_in(page: str) -> str:
    return page.partition('name="proof" value="')[2].partition('"')[0]


async def test_the_whole_way_of_a_ticket(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    engineer = desk.acting(JUNIOR_A, "engineer")
    now = await post(engineer, ticket.id, "accept", ticket.version)
    now = await post(engineer, ticket.id, "visits", now["version"], **times(), at_customers_wish=True)
    now = await post(
        engineer, ticket.id, "parts", now["version"], lines=[{"part_number": "P-1", "quantity": 1}]
    )
    now = await post(engineer, ticket.id, "depart", now["version"])
    now = await post(engineer, ticket.id, "arrive", now["version"], device_time=clock.now().isoformat())
    done = {"work_note": "Changed the seal", "items": REPAIRED}
    now = await post(engineer, ticket.id, "resolve", now["version"], **done)
    assert now["state"] == "resolved"

    customer, link = desk.served.client(), await desk.link_to(ticket.id)
    shown = await customer.get(link)
    assert "Changed the seal" in shown.text
    answer = await customer.post(link, data={"verdict": "accept", "proof": proof_in(shown.text)})
    assert answer.status_code == 303
    assert "Thank you" in (await customer.get(link)).text
    assert await desk.names(ticket.id) == [
        "ticket_opened",
        "ticket_assigned",
        "assignment_accepted",
        "visit_agreed",
        "parts_requested",
        "engineer_departed",
        "engineer_arrived",
        "work_noted",
        "ticket_resolved",
        "customer_message_requested",
        "result_accepted",
        "ticket_closed",
    ]
    detail = (await engineer.get(f"/dispatch/tickets/{ticket.id}")).json()
    assert [line["version"] for line in detail["history"]] == list(range(detail["version"], 0, -1))
    assert detail["visits"][0]["state"] == "kept"
    assert detail["requisitions"][0]["state"] == "requested"


async def test_a_rejected_result_goes_on_with_the_same_engineer_and_episode(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    engineer = desk.acting(JUNIOR_A, "engineer")
    await finished(desk, engineer, ticket)
    customer, link = desk.served.client(), await desk.link_to(ticket.id)
    proof = proof_in((await customer.get(link)).text)
    bare = await customer.post(link, data={"verdict": "reject", "proof": proof})
    assert bare.status_code == 422
    await customer.post(link, data={"verdict": "reject", "proof": proof, "reason": "It still leaks"})
    row = await desk.ticket(ticket.request_id)
    assert (row.state, row.engineer_id, row.episode) == ("accepted", JUNIOR_A, 1)
    again = await customer.post(link, data={"verdict": "accept", "proof": proof})
    assert (again.status_code, (await desk.ticket(ticket.request_id)).version) == (409, row.version)
    version = row.version
    for command in ("depart", "arrive"):
        version = (await post(engineer, ticket.id, command, version))["version"]
    await post(engineer, ticket.id, "resolve", version, work_note="Changed the pump", first_visit=True)
    resolved = [data for name, _, data in await desk.told(ticket.id) if name == "ticket_resolved"]
    assert [data["first_visit"] for data in resolved] == [True, False]


async def test_who_accepted_may_come_back_and_it_begins_anew_decision_14(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    await finished(desk, desk.acting(JUNIOR_A, "engineer"), ticket)
    customer, link = desk.served.client(), await desk.link_to(ticket.id)
    proof = proof_in((await customer.get(link)).text)
    back = {"verdict": "come_back", "proof": proof, "reason": "It leaks again"}
    assert (await customer.post(link, data=back)).status_code == 409  # asked, and not answered yet
    await customer.post(link, data={"verdict": "accept", "proof": proof})
    assert "Something is not right after all" in (await customer.get(link)).text
    assert (await customer.post(link, data=back)).status_code == 303
    row = await desk.ticket(ticket.request_id)
    assert (row.state, row.episode, row.ended_as) == ("assigned", 2, None)
    told = await desk.told(ticket.id)
    assert [name for name, _, _ in told][-2:] == ["ticket_reopened", "ticket_assigned"]
    assert told[-2][2]["was"] == "accepted"
    assert "look into it again" in (await customer.get(link)).text
    assert (await customer.post(link, data=back)).status_code == 409


async def test_when_the_engineer_has_left_somebody_else_goes_on(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    await finished(desk, desk.acting(JUNIOR_A, "engineer"), ticket)
    people = tuple(each for each in SAMPLE.people if each.id != JUNIOR_A)
    await desk.put(SAMPLE.model_copy(update={"people": people}), 1)
    row = await desk.ticket(ticket.request_id)
    assert (row.state, row.owner_id, row.engineer_id) == ("resolved", DUTY_LEAD_G, JUNIOR_A)
    customer, link = desk.served.client(), await desk.link_to(ticket.id)
    proof = proof_in((await customer.get(link)).text)
    await customer.post(link, data={"verdict": "reject", "proof": proof, "reason": "It still leaks"})
    row = await desk.ticket(ticket.request_id)
    assert (row.state, row.owner_id, row.engineer_id) == ("assigned", JUNIOR_B, JUNIOR_B)


async def test_a_mail_scanner_votes_neither_by_looking_nor_by_sending(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    await finished(desk, desk.acting(JUNIOR_A, "engineer"), ticket)
    customer, link = desk.served.client(), await desk.link_to(ticket.id)
    before = (await desk.ticket(ticket.request_id)).version
    page = (await customer.get(link)).text
    settings, token = desk.served.settings, link.rpartition("/")[2]
    old = make_proof(token, clock.now() - timedelta(days=2), settings)
    foreign = make_proof("another-link", clock.now(), settings)
    for proof in ("", "x", old, foreign, proof_in(page)[:-1] + "?", "9" * 12 + "." + "A" * 43):
        answer = await customer.post(link, data={"verdict": "accept", "proof": proof})
        assert answer.status_code in (403, 422), proof
    for body in ({"verdict": "accept"}, {"verdict": "maybe", "proof": proof_in(page)}):
        assert (await customer.post(link, data=body)).status_code == 422
    assert (await desk.ticket(ticket.request_id)).version == before


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "%2e%2e%2f", "é" * 40, "'; DROP TABLE ticket; --"])
async def test_a_guessed_link_leads_nowhere(desk: Desk, token: str) -> None:
    client = desk.served.client()
    proof = make_proof(token, clock.now(), desk.served.settings)
    assert (await client.get(f"/dispatch/acceptance/{token}")).status_code == 404
    answer = await client.post(f"/dispatch/acceptance/{token}", data={"verdict": "accept", "proof": proof})
    assert answer.status_code == 404


async def test_only_the_hash_of_a_link_is_stored_and_it_expires(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    await finished(desk, desk.acting(JUNIOR_A, "engineer"), ticket)
    link = await desk.link_to(ticket.id)
    [row] = await desk.rows("SELECT * FROM acceptance_link")
    assert link.rpartition("/")[2].encode() not in bytes(row.token_hash)
    await desk.rows("UPDATE acceptance_link SET expires_at = now() - interval '1 second' RETURNING 1")
    assert (await desk.served.client().get(link)).status_code == 404
