"""Visits: what the engineer has free, and customers who choose and move them by a link (R58)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    SAMPLE,
    Desk,
    dispatching,
    post,
)
from contracts.visiting import Customer, accepted, given_to, letters, offered, slots, visits
from dispatch.acceptance.proof import make_proof
from dispatch.visits.reading import load_questions
from dispatch.visits.slots import Question
from shared.clock import clock
from shared.db import Tx

DAY = timedelta(days=1)


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


# --- Slots ---


async def test_slots_are_told_to_the_engineer_and_to_dispatchers_and_meet_nothing(desk: Desk) -> None:
    busy, ticket = await accepted(desk), await accepted(desk)
    engineer, dispatcher = desk.acting(JUNIOR_A, "engineer"), desk.acting(DUTY_LEAD_G, "dispatcher")
    first = (await slots(engineer, ticket.id))[0]
    now = await desk.ticket(busy.request_id)
    await post(
        engineer, busy.id, "visits", now.version, starts_at=first["starts_at"], ends_at=first["ends_at"]
    )
    after = await slots(dispatcher, ticket.id, limit=50)
    assert len(after) == 50
    assert all(each["starts_at"] >= first["ends_at"] for each in after)
    leave = {"person_id": str(JUNIOR_A), "starts_at": first["ends_at"]}
    until = datetime.fromisoformat(first["ends_at"]) + 5 * DAY
    await dispatcher.post("/dispatch/leave", json={**leave, "ends_at": until.isoformat()})
    assert datetime.fromisoformat((await slots(engineer, ticket.id))[0]["starts_at"]) >= until
    later = until + 3 * DAY
    [one] = await slots(engineer, ticket.id, limit=1, **{"from": later.isoformat()})
    assert datetime.fromisoformat(one["starts_at"]) >= later
    assert (await slots(engineer, busy.id))[0]["starts_at"] == first["starts_at"]  # its own visit may stay


async def test_nobody_else_asks_for_slots_and_bad_questions_are_told_so(desk: Desk) -> None:
    ticket = await accepted(desk)
    path = f"/dispatch/tickets/{ticket.id}/slots"
    assert (await desk.acting(JUNIOR_B, "engineer").get(path)).status_code == 404
    assert (await desk.acting(DUTY_LEAD_G, "operations").get(path)).status_code == 403
    engineer = desk.acting(JUNIOR_A, "engineer")
    for query in ({"limit": "0"}, {"limit": "51"}, {"from": "soon"}, {"from": "2026-12-01"}, {"until": "x"}):
        answer = await engineer.get(path, params=query)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), (
            query
        )
        assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(query))}"
    nobody = await desk.ticket(await desk.ask(skills=("magic",)))
    answer = await desk.acting(DUTY_LEAD_G, "dispatcher").get(f"/dispatch/tickets/{nobody.id}/slots")
    assert (answer.status_code, answer.json()["state"]) == (409, "needs_decision")


# --- The customer chooses ---


async def test_a_customer_chooses_moves_and_cancels_by_the_link(desk: Desk) -> None:
    ticket = await accepted(desk)
    link = await offered(desk, ticket)
    customer = Customer(desk, link)
    assert "The pump makes a noise" in await customer.look()
    first, second = customer.times[:2]
    assert (await customer.send("choose", starts_at=first)).status_code == 303
    assert "Your visit is agreed" in await customer.look()
    assert (await customer.send("choose", starts_at=second)).status_code == 422  # nobody said why
    reason = "My boss calls 13812345678 then"
    assert (await customer.send("choose", starts_at=second, reason=reason)).status_code == 303
    await customer.look()
    assert (await customer.send("cancel", reason="It works again")).status_code == 303
    assert "Choose a time" in await customer.look()
    row = await desk.ticket(ticket.request_id)
    assert row.state == "accepted"
    assert [state for _, state in await visits(desk, ticket)] == ["moved", "cancelled"]
    told = [(name, data) for name, _, data in await desk.told(ticket.id) if name.startswith("visit_")]
    assert [name for name, _ in told] == ["visit_offered", "visit_agreed", "visit_agreed", "visit_cancelled"]
    assert [data.get("by") for _, data in told[1:]] == ["customer"] * 3
    assert (told[2][1]["moved_from"], told[2][1]["reason"]) == (
        told[1][1]["starts_at"],
        "My boss calls [phone] then",
    )
    assert await letters(desk, ticket) == ["visit_times"]  # what they did themselves they know
    [newest, *_] = await desk.rows(
        "SELECT by, facts FROM history WHERE ticket_id = :id ORDER BY version DESC", id=ticket.id
    )
    assert (newest.by, newest.facts["reason"]) == ("customer", "It works again")


async def test_a_time_is_chosen_before_the_engineer_has_accepted_and_then_kept(desk: Desk) -> None:
    ticket = await given_to(desk)
    customer = Customer(desk, await offered(desk, ticket), "zh-CN")
    assert "请选择上门时间" in await customer.look()
    await customer.send("choose", starts_at=customer.times[0])
    now = await desk.ticket(ticket.request_id)
    assert now.state == "assigned"
    done = await post(desk.acting(JUNIOR_A, "engineer"), ticket.id, "accept", now.version)
    assert done["state"] == "visit_agreed"


async def test_what_is_late_at_the_customers_wish_says_so_and_what_was_offered_first_does_not(
    desk: Desk,
) -> None:
    ticket = await accepted(desk)
    customer = Customer(desk, await offered(desk, ticket))
    day = (clock.now() + 20 * DAY).date().isoformat()
    await customer.look(**{"from": day})
    await customer.send("choose", starts_at=customer.times[0])
    [row] = await desk.rows("SELECT at_customers_wish, starts_at FROM visit")
    assert (row.at_customers_wish, row.starts_at.date().isoformat() >= day) == (True, True)


async def test_of_two_tabs_the_one_that_knows_how_it_stands_decides(desk: Desk) -> None:
    ticket = await accepted(desk)
    link = await offered(desk, ticket)
    one, other = Customer(desk, link), Customer(desk, link)
    await one.look()
    await other.look()
    first, second, third = one.times[:3]
    assert (await one.send("choose", starts_at=first)).status_code == 303
    assert (await other.send("choose", starts_at=first)).status_code == 303  # again is the same as once
    late = await other.send("choose", starts_at=second)
    assert (late.status_code, "changed since you opened" in late.text) == (409, True)
    assert (await other.send("choose", starts_at=second, reason="A meeting")).status_code == 303
    assert (await one.send("cancel", reason="Enough")).status_code == 409
    assert (
        await one.send("choose", starts_at=third, reason="x")
    ).status_code == 303  # the page was shown anew
    assert [state for _, state in await visits(desk, ticket)] == ["moved", "moved", "agreed"]


async def test_two_customers_who_want_the_same_hour_at_once_do_not_both_get_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found the hour free before either takes it: the database is the judge."""
    tickets = [await accepted(desk) for _ in range(2)]
    customers = [Customer(desk, await offered(desk, ticket)) for ticket in tickets]
    for each in customers:
        await each.look()
    wanted = customers[0].times[0]
    assert customers[1].times[0] == wanted
    both, asked = asyncio.Barrier(2), 0

    async def together(tx: Tx, asked_for: Sequence[Any]) -> Mapping[UUID, Question]:
        nonlocal asked
        found, asked = await load_questions(tx, asked_for), asked + 1
        if asked <= 2:
            await both.wait()
        return found

    monkeypatch.setattr("dispatch.visits.choosing.load_questions", together)
    answers = await asyncio.gather(*(each.send("choose", starts_at=wanted) for each in customers))
    assert sorted(each.status_code for each in answers) == [303, 409]
    [late] = [each for each, answer in zip(customers, answers, strict=True) if answer.status_code == 409]
    assert "taken meanwhile" in late.page
    assert wanted not in late.times
    assert (await late.send("choose", starts_at=late.times[0])).status_code == 303
    agreed = await desk.rows("SELECT starts_at FROM visit WHERE state = 'agreed'")
    assert len({row.starts_at for row in agreed}) == 2


async def test_links_that_are_guessed_altered_old_or_of_another_lead_nowhere(desk: Desk) -> None:
    ticket, other = await accepted(desk), await accepted(desk)
    link, foreign = await offered(desk, ticket), await offered(desk, other)
    token, settings = link.rpartition("/")[2], desk.served.settings
    customer = Customer(desk, link)
    await customer.look()
    wanted, before = customer.times[0], (await desk.ticket(ticket.request_id)).version
    proofs = {
        "": 422,
        "x": 403,
        make_proof(token, clock.now() - 2 * DAY, settings): 403,
        make_proof(foreign.rpartition("/")[2], clock.now(), settings): 403,
        "9" * 201: 422,
    }
    for proof, status in proofs.items():
        answer = await customer.send("choose", starts_at=wanted, proof=proof)
        assert answer.status_code == status, proof
    for fields in (
        {"deed": "destroy"},
        {"starts_at": ""},
        {"starts_at": "tomorrow"},
        {"starts_at": "2026-12-01T09:00"},
        {"seen": "x"},
    ):
        sent = {"deed": "choose", "starts_at": wanted, **fields}
        answer = await customer.send(sent.pop("deed"), **sent)
        assert answer.status_code == 422, fields
    odd = (clock.now() + 2 * DAY).isoformat()
    assert (await customer.send("choose", starts_at=odd)).status_code == 409  # on no half hour
    elsewhere = await customer.client.post(
        link,
        data={"deed": "choose", "starts_at": wanted, "proof": make_proof(token, clock.now(), settings)},
        headers={"origin": "https://evil.example"},
    )
    assert elsewhere.status_code == 403
    for guessed in ("x", "A" * 43, token[:-1] + "?", "%2e%2e%2f", "'; DROP TABLE ticket; --"):
        assert (await customer.client.get(f"/dispatch/visit/{guessed}")).status_code == 404
    [row, _] = await desk.rows("SELECT token_hash FROM visit_link ORDER BY expires_at")
    assert token.encode() not in bytes(row.token_hash)
    await desk.rows("UPDATE visit_link SET expires_at = now() - interval '1 second' RETURNING 1")
    assert (await customer.client.get(link)).status_code == 404
    assert (await customer.send("choose", starts_at=wanted)).status_code == 404
    assert (await desk.ticket(ticket.request_id)).version == before


async def test_when_it_has_ended_or_somebody_is_coming_the_page_says_so(desk: Desk) -> None:
    ticket = await accepted(desk)
    customer = Customer(desk, await offered(desk, ticket))
    await customer.look()
    wanted = customer.times[0]
    await customer.send("choose", starts_at=wanted)
    engineer, now = desk.acting(JUNIOR_A, "engineer"), await desk.ticket(ticket.request_id)
    now = await post(engineer, ticket.id, "depart", now.version)
    answer = await customer.send("cancel", reason="Too late")
    assert (answer.status_code, "cannot be done any more" in answer.text) == (409, True)
    assert "on the way to you" in await customer.look()
    done = {"reason": "withdrawn", "note": "bought another one"}
    await post(desk.acting(DUTY_LEAD_G, "dispatcher"), ticket.id, "cancel", now["version"], **done)
    assert "This visit is over" in await customer.look()
    assert not customer.times
    assert (await customer.send("choose", starts_at=wanted, proof=_proof(desk, customer))).status_code == 409


def _proof(desk: Desk, customer: Customer) -> str:
    return make_proof(customer.link.rpartition("/")[2], clock.now(), desk.served.settings)
